#!/usr/bin/env bash
# The gossip key is replaced under load, when a node is removed, and on a schedule: no probe fails, no packet comes unopened,
# and an agent that missed it all comes back by itself.
. "$(dirname "$0")/lib.sh"
begin 4
metric() { on "$1" curl -s http://127.0.0.1:9650/metrics | grep -F "$2" | cut -d' ' -f2; } # host, name and label
# Probes that failed and packets that no key opened, of these hosts together.
losses() { local host; for host in "$@"; do metric "$host" 'overlayd_gossip_probes_total{result="failed"}'; metric "$host" 'overlayd_gossip_drops_total{reason="key"}'; done | awk '{n += $1} END {print n + 0}'; }
unopened() { local host; for host in "$@"; do metric "$host" 'overlayd_gossip_drops_total{reason="key"}'; done | awk '{n += $1} END {print n + 0}'; }
key_of() { on "$1" overlayd gossip key; }
same_key() { local host; for host in "$@"; do [ "$(key_of "$host")" = "$(key_of 1)" ] || return 1; done; }
states() { on 1 overlayd gossip keys --format json | tr -d ' \n' | grep -o '"state":"[a-z]*"' | cut -d'"' -f4 | tr '\n' ' '; }
export -f key_of states

check "a network" on 1 overlayd network create blue --attachable
for host in 1 2 3; do check "a sandbox on host $host" sandbox_on "$host" "box$host" blue; done
within 5 "names work" ping_by_name 1 box1 box3
check "one key at first" shell '[ "$(states)" = "seals " ]'
first=$(key_of 1)

sleep 6
probes=$(metric 1 'overlayd_gossip_probes_total{result="sent"}')
check "probes are counted" [ "${probes:-0}" -gt 0 ]
failed_before=$(losses 1 2 3 4)
# --- under load: traffic by names, and endpoints that come and go
in_sandbox 1 box1 ping -i 0.05 -W 2 box3 >"$work/ping" 2>&1 & pinging=$!
( for n in $(seq 6); do sandbox_on 2 "more$n" blue; done ) & attaching=$!
check "the key is replaced" on 1 overlayd gossip rotate
check "everywhere" same_key 2 3 4
check "it is another one" shell "[ '$first' != \"\$(key_of 1)\" ]"
check "and once more" on 1 overlayd gossip rotate -q
check "three are held" shell '[ "$(states)" = "seals opens opens " ]'
wait "$attaching"
kill "$pinging" 2>/dev/null
sleep 6 # the figures are taken every five seconds
check "no packet came unopened" [ "$(unopened 1 2 3 4)" -eq 0 ]
failed_after=$(losses 1 2 3 4)
check "no probe failed: $failed_before before, $failed_after after" [ "$failed_after" -eq "$failed_before" ]
check "all are alive" alive 1 4

# --- a node is removed: nothing of what it knew stays
"$lab" stop 4
known=$(key_of 1)
check "host 4 is removed" on 1 overlayd node rm --force host4
within 15 "one key is left" shell '[ "$(states)" = "seals " ]'
check "a new one" shell "[ '$known' != \"\$(key_of 1)\" ]"
check "on every node" same_key 2 3
check "the log says why" shell '"$lab" logs 1 100 | has "because node host4 was removed"'

check "and no packet came unopened" [ "$(sleep 5; unopened 1 2 3)" -eq 0 ]

# --- an agent that missed all keys there are
"$lab" kill 3
within 20 "host 3 is missed" shell '[ "$(on 1 overlayd node ls -q --filter status=alive | wc -l)" -eq 2 ]'
for n in 1 2 3; do check "key $n without it" on 1 overlayd gossip rotate -q; done
check "host 3 starts" "$lab" restart 3
within 10 "it is back" alive 1 3
within 10 "for itself too" alive 3 3
check "with the key of all" same_key 2 3
within 10 "its names work" ping_by_name 1 box1 box3

# --- on a schedule, by the manager's setting
refused "a wrong schedule is refused" 2 "10s to 365d" on 1 overlayd run --check --gossip-key-rotation 1s
check "it is shown with its origin" shell 'on 1 overlayd run --check --gossip-key-rotation 12h | has -E "gossip-key-rotation +12h +flag"'
"$lab" stop 1
old=$(key_of 2)
OVERLAYD_LAB_RUN_FLAGS="--gossip-key-rotation 10s" "$lab" restart 1
within 30 "the key is replaced when it is old" shell "[ \"\$(key_of 2)\" != '$old' ]"
within 10 "all are alive" alive 1 3
