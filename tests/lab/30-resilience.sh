#!/usr/bin/env bash
# Drift is repaired; agents die and come back; the manager dies; nodes leave: the data path does not notice.
. "$(dirname "$0")/lib.sh"
begin 3
check "a network" on 1 overlayd network create blue --attachable --ipv6
for host in 1 2 3; do check "a sandbox on host $host is attached" sandbox_on "$host" "box$host" blue; done
check "it works at first" ping_by_name 1 box1 box2
space=$(on 1 overlayd network inspect blue --format json | grep -o '"namespace": *"[^"]*"' | grep -o 'ov-[a-z0-9]*')
export space
inside() { on 1 nsenter --net="/run/netns/$space" "$@"; }
repairs() { json_of 1 | grep -o '"repairs":"*[0-9]*' | grep -o '[0-9]*$' || echo 0; }
repaired() { [ "$(repairs)" -gt "$1" ]; }
export -f inside

mac=$(inside bridge fdb show dev vxlan0 | awk '/dst 192.168.50.2/ {print $1; exit}')
address=$(inside ip neigh show dev vxlan0 | awk -v m="$mac" '$0 ~ m && /^10\./ {print $1; exit}')
before=$(repairs)
check "bridge fdb del" inside bridge fdb del "$mac" dev vxlan0 dst 192.168.50.2
within 2 "is repaired" shell "inside bridge fdb show dev vxlan0 | grep '$mac dst 192.168.50.2'"
check "and counted" repaired "$before"
check "ip neigh del" inside ip neigh del "$address" dev vxlan0
within 2 "is repaired" shell "inside ip neigh show dev vxlan0 | grep '^$address lladdr $mac'"
check "ip link del vxlan0" inside ip link del vxlan0
within 2 "is repaired" inside ip link show vxlan0
within 3 "and carries traffic" ping_by_name 1 box1 box2
port=$(inside ip -o link show type veth | head -n 1 | awk -F': ' '{print $2}' | cut -d@ -f1)
check "ip link del of a sandbox's veth" inside ip link del "$port"
within 2 "is repaired" in_sandbox 1 box1 ip link show eth0
within 3 "and carries traffic" ping_by_name 1 box1 box3
check "nft flush ruleset on the host" on 1 nft flush ruleset
within 2 "is repaired" on 1 nft list table inet overlayd

check "an iperf3 server" in_sandbox 2 box2 iperf3 -s -D
sleep 0.3
indexes() { inside ip -o link | awk '{print $1 $2}' | sort; in_sandbox 1 box1 ip -o link | awk '{print $1 $2}' | sort; }
indexes > "$work/before"
in_sandbox 1 box1 iperf3 -c box2 -t 10 -J > "$work/iperf.json" 2>"$work/iperf.err" &
iperf=$!
sleep 2
check "kill -9 of the agent during iperf3" "$lab" kill 1
sleep 3
check "it starts again" "$lab" restart 1
wait $iperf
check "no reset: the transfer ended well" shell "grep '\"sum_received\"' '$work/iperf.json' && ! grep '\"error\"' '$work/iperf.json'"
check "every second carried data" python3 -c "
import json,sys; d=json.load(open('$work/iperf.json'))
zero=[i['sum']['start'] for i in d['intervals'] if i['sum']['bytes']==0]; sys.exit(f'no data at {zero}' if zero else 0)"
sleep 0.5
indexes > "$work/after"
check "nothing was rebuilt: the same interface indexes" diff "$work/before" "$work/after"
within 5 "names work after the restart" ping_by_name 1 box1 box3

check "kill -9 of the manager" "$lab" kill 1
check "names and pings go on between workers" ping_by_name 2 box2 box3
check "and with the dead agent's sandbox" ping_by_name 2 box2 box1
check "attach on a worker goes on" sandbox_on 2 late blue
within 3 "and is reached by name" ping_by_name 3 box3 late
within 10 "status on a worker says that no manager is there" shell "on 2 overlayd status >/dev/null 2>&1; [ \$? -eq 5 ]"
check "SIGTERM" "$lab" stop 3
check "leaves the data path up" ping_by_name 2 box2 box3
check "both start again" shell "'$lab' restart 3 && '$lab' restart 1"
within 10 "all are alive again" alive 1 3

