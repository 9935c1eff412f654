# shellcheck shell=bash
# Real agents beside unmodified serf agents, each kind in a lab of its own, both with their defaults, sealed with AES-256,
# in the same run: a killed agent, bytes on the wire, replacement of the key under load, and all seeing all after a start
# from one seed. REAL_NODES of each kind (50), REAL_ROUNDS kills (10), REAL_LOSS per cent of all packets (1),
# REAL_BOOTSTRAP agents (100), REAL_ROTATIONS (5), REAL_PARTS ("keys detect bootstrap"), REAL_FORMS ("one_by_one at_once").

real_suite() {
    local part form peer_name=serf
    events=$work/events watching=""
    command -v serf >/dev/null || "$top/deploy/install-packages.sh" serf >&2 || say "Debian's serf cannot be installed"
    serf_key=$(head -c 32 /dev/urandom | base64 -w 0)
    for part in ${REAL_PARTS:-keys detect bootstrap}; do
        case $part in
            keys) [[ " ${REAL_PARTS:-detect} " == *" detect "* ]] || { real_cluster; real_keys; real_end; } ;;
            detect) real_cluster; [[ " ${REAL_PARTS:-keys} " != *" keys "* ]] || real_keys; real_detect; real_end ;;
            bootstrap) for form in ${REAL_FORMS:-one_by_one at_once}; do real_bootstrap "$form"; done ;;
            *) say "there is no part '$part'"; failed=1 ;;
        esac
    done
}

watch_logs() {
    : >"$events"
    python3 "$top/bench/gossip-watch.py" record "$labs/$ours" "$labs/$theirs" "$events" >&2 & watching=$!
}
mark() { echo "$EPOCHREALTIME mark $*" >>"$events"; }
both_labs() { OVERLAYD_LAB=$ours "$lab" "$@" >&2; OVERLAYD_LAB=$theirs "$lab" "$@" >&2; }
real_end() {
    OVERLAYD_LAB=$ours "$lab" down >&2
    OVERLAYD_LAB=$theirs "$lab" down >&2
    kill "$watching"
    wait "$watching" || true
    watching=""
    [ -z "${REAL_EVENTS:-}" ] || cat "$events" >>"$REAL_EVENTS"
}
serf_on() { local host=$1; shift; OVERLAYD_LAB=$theirs timeout --foreground 60 "$lab" exec "$host" serf "$@"; }
serf_start() { # host, flags...
    local host=$1 tries=0; shift
    OVERLAYD_LAB=$theirs "$lab" exec "$host" setsid serf agent -node "serf$host" -bind "192.168.50.$host" -encrypt "$serf_key" \
        -log-level=info "$@" </dev/null >>"$labs/$theirs/host$host/serf.log" 2>&1 &
    disown
    until serf_on "$host" info >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { say "serf on host $host does not answer: $(tail -n 3 "$labs/$theirs/host$host/serf.log")"; return 1; }
        sleep 0.05
    done
}
# Lines "SIDE NAME UNIT VALUE" on standard input; serf's stand beside ours.
paired() { # prefix
    local lines side name unit value
    lines=$(cat)
    while read -r side name unit value; do [ "$side" != serf ] || peer[$1_$name]=$value; done <<<"$lines"
    while read -r side name unit value; do [ "$side" != ours ] || figure "$1_$name" "$unit" "$value"; done <<<"$lines"
}

real_cluster() {
    local host nodes=${REAL_NODES:-50}
    export OVERLAYD_LAB=$ours
    say "$nodes agents and $nodes serf agents"
    OVERLAYD_LAB=$theirs "$lab" up "$nodes" --bare >&2
    serf_start 1
    for host in $(seq 2 "$nodes"); do serf_start "$host" -join 192.168.50.1; done
    "$lab" cluster "$nodes" >&2
    watch_logs
    sleep 20
    figure "real_n${nodes}_nodes_seen" count "$(on 1 overlayd gossip ls -q --filter status=alive | wc -l)"
}

# All agents' sum of a metric, by its name and label.
metric_sum() {
    local host
    for host in $(seq "${REAL_NODES:-50}"); do on "$host" curl -s http://127.0.0.1:9650/metrics; done |
        grep -F "$1" | awk '{n += $2} END {print n + 0}'
}
# Replacements of the key while endpoints come and go and names are asked for: probes that failed since before the first, and
# packets that no key opened.
real_keys() {
    local nodes=${REAL_NODES:-50} i sent lost unopened worker pinging
    say "replacement of the key, $nodes agents"
    on 1 overlayd network create --attachable keys >/dev/null
    for i in 1 2; do on "$i" overlayd sandbox create "keys$i" >/dev/null; on "$i" overlayd attach keys "keys$i" >/dev/null; done
    sleep 6
    sent=$(metric_sum 'overlayd_gossip_probes_total{result="sent"}')
    lost=$(metric_sum 'overlayd_gossip_probes_total{result="failed"}')
    on 1 overlayd sandbox exec keys1 -- ping -i 0.05 -W 2 keys2 >"$work/ping" 2>&1 & pinging=$!
    ( while :; do
        for i in 2 3 4; do
            on "$i" overlayd sandbox create "load$i" >/dev/null && on "$i" overlayd attach keys "load$i" >/dev/null
            on "$i" overlayd sandbox rm --force "load$i" >/dev/null
        done
    done ) 2>"$work/load" & worker=$!
    for i in $(seq "${REAL_ROTATIONS:-5}"); do on 1 overlayd gossip rotate -q >&2; sleep 2; done
    kill "$worker" "$pinging" 2>/dev/null || true
    wait "$worker" "$pinging" 2>/dev/null || true
    sleep 6 # the figures are taken every five seconds
    unopened=$(metric_sum 'overlayd_gossip_drops_total{reason="key"}')
    figure "real_keys_n${nodes}_probes" count $(($(metric_sum 'overlayd_gossip_probes_total{result="sent"}') - sent))
    figure "real_keys_n${nodes}_probes_failed" count $(($(metric_sum 'overlayd_gossip_probes_total{result="failed"}') - lost))
    figure "real_keys_n${nodes}_unopened" count "$unopened"
    figure "real_keys_n${nodes}_alive" count "$(on 1 overlayd gossip ls -q --filter status=alive | wc -l)"
}

