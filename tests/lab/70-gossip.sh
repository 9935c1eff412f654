#!/usr/bin/env bash
# Gossip as its operator sees it: every verb of `overlayd gossip`, the usual mistakes, and who may do what.
export OVERLAYD_LAB_RUN_FLAGS="--socket-group nogroup"
. "$(dirname "$0")/lib.sh"
hosts=4
outsider() { local host=$1; shift; on "$host" setpriv --reuid 65534 --regid 65533 --clear-groups "$@"; }
grouped() { local host=$1; shift; on "$host" setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
# json EXPRESSION CMD...: whether it holds of the answer in JSON, a.
json() { local test=$1; shift; "$@" --format json >"$work/json" && python3 -c 'import json, sys; a = json.load(open(sys.argv[2])); assert eval(sys.argv[1]), a' "$test" "$work/json"; }
prints() { local want=$1; shift; "$@" 2>/dev/null | has -- "$want"; }
lines() { local count=$1; shift; [ "$("$@" 2>/dev/null | wc -l)" -eq "$count" ]; }
export -f outsider grouped

"$lab" up "$hosts" || { not_ok "$hosts hosts come up"; exit 1; }
for verb in ls "join 192.168.50.2" "force-leave x" "event x" events "query x" "rtt x" key keys rotate; do
    # shellcheck disable=SC2086
    refused "in no cluster: gossip $verb" 4 "overlayd init" on 1 overlayd gossip $verb
done
on 1 overlayd init --advertise-addr eth0 --quiet >/dev/null || { not_ok "a cluster begins"; exit 1; }
token=$(on 1 overlayd token show worker --quiet)
for host in 2 3; do check "host $host joins" on "$host" overlayd join --quiet --token "$token" --advertise-addr eth0 192.168.50.1:2377; done
on 4 overlayd init --advertise-addr eth0 --quiet >/dev/null
within 10 "all are alive" alive 1 3

check "ls: three, and which is this one" json 'len(a) == 3 and [m["hostname"] for m in a if m["self"]] == ["host1"] and not any(m["foreign"] for m in a)' \
    on 1 overlayd gossip ls
check "ls by state" lines 3 on 2 overlayd gossip ls -q --filter status=alive
check "ls by tag" lines 1 on 2 overlayd gossip ls -q --filter tag=host=host3
check "ls of what there is none" lines 0 on 2 overlayd gossip ls -q --filter foreign=true
refused "ls by what cannot be filtered" 2 "status" on 1 overlayd gossip ls --filter colour=red

check "join of a member" prints 192.168.50.2:7946 on 1 overlayd gossip join -q 192.168.50.2
check "join, in JSON" json 'a["joined"] == ["192.168.50.3:7946"]' on 1 overlayd gossip join 192.168.50.3:7946
refused "join of oneself" 2 "this node itself" on 1 overlayd gossip join 192.168.50.1
refused "join of no address" 2 "not an address" on 1 overlayd gossip join host2
refused "join of nobody" 1 "No answer" on 1 overlayd gossip join 192.168.50.2:9
refused "join of another cluster, whose key is another" 1 "overlayd gossip key" on 1 overlayd gossip join 192.168.50.4
refused "join of nothing" 2 "ADDR" on 1 overlayd gossip join
check "nobody came by that" lines 3 on 1 overlayd gossip ls -q

check "event" on 1 overlayd gossip event deploy 1.4.2
check "event without more" on 3 overlayd gossip event restart
for host in 1 2 3; do within 5 "host $host heard both" lines 2 on "$host" overlayd gossip events -q; done
check "events, in JSON, by name" json '[(e["name"], e["payload"]) for e in a] == [("deploy", "1.4.2")]' on 2 overlayd gossip events --filter name=deploy
refused "an event that is too long" 2 "512" on 1 overlayd gossip event long "$(head -c 600 /dev/zero | tr '\0' x)"
refused "an event without a name" 2 "no name" on 1 overlayd gossip event ""

check "query: all three got it" json 'len(a["acks"]) == 3 and not a["answers"]' on 1 overlayd gossip query --wait 1s uptime
check "query of one, by host name" lines 1 on 1 overlayd gossip query -q --wait 500ms --node host2 uptime
refused "query of nobody" 8 "overlayd gossip ls" on 1 overlayd gossip query --node nobody uptime
refused "query of serf's own" 2 "serf" on 1 overlayd gossip query _serf_list-keys
refused "query for a wrong time" 2 "duration" on 1 overlayd gossip query --wait soon uptime

within 20 "rtt to a node by host name" prints 'ms$' on 1 overlayd gossip rtt host2
within 20 "rtt between two others, in JSON" json '0 < a["seconds"] < 1' on 1 overlayd gossip rtt host2 host3
refused "rtt to nobody" 8 "overlayd gossip ls" on 1 overlayd gossip rtt nobody

refused "force-leave of a node" 9 "overlayd node rm" on 1 overlayd gossip force-leave "$(on 2 overlayd gossip ls -q --filter name=host2)"
refused "force-leave of nobody" 8 "overlayd gossip ls" on 1 overlayd gossip force-leave nobody

check "key, 32 bytes of it" shell "[ \$(on 2 overlayd gossip key | base64 -d | wc -c) -eq 32 ]"
check "key, in JSON" json 'len(a["key"]) == 44' on 1 overlayd gossip key
check "who may use the socket may list" grouped 1 overlayd gossip ls -q
refused "but not see the key" 1 "sudo overlayd gossip key" grouped 1 overlayd gossip key
refused "who may not use the socket" 3 "sudo" outsider 1 overlayd gossip ls
refused "an unknown verb" 2 "key" on 1 overlayd gossip kyes
refused "keys on a worker" 1 "192.168.50.1:2377" on 2 overlayd gossip keys
refused "rotate on a worker" 1 "192.168.50.1:2377" on 2 overlayd gossip rotate
check "the agent of host 3 stops" "$lab" stop 3
refused "without an agent" 3 "overlayd run" on 3 overlayd gossip ls
