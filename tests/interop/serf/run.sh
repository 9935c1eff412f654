#!/usr/bin/env bash
# Debian's unmodified serf and our agents in one gossip, sealed with AES-256: both join each other, and all that serf
# does with members works both ways. SERF_NODES of each kind (default 5), SERF_SECONDS of watching under loss (default
# 120), SERF_LOSS per cent of all packets (default 5).
. "$(dirname "$0")/../../lab/lib.sh"
each=${SERF_NODES:-5} seconds=${SERF_SECONDS:-30} loss=${SERF_LOSS:-5}
hosts=$((each * 2))
first=$((each + 1))          # of the hosts that run serf
address() { echo "192.168.50.$1"; }
serf_on() { local host=$1; shift; on "$host" serf "$@"; }
export -f serf_on

command -v serf >/dev/null || "$top/deploy/install-packages.sh" serf || { not_ok "Debian's serf can be installed"; exit 1; }
"$lab" up "$hosts" --bare || { not_ok "$hosts hosts come up"; exit 1; }

serf_agent() { # HOST, FLAGS...
    local host=$1; shift
    "$lab" exec "$host" setsid serf agent -node "serf$host" -bind "$(address "$host")" -encrypt "$key" \
        -tag role=web -tag "number=$host" "$@" </dev/null >>"$work/serf$host.log" 2>&1 &
    disown
    for _ in $(seq 100); do serf_on "$host" info >/dev/null 2>&1 && return; sleep 0.1; done
    tail -n 5 "$work/serf$host.log"
    return 1
}
ours() { seq 1 "$each"; }
theirs() { seq "$first" "$hosts"; }
id_of() { on "$1" overlayd node inspect self | sed -n 's/^ *"id": "\(.*\)",$/\1/p' | head -n 1; }
# How many members a host of each kind sees in a state.
serf_sees() { serf_on "$1" members -status "$2" | wc -l; }
overlayd_sees() { on "$1" overlayd gossip ls -q --filter "status=$2" | wc -l; }
all_see() { # STATE, COUNT
    local host
    for host in $(ours); do [ "$(overlayd_sees "$host" "$1")" -eq "$2" ] || { echo "host$host: $(overlayd_sees "$host" "$1") $1, not $2"; return 1; }; done
    for host in $(theirs); do [ "$(serf_sees "$host" "$1")" -eq "$2" ] || { echo "serf$host: $(serf_sees "$host" "$1") $1, not $2"; return 1; }; done
}
says() { local want=$1 said; shift; said=$("$@" 2>&1); grep -q -- "$want" <<<"$said" || { echo "$said"; return 1; }; }
says_not() { local want=$1; shift; ! says "$want" "$@" >/dev/null; }
count_is() { local count=$1; shift; [ "$("$@" | wc -l)" -eq "$count" ] || { "$@"; return 1; }; }

# --- the cluster, and both ways of joining
for host in $(ours); do "$lab" restart "$host" || { not_ok "agent $host starts"; exit 1; }; done
on 1 overlayd init --advertise-addr eth0 --quiet >/dev/null || { not_ok "a cluster begins"; exit 1; }
token=$(on 1 overlayd token show worker --quiet)
for host in $(ours); do
    [ "$host" -eq 1 ] || on "$host" overlayd join --token "$token" --advertise-addr "$(address "$host")" "$(address 1):2377" >/dev/null
done
key=$(on 1 overlayd gossip key)
check "root gets the gossip key, 32 bytes" shell "[ \$(base64 -d <<<'$key' | wc -c) -eq 32 ]"
check "it is nowhere in the logs" shell "! cat \"\${OVERLAYD_LAB_DIR:-/var/tmp/overlayd-labs}/$OVERLAYD_LAB\"/host*/agent.log | grep -F '$key'"

check "serf starts with the cluster's key and joins a node of ours" serf_agent "$first" -join "$(address 1)"
within 10 "it sees all nodes as alive" shell "[ \$(serf_on $first members -status alive | wc -l) -eq $((each + 1)) ]"
for host in $(theirs); do
    [ "$host" -eq "$first" ] || serf_agent "$host" >/dev/null || not_ok "serf$host starts"
