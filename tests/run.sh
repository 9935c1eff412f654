#!/usr/bin/env bash
# Installs what the tests need, builds, runs the layers and ends with "Overlay: N passed, N failed, N skipped".
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

usage() {
    cat <<'EOF'
Usage: tests/run.sh [LAYER...]     (default: unit sim lab interop nemesis)

  unit     rooms' pure parts, wire formats, properties, the shells on loopback
  sim      seeded simulations of whole clusters in virtual time
  lab      real agents and kernel objects in network namespaces (root)
  interop  programs of others against ours (root); named, it includes Debian's serf, which the default leaves out
  serf     Debian's serf beside ours alone, watched for SERF_SECONDS (default: 300) under loss (root)
  nemesis  three real managers under faults for NEMESIS_MINUTES (default: 1), with what clients were told (root)
  vm       Debian's kernel in QEMU: what it has, and scripts of the lab on it (root; slow: nothing else should run)
  all      every layer

SEEDS=N sets the number of simulation seeds (default: 200 of whole clusters, 100 of gossip, 1,000 of Raft, 400 of whole managers). Output of each part goes to artifacts/tests/.
EOF
}

layers=()
for argument in "$@"; do
    case $argument in
        unit | sim | lab | nemesis | vm) layers+=("$argument") ;;
        interop) layers+=(interop serf); : "${SERF_SECONDS:=30}" ;;
        serf) layers+=(serf) ;;
        all) layers+=(unit sim lab interop serf nemesis vm) ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done