# A dead agent is not a dead host: longer than any suspicion, names and traffic of its host go on for the others.
entries_of_2() { inside bridge fdb show dev vxlan0 | grep 'dst 192.168.50.2 ' | sort; }
export -f entries_of_2
state_of() { on "$1" overlayd node ls --format json | tr -d ' \n' | grep -o "\"hostname\":\"$2\"[^}]*" | grep -o '"status":"[^"]*"' | cut -d'"' -f4; }
export -f state_of
on 2 ip -o link | awk '{print $1 $2}' | sort > "$work/links2.before"
on 2 nsenter --net="/run/netns/$space" ip -o link | awk '{print $1 $2}' | sort >> "$work/links2.before"
entries_of_2 > "$work/fdb2.before"
check "there are entries of host 2" test -s "$work/fdb2.before"
in_sandbox 1 box1 ping -i 0.1 -c 200 -W 1 box2 > "$work/ping12" 2>&1 &
pinging=$!
check "kill -9 of an agent" "$lab" kill 2
for second in 4 8 12 16 19; do
    while [ $((SECONDS - ${killed:=$SECONDS})) -lt "$second" ]; do sleep 0.1; done
    check "its names resolve and answer after $second s, from host 1" ping_by_name 1 box1 box2
    check "its names resolve and answer after $second s, from host 3" ping_by_name 3 box3 late 6
done
wait $pinging
check "no ping of 20 s was lost" grep '200 packets transmitted, 200 received' "$work/ping12"
check "node ls tells: its agent is down" shell '[ "$(state_of 1 host2)" = agent-down ] && [ "$(state_of 3 host2)" = agent-down ]'
check "status tells it too" shell "status_of 1 | grep 'agent of node host2 is down'"
entries_of_2 > "$work/fdb2.during"
check "its FDB entries never changed" diff "$work/fdb2.before" "$work/fdb2.during"

# Another agent restarts meanwhile, and then all are down and only one comes back: it knows what it knew.
in_sandbox 3 box3 ping -i 0.1 -c 60 -W 1 box2 > "$work/ping32" 2>&1 &
pinging=$!
within 5 "a ping by name begins" grep 'bytes from' "$work/ping32"
check "another agent dies" "$lab" kill 3
check "and starts again" "$lab" restart 3
within 3 "it finds the names of the host whose agent is down" ping_by_name 3 box3 box2
within 5 "and says so" shell '[ "$(state_of 3 host2)" = agent-down ]'
wait $pinging
check "no ping was lost over its restart" shell "tail -n 3 '$work/ping32' | tee /dev/stderr | grep '60 packets transmitted, 60 received'"
check "all agents die" shell "'$lab' kill 1 && '$lab' kill 3"
check "and only one starts again" "$lab" restart 3
sleep 6
check "it still reaches the others by name, host 1" ping_by_name 3 box3 box1
check "it still reaches the others by name, host 2" ping_by_name 3 box3 box2
check "the manager starts again" "$lab" restart 1
within 10 "and is alive for it" shell '[ "$(state_of 3 host1)" = alive ]'
check "with its names" ping_by_name 3 box3 box1
check "and for the manager host 2 is still there" ping_by_name 1 box1 box2
check "the agent starts again" "$lab" restart 2
within 10 "and is alive for all" alive 1 3
on 2 ip -o link | awk '{print $1 $2}' | sort > "$work/links2.after"
on 2 nsenter --net="/run/netns/$space" ip -o link | awk '{print $1 $2}' | sort >> "$work/links2.after"
check "with the same interface indexes" diff "$work/links2.before" "$work/links2.after"
check "and the same names" ping_by_name 1 box1 box2

# A host that is cut off is dropped as before.
check "host 2 is cut off from host 1" "$lab" partition 1 2
check "and from host 3" "$lab" partition 2 3
within 25 "it is dead, and not agent-down, on host 1" shell '[ "$(state_of 1 host2)" = dead ]'
within 2 "its FDB entries are gone with it" shell "inside bridge fdb show dev vxlan0 | lacks 192.168.50.2"
within 2 "its names are gone with it" shell "! in_sandbox 1 box1 getent hosts box2"
check "the partition heals" "$lab" heal
within 20 "it is back" alive 1 3
within 3 "with its names and traffic" ping_by_name 1 box1 box2

check "a partition" "$lab" partition 1 2
sleep 3
check "heals" "$lab" heal
within 20 "traffic between the two goes on" ping_by_name 1 box1 box2
within 40 "all are alive" alive 1 3

check "leave" on 3 overlayd leave
within 5 "the node is gone from the others" shell "on 1 overlayd node ls | lacks host3"
within 5 "its names are gone" fails ping_by_name 1 box1 box3
within 5 "its FDB entries are gone" shell "inside bridge fdb show dev vxlan0 | lacks 192.168.50.3"
within 5 "and it keeps no namespace" shell "! on 3 ls /run/netns | grep ^ov-"
check "kill -9 of a worker's agent" "$lab" kill 2
within 60 "node ls tells" shell '[ "$(state_of 1 host2)" = agent-down ]'
check "node rm of a node whose agent is down" on 1 overlayd node rm host2
within 5 "the removed node is gone" shell "on 1 overlayd node ls | lacks host2"
within 5 "with its FDB entries" shell "inside bridge fdb show dev vxlan0 | lacks 192.168.50.2"