done
if [ "$each" -gt 1 ]; then
    last=$((first + each - 1))
    check "a node of ours joins a serf agent" on 2 overlayd gossip join "$(address $((first + 1)))"
    for host in $(seq $((first + 2)) "$last"); do check "serf$host joins" serf_on "$host" join "$(address $((host % each + 1)))"; done
fi
within 20 "all $hosts see all $hosts as alive" all_see alive "$hosts"
refused "joining where nobody listens is refused" 1 "No answer" on 1 overlayd gossip join "$(address 1):9"
refused "joining what is no address is refused" 2 "is not an address" on 1 overlayd gossip join somewhere
check "serf agents are no nodes" count_is "$each" on 1 overlayd node ls -q
check "and no problem of the cluster's" says ready on 1 overlayd status -q

# --- tags
check "their tags are seen here" says "number=$first, role=web" on 1 overlayd gossip ls --no-trunc
check "our tags are seen there" says "host=host1" serf_on "$first" members -tag host=host1
check "serf changes a tag" serf_on "$first" tags -set role=db
within 10 "the change is seen by a node of ours" says "serf$first" on "$each" overlayd gossip ls -q --filter tag=role=db
within 10 "and by serf through whoever tells it" says "serf$first" serf_on "$hosts" members -tag role=db

# --- user events, both ways
check "serf sends an event" serf_on "$first" event -coalesce=false deploy 42
for host in $(ours); do within 10 "host$host hears it" says 'deploy *42' on "$host" overlayd gossip events; done
serf_on "$hosts" monitor -log-level=info >"$work/monitor" 2>&1 & monitor=$!
sleep 1
check "overlayd sends an event" on 1 overlayd gossip event release 1.4.2
within 10 "serf hears it" grep -q 'release' "$work/monitor"
check "each heard each once" count_is 1 on 1 overlayd gossip events -q --filter name=deploy
kill "$monitor" 2>/dev/null

# --- queries, both ways
asked=$(serf_on "$first" query -format=json -timeout=4s anyone 2>&1)
check "all $hosts say that serf's query came" shell "[ \$(python3 -c 'import json,sys; print(len(set(json.load(sys.stdin)[\"Acks\"])))' <<<'$asked') -eq $hosts ]"
check "all $hosts say that ours came" count_is "$hosts" on 1 overlayd gossip query -q anyone
check "a query for one goes to one" count_is 1 on 1 overlayd gossip query -q --node "serf$first" anyone
check "serf reachability finds everybody" says 'Successfully contacted all live nodes' serf_on "$first" reachability

# --- coordinates
within 60 "serf rtt to a node of ours" says 'rtt' serf_on "$first" rtt "$(id_of 1)"
within 60 "overlayd gossip rtt to serf" says 'ms' on 1 overlayd gossip rtt "serf$first"
if [ "$each" -gt 1 ]; then
    within 60 "serf rtt between two nodes of ours" says 'rtt' serf_on "$first" rtt "$(id_of 1)" "$(id_of 2)"
    within 60 "overlayd gossip rtt between two serf agents" says 'ms' on 1 overlayd gossip rtt "serf$first" "serf$((first + 1))"
fi

# --- rotation of the key by serf, with the cluster alive all the time
new=$(head -c 32 /dev/urandom | base64 -w 0)
check "serf keys -list: all hold the key" says "$key *\[$hosts/$hosts\]" serf_on "$first" keys -list
check "serf keys -install" serf_on "$first" keys -install "$new"
check "serf keys -use" serf_on "$first" keys -use "$new"
check "serf keys -remove" serf_on "$first" keys -remove "$key"
check "all hold the new key" says "$new *\[$hosts/$hosts\]" serf_on "$first" keys -list
check "and not the old one" says_not "$key" serf_on "$first" keys -list
check "overlayd gossip key is the new one" says "$new" on 1 overlayd gossip key
within 10 "on every node, by the manager too" says "$new" on "$each" overlayd gossip key
check "a key of 16 bytes is refused by our nodes" fails serf_on "$first" keys -install "$(head -c 16 /dev/urandom | base64)"
check "nobody was lost by that" all_see alive "$hosts"

