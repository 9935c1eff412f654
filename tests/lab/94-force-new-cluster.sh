#!/usr/bin/env bash
# A cluster goes on with one manager, in another epoch: what it was before is refused, workers come back by themselves.
. "$(dirname "$0")/lib.sh"
begin 3
check "a network" on 1 overlayd network create blue --attachable
for host in 1 2; do check "a sandbox on host $host" sandbox_on "$host" "box$host" blue; done
within 5 "names work" ping_by_name 2 box2 box1
address=$(on 1 overlayd endpoint ls --format json | tr -d ' \n' | grep -o '"ipv4":"[0-9.]*' | head -1 | cut -d'"' -f4)
token=$(on 1 overlayd token show -q worker)
connected() { [[ "$(on "$1" overlayd status)" == *"connected to $2:2377"* ]]; } # a worker, the manager's address
locks() { on 1 overlayd unlock-key show -q; }
export -f connected locks
refused "a worker cannot" 1 "is a worker" on 2 overlayd init --force-new-cluster
refused "nothing of a new cluster is taken" 2 "cannot be given with --force-new-cluster" on 1 overlayd init --force-new-cluster --data-path-port 4790
refused "an address of another host is refused" 2 "not an address of this host" on 1 overlayd init --force-new-cluster --advertise-addr 192.168.50.2
check "the manager goes on after that" shell 'on 1 overlayd network create after-refusal'

# --- a copy of the manager as it is now: of an epoch that ends
check "the disk is copied" shell '"$lab" stop 1 && on 1 cp -a /var/lib/overlayd /run/before && "$lab" restart 1'
within 10 "all are alive" alive 1 3

# --- begun anew, twice: it may be repeated
in_sandbox 2 box2 ping -i 0.05 -w 8 "$address" >"$work/ping" 2>&1 & pinging=$!
check "the cluster is begun anew" shell 'on 1 overlayd init --force-new-cluster 2>"$work/told"'
check "in epoch 2" grep -q "epoch 2 of the cluster: managers of before are refused" "$work/told"
check "and again" shell 'on 1 overlayd init --force-new-cluster --format json | tr -d " " | has "\"epoch\":\"3\""'
wait "$pinging"
check "no ping was lost: $(grep -o '[0-9]* packets.*loss' "$work/ping")" grep -q ' 0% packet loss' "$work/ping"
for host in 2 3; do within 20 "worker $host comes back by itself" connected "$host" 192.168.50.1; done
check "the networks are there" shell '[ "$(on 1 overlayd network ls -q | wc -l)" -eq 2 ]'
check "another is made" on 1 overlayd network create green --attachable
within 5 "and a worker has it" shell '[ "$(on 2 overlayd network ls -q | wc -l)" -eq 3 ]'
check "tokens are the same" [ "$(on 1 overlayd token show -q worker)" = "$token" ]
within 5 "names work" ping_by_name 2 box2 box1

# --- the epoch that ended comes back
check "the manager of before starts instead" shell '"$lab" stop 1 && on 1 mv /var/lib/overlayd/log /var/lib/overlayd/membership.json /run/ &&
    on 1 cp -a /run/before/log /run/before/membership.json /var/lib/overlayd/ && "$lab" restart 1'
within 15 "no worker listens to it" shell '[[ "$(on 2 overlayd status)" == *superseded* ]]'
check "the new one starts again" shell '"$lab" stop 1 && on 1 rm -r /var/lib/overlayd/log && on 1 mv /run/log /run/membership.json /var/lib/overlayd/ && "$lab" restart 1'
for host in 2 3; do within 20 "worker $host is back" connected "$host" 192.168.50.1; done

# --- with another address
check "host 1 has another address" on 1 ip address add 192.168.50.101/24 dev eth0
check "it moves there" on 1 overlayd init --force-new-cluster --advertise-addr 192.168.50.101
for host in 2 3; do within 30 "worker $host finds it by gossip" connected "$host" 192.168.50.101; done
check "after a restart too" shell '"$lab" stop 1 && "$lab" restart 1'
within 20 "worker 2 is back" connected 2 192.168.50.101

# --- locked
check "it is locked" shell 'on 1 overlayd update --autolock=true -q >"$work/key"'
check "the manager restarts" shell '"$lab" stop 1 && "$lab" restart 1'
refused "a locked one is unlocked first" 1 "is locked" on 1 overlayd init --force-new-cluster
check "unlocked" shell 'on 1 overlayd unlock <"$work/key"'
check "it is begun anew" on 1 overlayd init --force-new-cluster
check "with the same key" shell '[ "$(locks)" = "$(cat "$work/key")" ]'
check "kill -9 and a start" shell '"$lab" kill 1; "$lab" restart 1'
check "it is locked still" shell '[ "$(on 1 overlayd status -q)" = locked ] && on 1 overlayd unlock <"$work/key"'
within 20 "worker 3 is back" connected 3 192.168.50.101
within 10 "all are alive" alive 1 3
within 5 "names work" ping_by_name 2 box2 box1
