# shellcheck shell=bash
# How soon a cut is down for names, forwarding entries and `node ls`, and how soon all is back: real agents with default
# settings, seen by the manager's host; the hosts are cut off in turn, and none twice within the flap window (60 s).
# BENCH_ROUNDS cuts at each size of VERDICT_NODES.

verdict_suite() {
    export OVERLAYD_LAB=$ours
    local nodes
    for nodes in ${VERDICT_NODES:-5 20}; do
        say "$nodes nodes, $rounds cuts"
        "$lab" cluster "$nodes" >&2
        verdict_rounds "$nodes" > "$work/verdict"
        "$lab" down >&2
        local what peer_name="Docker Swarm, measured before"
        peer[cut_to_names_${nodes}_p50_s]="5.9-7.1" peer[cut_to_node_${nodes}_p50_s]="12.6-14.6" peer[heal_to_all_${nodes}_p50_s]="2.2-40"
        for what in names fdb node; do
            figure "cut_to_${what}_${nodes}_p50_s" s "$(quantile 0.5 "down_$what")"
            figure "cut_to_${what}_${nodes}_p99_s" s "$(quantile 0.99 "down_$what")"
        done
        figure "cut_disagreement_${nodes}_max_s" s "$(quantile 1 down_spread)"
        figure "heal_to_all_${nodes}_p50_s" s "$(quantile 0.5 up_all)"
        figure "heal_to_all_${nodes}_p99_s" s "$(quantile 0.99 up_all)"
    done
}

# The smallest value that is not below the given share of all.
quantile() { # share, name
    awk -v name="$2" '$1 == name {print $2}' "$work/verdict" | sort -n |
        awk -v share="$1" '{v[NR] = $1} END {if (NR) {i = int(share * NR); if (i < share * NR) i++; if (i < 1) i = 1; printf "%.2f", v[i]}}'
}

verdict_rounds() { # nodes
    local nodes=$1 i victim space began took
    on 1 overlayd network create --attachable cut >/dev/null
    for i in $(seq "$nodes"); do
        on "$i" overlayd sandbox create "box$i" >/dev/null
        on "$i" overlayd attach cut "box$i" >/dev/null
    done
    space=$(on 1 overlayd network inspect cut --format json | grep -o 'ov-[a-z0-9]*' | head -n 1)
    sleep 5
    for i in $(seq "$rounds"); do
        victim=$((2 + (i - 1) % (nodes - 1))) began=$(now)
        watched down "$victim" "$space" isolate "$victim"
        sleep 2
        watched up "$victim" "$space" heal
        took=$((($(now) - began) / 1000000000))
        # So that a full turn takes longer than the flap window.
        [ $((took * (nodes - 1))) -gt 64 ] || sleep $((64 / (nodes - 1) + 1 - took)) 2>/dev/null || true
    done
}

# Watches from host 1, does something to the lab, and prints "down_names SECONDS" and so on since then.
watched() { # down|up, victim, namespace, what to do...
    local goal=$1 victim=$2 space=$3 acted; shift 3
    on 1 timeout 45 env VERDICT_ABSOLUTE=1 python3 "$top/tests/lab/verdict-watch.py" \
        "$goal" "$space" "host$victim" "box$victim" box1 "192.168.50.$victim" > "$work/watched" &
    local watcher=$!
    sleep 0.7
    acted=$(python3 -c 'import time; print(time.monotonic())')
    "$lab" "$@" >&2
    wait "$watcher" || true
    awk -v goal="$goal" -v t="$acted" '{
        for (i = 1; i < NF; i += 2) {d = $(i + 1) - t; printf "%s_%s %.3f\n", goal, $i, d; if (i == 1 || d < low) low = d; if (i == 1 || d > high) high = d}
        if (NF == 6) printf "%s_all %.3f\n%s_spread %.3f\n", goal, high, goal, high - low}' "$work/watched"
}
