#!/usr/bin/env bash
# One verdict: a node that is cut off is down for names, forwarding and `node ls` together; healed, it is back as one.
. "$(dirname "$0")/lib.sh"
begin 3
check "a network" on 1 overlayd network create blue --attachable
for host in 1 2 3; do check "a sandbox on host $host is attached" sandbox_on "$host" "box$host" blue; done
within 5 "it works at first" ping_by_name 1 box1 box3
space=$(on 1 overlayd network inspect blue --format json | grep -o '"namespace": *"[^"]*"' | grep -o 'ov-[a-z0-9]*')
state_of() { on "$1" overlayd node ls --format json | tr -d ' \n' | grep -o "\"hostname\":\"$2\"[^}]*" | grep -o '"status":"[^"]*"' | cut -d'"' -f4; }
export -f state_of
export space

# Seconds from now until all three say down on a host, each on its own; and the reverse.
watch_down() { # host
    on "$1" timeout 40 python3 "$top/tests/lab/verdict-watch.py" down "$space" host3 box3 "box$1" 192.168.50.3
}
watch_up() { on "$1" timeout 60 python3 "$top/tests/lab/verdict-watch.py" up "$space" host3 box3 "box$1" 192.168.50.3; }
together() { awk -v limit="$2" '{for (i = 2; i <= NF; i += 2) {if (n++ == 0 || $i < low) low = $i; if ($i > high) high = $i}}
    END {exit !(n == 3 && high - low <= limit)}' "$1"; }

for round in 1 2; do
    for host in 1 2; do watch_down "$host" > "$work/down$host" 2>&1 & eval "w$host=$!"; done
    sleep 1
    check "host 3 is cut off from host 1" "$lab" partition 1 3
    check "and from host 2" "$lab" partition 2 3
    wait "$w1" "$w2"
    for host in 1 2; do
        echo "# cut $round, seen by host $host, seconds from the start of the watch, 1 s before the cut: $(cat "$work/down$host")"
        check "names, FDB and node ls of host $host say down within 2 s of each other" together "$work/down$host" 2
    done
    check "it is dead" shell '[ "$(state_of 1 host3)" = dead ] && [ "$(state_of 2 host3)" = dead ]'
    check "the others never doubted each other" shell '[ "$(state_of 1 host2)" = alive ] && [ "$(state_of 2 host1)" = alive ]'
    check "a log says why" shell '{ "$lab" logs 1 300; "$lab" logs 2 300; } | grep "silent to"'
    sleep 5
    for host in 1 2; do watch_up "$host" > "$work/up$host" 2>&1 & eval "w$host=$!"; done
    check "heal" "$lab" heal
    wait "$w1" "$w2"
    for host in 1 2; do
        echo "# heal $round, seen by host $host: $(cat "$work/up$host")"
        check "all is back for host $host" shell "[ \$(wc -w < '$work/up$host') -eq 6 ]"
    done
    within 10 "traffic by name" ping_by_name 1 box1 box3
    within 10 "also from there" ping_by_name 3 box3 box2
    # Longer than a return must last for the next loss not to count as flapping.
    [ "$round" -eq 2 ] || sleep 61
done

# A single observer brings nothing about: host 3 is cut off from the manager only.
check "host 3 is cut off from the manager alone" "$lab" partition 1 3
sleep 6
check "nobody takes it for dead" shell '[ "$(state_of 1 host3)" != dead ] && [ "$(state_of 2 host3)" = alive ]'
check "and its names stand" ping_by_name 2 box2 box3
check "heal" "$lab" heal
within 10 "all are alive" alive 1 3

# A paused agent is no dead host: its kernel answers, and nothing of it goes.
agent3=$("$lab" agents | awk '$1 == "host3" {print $2}')
check "the agent of host 3 is stopped in its tracks" on 3 kill -STOP "$agent3"
for _ in 1 2 3 4 5 6 7 8; do
    check "its names and traffic stand" ping_by_name 1 box1 box3
    sleep 0.5
done
check "it goes on" on 3 kill -CONT "$agent3"
# nsenter(1) stops with the child it waits for.
pgrep -f "/$OVERLAYD_LAB/host3" | while read -r waiting; do kill -CONT "$waiting"; done
within 10 "all are alive" alive 1 3

# A manager that is cut off itself: whatever is silent to it alone is not dead to the others.
check "the manager is cut off from host 2" "$lab" partition 1 2
check "and from host 3" "$lab" partition 1 3
sleep 5
check "it does not declare everyone dead at once" shell '[ "$(state_of 1 host2)" != dead ] && [ "$(state_of 1 host3)" != dead ]'
check "the others see each other" shell '[ "$(state_of 2 host3)" = alive ] && [ "$(state_of 3 host2)" = alive ]'
within 10 "and see that the manager is gone" shell '[ "$(state_of 2 host1)" = dead ]'
check "heal" "$lab" heal
within 15 "all are alive" alive 1 3
