# shellcheck shell=bash
# Figures of the gossip core in the simulator; docs/gossip.md says what each is. All depend on their seeds alone, but for
# gossip_sim_*, which is processor time. BENCH_ROUNDS does not count here; GOSSIP_SEEDS does, where an experiment has
# seeds to choose, and GOSSIP_FULL=1 runs the whole grids (hours).

gossip_suite() {
    verdict_suite
    local sim=$top/artifacts/bin/Overlay.Simulation/release/Overlay.Simulation
    [ -n "${BENCH_NO_BUILD:-}" ] || dotnet build "$top/tests/Overlay.Simulation" -c Release -v quiet --nologo >&2
    local seeds=${GOSSIP_SEEDS:-}
    simulated() { timeout 7200 "$sim" gossip "$@" || { say "gossip $* failed"; failed=1; }; }
    say "speed"; simulated speed --jobs 1
    say "what a packet costs its receiver"; simulated receive
    say "a crash"; simulated detect --seeds "${seeds:-100}"; simulated detect --nodes 1000 --seeds "${seeds:-2}" --arm overlayd
    say "at rest"; simulated idle
    say "bootstrap"; simulated bootstrap
    say "a partition of an hour"; simulated heal
    say "all restart"; simulated restart
    say "flaky nodes"; simulated flaky
    say "churn"; simulated churn --seeds "${seeds:-10}"
    if [ "${GOSSIP_FULL:-}" = 1 ]; then
        say "Lifeguard's grid"; simulated lifeguard
        say "starved nodes"; simulated starve --seeds 200
    else
        say "a share of Lifeguard's grid"; simulated lifeguard --every 6
        say "starved nodes"; simulated starve --seeds "${seeds:-10}"
    fi
}