[ ${#layers[@]} -gt 0 ] || layers=(unit sim lab interop nemesis)

if [ "$(id -u)" -ne 0 ]; then
    exec sudo --preserve-env=SEEDS,SERF_SECONDS,NEMESIS_MINUTES,NEMESIS_SEED,CI,PATH,HOME "$0" "${layers[@]}"
fi

passed=0 failed=0 skipped=0
results=artifacts/tests
mkdir -p "$results"
say() { echo "== $*" >&2; }
count() { passed=$((passed + $1)); failed=$((failed + $2)); skipped=$((skipped + $3)); }
finish() {
    echo "Overlay: $passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}
broken() { echo "FAILED $1" >&2; count 0 1 0; }
has() { local layer; for layer in "${layers[@]}"; do [ "$layer" = "$1" ] && return 0; done; return 1; }

# The test program's own summary: "Total: 10, Errors: 0, Failed: 0, Skipped: 0, ...".
run_xunit() { # name, arguments
    local name=$1 log=$results/$1.log line total errors bad skip; shift
    say "$name"
    # SIGTERM alone would not do: a server within the tests' process takes it for its own.
    timeout --kill-after=20 900 artifacts/bin/Overlay.Tests/release/Overlay.Tests -noLogo "$@" >"$log" 2>&1
    line=$(grep -E 'Total: [0-9]+, Errors: [0-9]+, Failed: [0-9]+, Skipped: [0-9]+' "$log" | tail -n 1)
    if [ -z "$line" ]; then tail -n 40 "$log" >&2; broken "$name: no summary; see $log"; return; fi
    read -r total errors bad skip < <(sed -E 's/.*Total: ([0-9]+), Errors: ([0-9]+), Failed: ([0-9]+), Skipped: ([0-9]+).*/\1 \2 \3 \4/' <<<"$line")
    grep -E '\[(FAIL|SKIP)\]' -A 12 "$log" >&2
    count $((total - bad - skip)) $((bad + errors)) "$skip"
}

# A script that ends with "N passed, N failed, N skipped".
run_script() { # name, seconds, command...
    local name=$1 limit=$2 log line; shift 2
    log=$results/$(tr '/ ' '__' <<<"$name").log
    say "$name"
    timeout --kill-after=20 "$limit" "$@" >"$log" 2>&1
    local status=$?
    line=$(grep -E '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped' "$log" | tail -n 1)
    grep -E '^(not ok|skip|SKIP|  host [0-9])' "$log" >&2
    if [ -z "$line" ]; then tail -n 40 "$log" >&2; broken "$name: ended with status $status and no summary; see $log"; return; fi
    # shellcheck disable=SC2046
    count $(sed -E 's/.*[^0-9]([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped.*/\1 \2 \3/' <<<" $line")
    if [ $status -ne 0 ] && ! grep -qE '[1-9][0-9]* failed' <<<"$line"; then broken "$name: ended with status $status"; fi
    grep -qE '[1-9][0-9]* failed' <<<"$line" && tail -n 120 "$log" >&2
}

command -v dotnet >/dev/null || { echo "tests/run.sh: the .NET 10 SDK is needed: https://dot.net" >&2; broken "no dotnet"; finish; }
packages=(libnftables1 nftables iproute2 iputils-ping util-linux procps)
if has lab || has vm; then packages+=(tcpdump iperf3 conntrack bind9-dnsutils bridge-utils python3 curl openssl); fi
if has vm; then packages+=(qemu-system-x86 busybox-static cpio kmod ipvsadm conntrack wireguard-tools); fi
if has nemesis; then packages+=(python3 nftables); fi
if has interop; then packages+=(python3 python3-grpcio python3-protobuf openssl curl); fi
deploy/install-packages.sh "${packages[@]}" || { broken "packages"; finish; }

say "build"
if ! dotnet build Overlay.sln -c Release -v quiet --nologo >"$results/build.log" 2>&1; then
    grep -E 'error' "$results/build.log" | sort -u | head -n 40 >&2
    broken "build"; finish
fi
if has lab || has interop || has serf || has nemesis || has vm; then
    if ! deploy/build.sh >"$results/publish.log" 2>&1; then tail -n 40 "$results/publish.log" >&2; broken "publish"; finish; fi
fi

if has unit; then run_xunit unit -trait- Layer=lab; fi
if has sim; then
    run_script sim 900 artifacts/bin/Overlay.Simulation/release/Overlay.Simulation --seeds "${SEEDS:-200}"
    run_script sim/gossip 900 artifacts/bin/Overlay.Simulation/release/Overlay.Simulation gossip check --seeds "${SEEDS:-100}"
    run_script sim/raft 600 artifacts/bin/Overlay.Simulation/release/Overlay.Simulation raft check --seeds "${SEEDS:-1000}"
    run_script sim/whole 600 artifacts/bin/Overlay.Simulation/release/Overlay.Simulation raft whole --seeds "${SEEDS:-400}"
fi
if has lab; then
    run_xunit kernel -trait Layer=lab
    for script in tests/lab/[0-9]*.sh; do run_script "lab/$(basename "$script" .sh)" 600 "$script"; done
fi
if has interop; then
    for script in tests/interop/[!s]*/run.sh; do run_script "interop/$(basename "$(dirname "$script")")" 600 "$script"; done
fi
if has serf; then
    export SERF_SECONDS=${SERF_SECONDS:-300}
    for script in tests/interop/serf*/run.sh; do
        run_script "interop/$(basename "$(dirname "$script")")" $((SERF_SECONDS + 600)) "$script"
    done
fi
if has nemesis; then
    minutes=${NEMESIS_MINUTES:-1}
    run_script nemesis $((minutes * 60 + 400)) tests/nemesis.py --minutes "$minutes" --seed "${NEMESIS_SEED:-$((RANDOM + 1))}"
fi
if has vm; then
    if lack=$(deploy/lab --vm lacks 3); then
        echo "skip vm: $lack" >&2
        count 0 0 1
    else
        run_script vm/kernel 900 tests/vm/kernel.sh
        run_script vm/ipvs 1800 tests/vm/ipvs.sh
        for script in tests/lab/{10-names,15-services,20-networks}.sh; do
            OVERLAYD_LAB_KIND=vm run_script "vm/$(basename "$script" .sh)" 3600 "$script"
        done
    fi
fi
finish
