# shellcheck shell=bash
# Three managers beside three members of etcd, in a lab of four hosts; sourced by run.sh.

raft_suite() {
    if [ "${BENCH_PEER:-1}" = 1 ] && [ ! -x /usr/bin/etcd ]; then
        say "installing etcd-server"
        { apt-get update && RUNLEVEL=1 apt-get install -y --no-install-recommends etcd-server; } >&2 ||
            say "etcd-server cannot be installed: our figures alone"
        systemctl disable --now etcd >/dev/null 2>&1 || true
    fi
    export OVERLAYD_LAB=$ours
    say "three managers, and a worker whose agent is stopped"
    "$lab" up 4 >&2
    on 1 overlayd init --advertise-addr eth0 --quiet >/dev/null
    local token i tries=0 client objects=10000 samples=() leader
    token=$(on 1 overlayd token show manager --quiet)
    for i in 2 3; do on "$i" env OVERLAYD_JOIN_TOKEN="$token" overlayd join --advertise-addr "192.168.50.$i" 192.168.50.1:2377 >/dev/null; done
    token=$(on 1 overlayd token show worker --quiet)
    on 4 env OVERLAYD_JOIN_TOKEN="$token" overlayd join --advertise-addr 192.168.50.4 192.168.50.1:2377 >/dev/null
    until [ "$(on 1 overlayd node ls --format json | grep -oE '"(leader|voter)"' | wc -l)" -ge 3 ]; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { say "the managers did not become three voters"; failed=1; return 0; }
        sleep 0.2
    done
    "$lab" stop 4 >&2
    client=(nsenter --target "$(cat "$labs/$ours/host4/pid")" --net -- "$bench")

    say "$objects objects"
    "${client[@]}" raft-fill "$labs/$ours" "$lab" "$objects" || { failed=1; return 0; }
    # What a burst leaves to be done is done within two of the scavenger's intervals.
    sleep 25
    leader=$(pgrep --ns "$(cat "$labs/$ours/host1/pid")" --nslist pid -f 'overlayd run' | head -n 1)
    figure raft_rss_10000_objects_mb MB "$(rss "$leader")"
    for i in 1 2 3 4 5; do
        "$lab" stop 3 >&2
        samples+=("$(ready 3)")
    done
    figure raft_ready_10000_objects_ms ms "$(printf '%s\n' "${samples[@]}" | middle)"

    say "managers beside etcd"
    BENCH_PEER=${BENCH_PEER:-1} "${client[@]}" raft \
        "$labs/$ours" "$lab" "$work/etcd" "$objects" "${RAFT_SECONDS:-4}" "${RAFT_KILLS:-20}" || failed=1
    "$lab" down >&2
}
