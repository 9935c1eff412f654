#!/usr/bin/env bash
# A locked cluster: a manager's disk opens with the unlock key only; the data plane does not wait for it.
. "$(dirname "$0")/lib.sh"
hosts=2
check "two hosts" "$lab" up 2
log() { on "$1" overlayd store verify --format json | tr -d ' \n'; }
state() { on "$1" overlayd status -q; }
unlock() { on "$1" overlayd unlock < "$2"; } # host, file with a key
restart() { "$lab" stop "$1" && "$lab" restart "$1"; }
no_secret() { for host in 1 2; do "$lab" logs "$host" 3000; done | lacks -F -e "$(cut -d- -f3 "$work/key")" -e "$(cut -d- -f3 "$work/second")"; }
export -f log state unlock restart no_secret

check "a cluster is begun, locked" shell 'on 1 overlayd init --advertise-addr eth0 --autolock >"$work/init" 2>"$work/told"'
grep -o 'OVKEY-1-[a-z2-7]*' "$work/init" >"$work/key"
check "its key is printed" shell '[ $(wc -c < "$work/key") -eq 61 ] && grep -q "Keep it in a safe place" "$work/told"'
check "and shown again" shell '[ "$(on 1 overlayd unlock-key show -q)" = "$(cat "$work/key")" ]'
check "host 2 joins" shell 'on 2 overlayd join --advertise-addr eth0 --token "$(on 1 overlayd token show -q worker)" 192.168.50.1:2377'
check "a network" on 1 overlayd network create blue --attachable
for host in 1 2; do check "a sandbox on host $host" sandbox_on "$host" "box$host" blue; done
within 5 "names work" ping_by_name 2 box2 box1
address=$(on 1 overlayd endpoint ls --format json | tr -d ' \n' | grep -o '"ipv4":"[0-9.]*' | head -1 | cut -d'"' -f4)
refused "a manager that runs needs no key" 9 "needs no key" unlock 1 "$work/key"
refused "a worker has none to show" 1 "is a worker" on 2 overlayd unlock-key show
refused "nor is there anything to unlock" 9 "needs no key" unlock 2 "$work/key"

# --- after a restart
in_sandbox 2 box2 ping -i 0.05 -w 8 "$address" >"$work/ping" 2>&1 & pinging=$!
check "the manager restarts" restart 1
check "it is locked" [ "$(state 1)" = locked ]
on 1 overlayd status >"$work/status"; check "with exit code 5" [ $? -eq 5 ]
check "and says what to type" grep -q 'type `overlayd unlock`' "$work/status"
refused "nothing else works" 1 "locked since its restart. Type .overlayd unlock" on 1 overlayd network ls
refused "no other cluster is begun" 1 "is locked" on 1 overlayd init
refused "nor joined" 1 "is locked" on 1 overlayd join --token OVTKN-1-a-b 192.168.50.2:2377
refused "it does not leave by mistake" 1 "is locked" on 1 overlayd leave
check "the disk's keys are locked" shell 'on 1 overlayd store verify /var/lib/overlayd/log 2>&1 | has "an agent has" || log 1 | has "\"state\":\"locked\""'
echo "OVKEY-1-$(head -c 32 /dev/zero | tr '\0' 'a')aaaaaaaaaaaaaaaaaaaa" >"$work/wrong"
refused "another key does not open it" 1 "stays locked" unlock 1 "$work/wrong"
echo "OVKEY-1-abc" >"$work/short"
refused "half a key is told" 2 "a piece of it is missing" unlock 1 "$work/short"
refused "no key is told" 2 "no unlock key is given" unlock 1 /dev/null
refused "a key among the arguments is not taken" 2 "" on 1 overlayd unlock "$(cat "$work/key")"
check "the right one opens it" unlock 1 "$work/key"
within 10 "it is ready" shell '[ "$(state 1)" = ready ]'
within 10 "the nodes are alive" alive 1 2
within 5 "names work" ping_by_name 2 box2 box1
wait "$pinging"
check "no ping was lost meanwhile: $(grep -o '[0-9]* packets.*loss' "$work/ping")" grep -q ' 0% packet loss' "$work/ping"

# --- another key
check "the key is replaced" shell 'on 1 overlayd unlock-key rotate -q >"$work/second"'
check "by another one" fails cmp -s "$work/key" "$work/second"
check "kill -9 and a start" shell '"$lab" kill 1; "$lab" restart 1'
refused "the old one does not open it" 1 "If the key was replaced while this manager was off" unlock 1 "$work/key"
check "the new one does, from a file" shell 'on 1 tee /run/key <"$work/second" >/dev/null && on 1 overlayd unlock --key-file /run/key'
within 10 "it is ready" shell '[ "$(state 1)" = ready ]'

# --- stopped: tools and disk
check "the manager stops" "$lab" stop 1
check "its log is verified without a key" on 1 overlayd store verify
check "the private key is not in the clear" shell '! on 1 openssl pkey -inform DER -in /var/lib/overlayd/certificates/node.key -noout'
check "no file has the root key's or a token's text" shell '! on 1 grep -rqa "blue" /var/lib/overlayd/log'
refused "entries are not shown without the key" 1 "locked" on 1 overlayd store dump
check "and are with it" shell 'on 1 overlayd store dump --key-file /run/key -q | has .'
refused "nor with another" 1 "locked" on 1 overlayd store dump --key-file /proc/self/fd/0 <"$work/wrong"
refused "a repair needs it" 1 "locked" on 1 overlayd store repair
check "and works with it" on 1 overlayd store repair --key-file /run/key
check "the manager starts" "$lab" restart 1
check "locked" unlock 1 "$work/second"

# --- no longer locked, and locked later
check "it is locked no longer" on 1 overlayd update --autolock=false
refused "there is no key now" 8 "not locked" on 1 overlayd unlock-key show
refused "so none is replaced" 9 "has none" on 1 overlayd unlock-key rotate
check "the manager restarts without" restart 1
within 10 "it is ready" shell '[ "$(state 1)" = ready ]'
check "it is locked later" shell 'on 1 overlayd update --autolock=true -q >"$work/third"'
check "once" shell '[ -z "$(on 1 overlayd update --autolock=true -q)" ]'
check "the manager restarts" restart 1
check "it is locked" [ "$(state 1)" = locked ]
check "no secret is in a log" no_secret
refused "a wrong word is told" 2 "true or false" on 1 overlayd update --autolock=maybe

# --- the key is lost
check "it is given up" on 1 overlayd leave --force
check "the host is in no cluster" [ "$(on 1 overlayd status -q)" = "not in a cluster" ]
within 5 "nothing of it is left in the kernel" shell 'on 1 ls /run/netns | lacks "^ov-"'
check "a new one is begun" on 1 overlayd init --advertise-addr eth0
