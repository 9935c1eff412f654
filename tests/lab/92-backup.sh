#!/usr/bin/env bash
# A cluster is backed up, lost, and restored on another host and on its own; its worker comes back by itself.
. "$(dirname "$0")/lib.sh"
begin 3
token=$(on 1 overlayd token show -q worker)
check "a network" on 1 overlayd network create blue --attachable
for host in 1 2; do check "a sandbox on host $host" sandbox_on "$host" "box$host" blue; done
within 5 "names work" ping_by_name 2 box2 box1
address=$(on 1 overlayd endpoint ls --format json | tr -d ' \n' | grep -o '"ipv4":"[0-9.]*' | head -1 | cut -d'"' -f4)
mode_of() { on "$1" stat -c %a "$2"; }
copy() { on "$1" cat "$2" | on "$3" tee "$2" >/dev/null; } # from a host, the file, to a host
connected() { [[ "$(on "$1" overlayd status)" == *"connected to $2:2377"* ]]; } # a node, the manager's address
export -f mode_of copy connected

# --- backup
check "it is backed up" shell 'on 1 overlayd backup /run/b1 2>"$work/told"'
check "with a word on its secrets" grep -q "keep it where only you can read it" "$work/told"
check "for its owner only" [ "$(mode_of 1 /run/b1)" = 600 ]
refused "a file that is there is kept" 9 "is there already" on 1 overlayd backup /run/b1
check "unless it is to go" on 1 overlayd backup --force /run/b1
refused "a folder is no file" 2 "is a folder" on 1 overlayd backup /run
refused "a folder that is missing is told" 8 "no folder" on 1 overlayd backup /run/none/b
refused "a worker has nothing to back up" 1 "is a worker" on 2 overlayd backup /run/b2
check "what is in it" shell 'on 1 overlayd restore --check /run/b1 | has "from host1"'
refused "it is restored on no host of a cluster" 9 "already" on 1 overlayd restore /run/b1
check "something is changed after it" on 1 overlayd network create later

# --- the manager's host is lost; host 3 takes its place
check "host 3 leaves" on 3 overlayd leave
copy 1 /run/b1 3
in_sandbox 2 box2 ping -i 0.05 -w 6 "$address" >"$work/ping" 2>&1 & pinging=$!
check "the manager is killed" "$lab" kill 1
on 3 bash -c 'head -c 300 /run/b1 > /run/cut; cp /run/b1 /run/changed; printf x | dd of=/run/changed bs=1 seek=200 conv=notrunc 2>/dev/null; echo hello > /run/text
    cp /run/b1 /run/later; printf "\002" | dd of=/run/later bs=1 seek=8 conv=notrunc 2>/dev/null'
refused "half a file is refused" 2 "missing" on 3 overlayd restore --advertise-addr eth0 /run/cut
refused "a changed one" 2 "checksum" on 3 overlayd restore --advertise-addr eth0 /run/changed
refused "another file" 2 "no backup" on 3 overlayd restore --advertise-addr eth0 /run/text
refused "one of another format" 2 "format 2" on 3 overlayd restore --advertise-addr eth0 /run/later
refused "one that is not there" 8 "no file" on 3 overlayd restore /run/none
check "it is restored" shell 'on 3 overlayd restore --advertise-addr eth0 /run/b1 2>"$work/restored"'
check "in the next epoch" grep -q "epoch 2" "$work/restored"
check "with its network, and without what came later" shell '[ "$(on 3 overlayd network ls --format json | grep -c "\"name\": \"")" -eq 1 ]'
wait "$pinging"
check "no ping was lost meanwhile: $(grep -o '[0-9]* packets.*loss' "$work/ping")" grep -q ' 0% packet loss' "$work/ping"
check "tokens are the same" [ "$(on 3 overlayd token show -q worker)" = "$token" ]
within 20 "the worker comes back by itself" connected 2 192.168.50.3
check "a network is made" on 3 overlayd network create green --attachable
within 5 "and the worker has it" shell 'on 2 overlayd network ls -q | wc -l | has 2'
sandbox_on 3 box3 blue
within 5 "names go on" ping_by_name 2 box2 box3

# --- the manager of before comes back
check "the old manager starts" "$lab" restart 1
sleep 2
check "the worker does not go back to it" connected 2 192.168.50.3
check "it leaves" on 1 overlayd leave --force
check "and joins" shell 'on 1 overlayd join --advertise-addr eth0 --token "'"$token"'" 192.168.50.3:2377'
within 10 "all are alive" alive 3 3

# --- a locked one, on its own host
check "it is locked" shell 'on 3 overlayd update --autolock=true -q >"$work/key"'
check "and backed up" shell 'on 3 overlayd backup /run/b3 2>&1 | has "encrypted with the cluster.s unlock key"'
check "no secret of it is in the file" shell '! on 3 grep -qa "blue" /run/b3'
check "its manager gives everything up" on 3 overlayd leave --force
refused "it needs its key" 2 "no unlock key" on 3 overlayd restore --advertise-addr eth0 /run/b3
echo "OVKEY-1-$(printf 'a%.0s' $(seq 52))" >"$work/wrong"
refused "the right one" 1 "not the key" shell 'on 3 overlayd restore --advertise-addr eth0 /run/b3 <"$work/wrong"'
check "it is restored" shell 'on 3 overlayd restore --advertise-addr eth0 /run/b3 <"$work/key"'
check "the cluster is locked as before" shell '[ "$(on 3 overlayd unlock-key show -q)" = "$(cat "$work/key")" ]'
within 20 "everybody is back" shell 'connected 1 192.168.50.3 && connected 2 192.168.50.3'
check "the manager restarts" shell '"$lab" stop 3 && "$lab" restart 3'
check "locked" shell 'on 3 overlayd unlock <"$work/key"'
within 10 "it is ready" shell '[ "$(on 3 overlayd status -q)" = ready ]'
check "no secret is in a log" shell 'for host in 1 2 3; do "$lab" logs $host 3000; done | lacks -F -e "$(cut -d- -f3 "$work/key")" -e "$(cut -d- -f4 <<<"'"$token"'")"'
