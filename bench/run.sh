#!/usr/bin/env bash
# Figures against peers. Standard output: name <TAB> value <TAB> unit [<TAB> peer-value <TAB> peer]; the rest on standard error.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
suites="attach gossip raft real services verdict"
usage() { echo "Usage: bench/run.sh SUITE...   suites: $suites   (environment: bench/README.md)" >&2; exit 2; }
[ $# -gt 0 ] || usage
for suite in "$@"; do [[ " $suites " == *" $suite "* ]] || { echo "bench/run.sh: there is no suite '$suite'" >&2; usage; }; done
if [ "$(id -u)" -ne 0 ]; then
    kept=$(compgen -e | grep -E '^(BENCH|GOSSIP|RAFT|REAL|SERVICES|VERDICT)_' | paste -sd, -)
    exec sudo --preserve-env="PATH,HOME,OVERLAYD,$kept" "$0" "$@"
fi

rounds=${BENCH_ROUNDS:-20}
lab=$top/deploy/lab
ours=bench-$$ theirs=bench-peer-$$
labs=${OVERLAYD_LAB_DIR:-/var/tmp/overlayd-labs}
work=$(mktemp -d /var/tmp/overlayd-bench.XXXXXX)
failed=0
declare -A peer=()

say() { echo "bench: $*" >&2; }
# shellcheck disable=SC2317
cleanup() {
    trap - EXIT INT TERM
    [ -z "${watching:-}" ] || kill "$watching" || true
    OVERLAYD_LAB=$ours "$lab" down >&2 || true
    OVERLAYD_LAB=$theirs "$lab" down >&2 || true
    rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# shellcheck source=bench/peer-docker.sh
. "$top/bench/peer-docker.sh"
# shellcheck source=bench/gossip.sh
. "$top/bench/gossip.sh"
# shellcheck source=bench/verdict.sh
. "$top/bench/verdict.sh"
# shellcheck source=bench/real.sh
. "$top/bench/real.sh"
# shellcheck source=bench/raft.sh
. "$top/bench/raft.sh"
# shellcheck source=bench/services.sh
. "$top/bench/services.sh"

figure() { # name, unit, value
    [ -n "$3" ] || { say "$1 is missing"; failed=1; return 0; }
    if [ -n "${peer[$1]:-}" ]; then printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$3" "$2" "${peer[$1]}" "${peer_name:-Docker Swarm}"
    else printf '%s\t%s\t%s\n' "$1" "$3" "$2"; fi
}
measure() { timeout 180 "$bench" "$@" || true; }
on() { local host=$1; shift; OVERLAYD_LAB=$ours timeout --foreground 60 "$lab" exec "$host" "$@"; }
middle() { sort -n | awk '{v[NR] = $1} END {if (NR) print (v[int((NR + 1) / 2)] + v[int((NR + 2) / 2)]) / 2}'; }
gigabits() { sed -n 's/.*"bits_per_second":[[:space:]]*\([0-9.e+]*\).*/\1/p' | tail -n 1 | awk '{printf "%.2f", $1 / 1e9}'; }
now() { date +%s%N; }
rss() { awk '/^VmRSS/ {printf "%.1f", $2 / 1024}' "/proc/$1/status"; }
ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{print $12 + $13}'; }

# One TCP stream of a second between two network namespaces given by their files, in Gbit/s.
throughput() { # server, client, address
    timeout 30 nsenter --net="$1" iperf3 -s -1 >/dev/null 2>&1 &
    local server=$! tries=0
    while [ $tries -lt 50 ] && ! nsenter --net="$1" ss -Hltn 'sport = 5201' | grep -q .; do tries=$((tries + 1)); sleep 0.05; done
    timeout 20 nsenter --net="$2" iperf3 -c "$3" -t 1 -J 2>/dev/null | gigabits || true
    echo
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
}

# The average of 100 echoes, in microseconds.
delay() { # server, client, address
    nsenter --net="$2" timeout 30 ping -q -i 0.002 -c 100 "$3" | awk -F/ '/^rtt/ {printf "%.1f\n", $5 * 1000}' || true
}

# Both sides in turns, as often as there are rounds, so that the machine's better and worse minutes fall on both; medians.
in_turns() { # figure, unit, measure, server, client, address
    local i ours_file=$work/$1.ours theirs_file=$work/$1.theirs
    for i in $(seq "$rounds"); do
        "$3" "$4" "$5" "$6" >>"$ours_file"
        [ ${#peer_path[@]} -eq 0 ] || "$3" "${peer_path[@]}" >>"$theirs_file"
    done
    [ ${#peer_path[@]} -eq 0 ] || peer[$1]=$(grep . "$theirs_file" | middle)
    figure "$1" "$2" "$(grep . "$ours_file" | middle)"
}

attach_suite() {
    export OVERLAYD_LAB=$ours
    say "the cluster"
    "$lab" cluster 3 >&2
    local h1 h2 pid1 agent
    pid1=$(cat "$labs/$ours/host1/pid")
    h1=/proc/$pid1/root h2=/proc/$(cat "$labs/$ours/host2/pid")/root
    agent=$(pgrep --ns "$pid1" --nslist pid -f 'overlayd run' | head -n 1)

    if [ "${BENCH_PEER:-1}" = 1 ] && ! docker_peer; then say "no figures of Docker: $peer_reason"; docker_down; fi

    say "attach and first ping"
    # In the peer's order: its attach is not the first that its daemon is asked for, either.
    figure create_to_ping_rpc_p50_ms ms "$(measure create-to-ping-rpc "$labs/$ours" "$rounds")"
    figure create_to_ping_cli_p50_ms ms "$(measure create-to-ping-cli "$labs/$ours" "$rounds" "$binary")"
    figure attach_rpc_p50_ms ms "$(measure attach-rpc "$labs/$ours" "$rounds")"
    figure attach_cli_p50_ms ms "$(measure attach-cli "$labs/$ours" "$rounds" "$binary")"
    say "the command line"
    figure cli_version_p50_ms ms "$(measure time "$rounds" "$binary" version)"
    figure cli_status_p50_ms ms "$(measure time "$rounds" "$binary" --socket "$h1/run/overlayd/overlayd.sock" status)"

    say "five endpoints, then rest"
    local i address
    on 1 overlayd network create --attachable rest >/dev/null
    for i in 1 2 3 4 5; do
        on $((i % 3 + 1)) overlayd sandbox create "rest$i" >/dev/null
        on $((i % 3 + 1)) overlayd attach rest "rest$i" >/dev/null
    done
    # What a burst of work leaves to be done after it is done within two of the scavenger's intervals.
    sleep 20
    local before after begin end
    before=$(ticks "$agent") begin=$(now)
    sleep 60
    after=$(ticks "$agent") end=$(now)
    figure idle_rss_mb MB "$(rss "$agent")"
    figure idle_cpu_percent % "$(awk -v t=$((after - before)) -v hz="$(getconf CLK_TCK)" -v ns=$((end - begin)) 'BEGIN {printf "%.2f", 100 * t / hz / (ns / 1e9)}')"

    say "throughput and delay"
    # rest3 is on host 1, rest1 on host 2.
    address=$(nsenter --net="$h2/run/netns/rest1" ip -4 -o address show scope global | awk '{print $4}' | cut -d/ -f1 |
        while read -r a; do on 1 overlayd endpoint ls --format json | grep -qF "$a/" && echo "$a"; done | head -n 1)
    in_turns overlay_gbps Gbit/s throughput "$h2/run/netns/rest1" "$h1/run/netns/rest3" "$address"
    in_turns rtt_us us delay "$h2/run/netns/rest1" "$h1/run/netns/rest3" "$address"
    if [ ${#peer_path[@]} -gt 0 ]; then docker_down; peer_path=(); fi
    in_turns underlay_gbps Gbit/s throughput "/proc/$(cat "$labs/$ours/host2/pid")/ns/net" "/proc/$pid1/ns/net" 192.168.50.2

    say "start of the agent"
    local samples=()
    for i in $(seq "$rounds"); do
        "$lab" stop 3 >&2
        samples+=("$(ready 3)")
    done
    figure agent_ready_ms ms "$(printf '%s\n' "${samples[@]}" | middle)"

    say "forwarding entries"
    figure fdb_1000_ms ms "$(measure fdb 1000 "$rounds")"
    "$lab" down >&2
}

# From exec of the agent to its READY=1 by sd_notify(3), which it sends when it serves. The state folder is the host's.
ready() { # host
    # shellcheck disable=SC2016
    on "$1" timeout 30 python3 -c '
import os, socket, subprocess, sys, time
path = "/run/bench-notify"
if os.path.exists(path): os.unlink(path)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(path); s.settimeout(20)
t = time.monotonic()
p = subprocess.Popen(["overlayd", "run"], env=dict(os.environ, NOTIFY_SOCKET=path), start_new_session=True,
                     stdin=subprocess.DEVNULL, stdout=open(sys.argv[1] + "/agent.log", "ab"), stderr=subprocess.STDOUT)
while b"READY=1" not in s.recv(4096).split(b"\n"): pass
print("%.1f" % ((time.monotonic() - t) * 1000))
open(sys.argv[1] + "/agent.nspid", "w").write(str(p.pid))
' "$labs/$ours/host$1"
}

say "building"
binary=${OVERLAYD:-$top/artifacts/publish/Overlay.Daemon/release_linux-x64/overlayd}
export OVERLAYD=$binary
if [ -z "${BENCH_NO_BUILD:-}" ]; then
    "$top/deploy/build.sh" >&2
    [[ ! " $* " =~ \ (attach|raft|services)\  ]] || dotnet build "$top/bench/Overlay.Bench" -c Release -v quiet --nologo >&2
fi
bench=$top/artifacts/bin/Overlay.Bench/release/Overlay.Bench
for suite in "$@"; do "${suite}_suite"; done
exit $failed