check "we replace the key" on 1 overlayd gossip rotate -q
key=$(on 1 overlayd gossip key)
check "by another one" [ "$key" != "$new" ]
check "all hold it, serf too" says "$key *\[$hosts/$hosts\]" serf_on "$first" keys -list
check "and seal with it" serf_on "$first" query -timeout=2s anyone
within 10 "nobody was lost by that either" all_see alive "$hosts"

# --- minutes of loss: nobody may be called dead who is alive
verdicts() { # all that any agent of either kind called failed, dead or down
    local host
    for host in $(ours); do "$lab" logs "$host" 100000 | grep -E 'is (dead|agent-down), was'; done
    cat "$work"/serf*.log | grep -E 'EventMemberFailed'
}
check "$loss % of all packets are lost from now on" "$lab" loss all "$loss"
began=$(verdicts | wc -l)
sleep "$seconds"
verdicts | tail -n "+$((began + 1))"
deaths=$(($(verdicts | wc -l) - began)) lost=$("$lab" lost)
check "no false death in $seconds s, $lost packets lost" [ "$deaths" -eq 0 ]
check "packets were lost" [ "$lost" -ge "$seconds" ]
within 20 "all $hosts see all $hosts as alive" all_see alive "$hosts"
check "no more loss" "$lab" heal

# --- crashes, force-leave and farewells, both ways
if [ "$each" -gt 1 ]; then
    on "$hosts" pkill -9 -x serf
    within 60 "a killed serf agent is failed, to ours" says "serf$hosts" on 1 overlayd gossip ls -q --filter status=failed
    within 60 "and to serf" says "serf$hosts" serf_on "$first" members -status failed
    check "no node of the cluster is blamed" says ready on 1 overlayd status -q
    refused "force-leave of an alive one is refused" 9 "still answers" on 1 overlayd gossip force-leave "serf$first"
    refused "force-leave of a node is refused" 9 "node of the cluster" on 1 overlayd gossip force-leave "$(id_of 2)"
    refused "force-leave of nobody is refused" 8 "no member" on 1 overlayd gossip force-leave nobody
    check "we force it to leave" on 1 overlayd gossip force-leave "serf$hosts"
    within 10 "serf calls it left" says "serf$hosts" serf_on "$first" members -status left
    check "it comes back with the new key" serf_agent "$hosts" -join "$(address 1)"
    within 20 "and is alive to all" all_see alive "$hosts"

    on "$hosts" pkill -9 -x serf
    within 60 "killed again, it is failed" says "serf$hosts" serf_on "$first" members -status failed
    within 60 "to ours too" says "serf$hosts" on "$each" overlayd gossip ls -q --filter status=failed
    check "serf forces it to leave" serf_on "$first" force-leave "serf$hosts"
    within 10 "ours call it left" says "serf$hosts" on "$each" overlayd gossip ls -q --filter status=left
    check "it comes back again" serf_agent "$hosts" -join "$(address 1)"
    within 20 "and is alive to all again" all_see alive "$hosts"

    check "a serf agent leaves" serf_on "$hosts" leave
    within 10 "ours call it left, not failed" says "serf$hosts" on 1 overlayd gossip ls -q --filter status=left

    victim=$each name=$(id_of "$each")
    "$lab" kill "$victim"
    within 60 "a killed agent of ours is failed to serf" says "$name" serf_on "$first" members -status failed
    check "serf forces it to leave" serf_on "$first" force-leave "$name"
    within 10 "and calls it left" says "$name" serf_on "$first" members -status left
    check "but it stays a node of the cluster" says "$name" on 1 overlayd node ls -q
    "$lab" restart "$victim"
    within 30 "it comes back and is alive to serf" says "$name" serf_on "$first" members -status alive
    within 30 "and to us" says "$name" on 1 overlayd node ls -q --filter status=alive
    check "with the rotated key" says "$key" on "$victim" overlayd gossip key

    check "a node of ours leaves the cluster" on 2 overlayd leave
    within 10 "serf calls one more left, not failed" says "host=host2" serf_on "$first" members -status left
fi