count_bytes() { # name of the span; one call begins it, the next ends it
    mark bytes ours "$1" "$(OVERLAYD_LAB=$ours "$lab" traffic 7946)"
    mark bytes serf "$1" "$(OVERLAYD_LAB=$theirs "$lab" traffic 7946)"
}
# The agent of a host and nothing else; the host's kernel stays.
real_kill() { # ours|serf, host
    local in=$ours what=(-f 'overlayd run')
    [ "$1" = ours ] || { in=$theirs; what=(-x serf); }
    python3 "$top/bench/gossip-watch.py" kill "$events" "$1" "$2" \
        "$(pgrep --ns "$(cat "$labs/$in/host$2/pid")" --nslist pid "${what[@]}" | head -n 1)"
}
real_detect() {
    local i victim nodes=${REAL_NODES:-50} turns=${REAL_ROUNDS:-10}
    both_labs loss all "${REAL_LOSS:-1}"
    # After the last change tables are compared at the full pace for 20 s.
    say "at rest, ${REAL_LOSS:-1} % of all packets lost"
    sleep 25; count_bytes rest; sleep 40; count_bytes rest
    for i in $(seq "$turns"); do
        victim=$((2 + (i - 1) % (nodes - 1)))
        say "kill $i of $turns: host $victim"
        count_bytes crash
        if [ $((i % 2)) -eq 0 ]; then real_kill ours "$victim"; sleep 1; real_kill serf "$victim"
        else real_kill serf "$victim"; sleep 1; real_kill ours "$victim"; fi
        sleep 20
        count_bytes crash
        "$lab" restart "$victim" >&2
        serf_start "$victim" -join 192.168.50.1
        sleep 5
    done
    python3 "$top/bench/gossip-watch.py" deaths "$events" "$nodes" | paired "real_detect_n$nodes"
}

# Agents that have started and know nobody join by the first one: one after the other, the last when all is calm; or all
# at once. For ours a join is a certificate and a session besides, and the commands are processes that share the processors.
real_bootstrap() { # one_by_one|at_once
    local side host nodes=${REAL_BOOTSTRAP:-100} token joining
    for side in serf ours; do
        say "$nodes of $side join one seed, $1"
        if [ "$side" = serf ]; then
            OVERLAYD_LAB=$theirs "$lab" up "$nodes" --bare >&2
            OVERLAYD_LAB=$theirs "$lab" loss all "${REAL_LOSS:-1}" >&2
            for host in $(seq "$nodes"); do serf_start "$host"; done
        else
            OVERLAYD_LAB=$ours "$lab" up "$nodes" >&2
            OVERLAYD_LAB=$ours "$lab" loss all "${REAL_LOSS:-1}" >&2
            on 1 overlayd init --advertise-addr eth0 --quiet >/dev/null
            token=$(on 1 overlayd token show worker --quiet)
        fi
        watch_logs
        sleep 2
        joining=()
        for host in $(seq 2 "$nodes"); do
            # What the joins before have left to do, each process compiling its code among it, is none of the last one's.
            [ "$1" = at_once ] || [ "$host" -lt "$nodes" ] || sleep 15
            real_join "$side" "$host" "${token:-}" & joining+=($!)
            [ "$1" = at_once ] || wait $!
        done
        wait "${joining[@]}"
        real_settled "$side" "$nodes" || say "not all see all"
        python3 "$top/bench/gossip-watch.py" joins "$events" "$side" "$nodes" >>"$work/joins.$1"
        real_end
    done
    paired "real_bootstrap_n${nodes}_$1" <"$work/joins.$1"
}
real_join() { # ours|serf, host, token
    mark join "$1" "$2"
    if [ "$1" = serf ]; then serf_on "$2" join 192.168.50.1 >/dev/null
    else on "$2" overlayd join --token "$3" --advertise-addr "192.168.50.$2" 192.168.50.1:2377 >/dev/null 2>&1; fi
    mark joined "$1" "$2"
}
# Until all see all, two minutes at most.
real_settled() { # ours|serf, nodes
    local tries=0 pairs='$2 == side && $4 == "alive" && $3 != $5 && !seen[$3 "," $5]++ {n++} END {print n + 0}'
    until [ "$(awk -v side="$1" "$pairs" "$events")" -ge $(($2 * ($2 - 1))) ]; do
        tries=$((tries + 1))
        [ $tries -lt 120 ] || return 1
        sleep 1
    done
}
