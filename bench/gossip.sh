# shellcheck shell=bash
# Every figure of gossip beside its anchor: the core in the simulator, then real agents (verdict.sh, real.sh).
# docs/gossip.md says what each is. Simulated figures depend on their seeds alone, but for gossip_sim_* and receive_*, which
# are processor time. The default takes about an hour; GOSSIP_SHORT=1 has every line for fewer nodes, entries and seeds
# (ten minutes); GOSSIP_FULL=1 runs the whole grids (hours). GOSSIP_SEEDS counts where an experiment has seeds to choose;
# GOSSIP_PARTS: "sim real verdict".

gossip_suite() {
    local part full=${GOSSIP_FULL:-} short=${GOSSIP_SHORT:-}
    for part in ${GOSSIP_PARTS:-sim real verdict}; do
        case $part in
            sim) gossip_simulated ;;
            real)
                if [ -n "$short" ]; then
                    : "${REAL_NODES:=8}" "${REAL_ROUNDS:=2}" "${REAL_ROTATIONS:=1}" "${REAL_BOOTSTRAP:=10}" "${REAL_FORMS:=one_by_one}"
                fi
                : "${REAL_ROUNDS:=${full:+10}}" "${REAL_ROUNDS:=4}" "${REAL_ROTATIONS:=${full:+5}}" "${REAL_ROTATIONS:=3}"
                real_suite ;;
            verdict)
                # As many cuts as there are rounds; each takes a few seconds.
                [ -n "$full" ] || rounds=${BENCH_ROUNDS:-5}
                [ -z "$short" ] || { rounds=${BENCH_ROUNDS:-2} VERDICT_NODES=${VERDICT_NODES:-5}; }
                verdict_suite ;;
            *) say "there is no part '$part'"; failed=1 ;;
        esac
    done
}

gossip_simulated() {
    local sim=$top/artifacts/bin/Overlay.Simulation/release/Overlay.Simulation seeds=${GOSSIP_SEEDS:-}
    [ -n "${BENCH_NO_BUILD:-}" ] || dotnet build "$top/tests/Overlay.Simulation" -c Release -v quiet --nologo >&2
    # What is said, then the experiment.
    simulated() {
        local said=$1 began=$SECONDS; shift
        say "$said"
        timeout 7200 "$sim" gossip "$@" || { say "gossip $* failed"; failed=1; }
        say "$said took $((SECONDS - began)) s"
    }
    simulated "speed" speed --jobs 1
    simulated "what a packet costs its receiver" receive
    if [ -n "$short" ]; then
        simulated "50 at rest" idle --nodes 50
        simulated "200 at rest" idle --nodes 200
        simulated "bootstrap" bootstrap --nodes 200
        simulated "all restart" restart --nodes 200
        simulated "flaky nodes" flaky --nodes 200 --seconds 60
        simulated "10,000 entries on 25" tables --entries 10000
        simulated "churn" churn --seeds 1
        simulated "a crash" detect --seeds "${seeds:-6}"
        simulated "a crash among 50, for the real ones" detect --nodes 50 --seeds "${seeds:-6}"
        simulated "a partition of two minutes, of 100" heal --nodes 100 --seconds 120
        simulated "a share of Lifeguard's grid" lifeguard --every 96
        simulated "starved nodes" starve --nodes 50 --seeds "${seeds:-1}"
        simulated "random faults" check --seeds "${seeds:-20}"
        return
    fi

    simulated "100 at rest" idle --nodes 100
    simulated "1,000 at rest" idle --nodes 1000
    simulated "bootstrap" bootstrap
    simulated "all restart" restart
    simulated "flaky nodes" flaky
    simulated "100,000 entries on 25" tables
    simulated "churn" churn --seeds "${seeds:-4}"
    if [ -n "$full" ]; then
        simulated "at rest" idle
        simulated "10,000 at rest" idle --nodes 10000 --arm overlayd
        simulated "a crash" detect --seeds "${seeds:-500}"
        simulated "a crash among 1,000" detect --nodes 1000 --seeds "${seeds:-10}" --arm overlayd
        simulated "a crash among 50, for the real ones" detect --nodes 50 --seeds "${seeds:-100}"
        simulated "a partition of an hour" heal
        simulated "Lifeguard's grid" lifeguard
        simulated "starved nodes" starve --seeds "${seeds:-200}"
        simulated "random faults" check --seeds "${seeds:-10000}"
    else
        simulated "a crash" detect --seeds "${seeds:-40}"
        simulated "a crash among 50, for the real ones" detect --nodes 50 --seeds "${seeds:-40}"
        simulated "a partition of ten minutes, of 200" heal --nodes 200 --seconds 600
        simulated "a share of Lifeguard's grid" lifeguard --every 24
        simulated "starved nodes" starve --nodes 50 --seeds "${seeds:-5}"
        simulated "random faults" check --seeds "${seeds:-100}"
    fi
}
