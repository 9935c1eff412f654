#!/usr/bin/env bash
# Puts one bug after another into a copy of the tree and asks the simulation, then the tests, whether they notice.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

usage() {
    cat <<'EOT'
Usage: tests/mutants.sh [--seeds N] [--by sim|unit] [NAME...]

Each tests/mutants/NN-name.patch is one bug in the Raft core, its codec or its log; its first line says who catches it
quickest: "by: sim" (Overlay.Simulation raft check) or "by: unit" (Overlay.Tests, namespace Raft). A bug that this one
misses goes to the other; with --by only its own patches run, and only through it. NAME chooses patches by a part of their
names. Ends with "N caught, N missed".
EOT
}

seeds=3000 by= names=()
while [ $# -gt 0 ]; do
    case $1 in
        --seeds) seeds=$2; shift ;;
        --by) by=$2; shift ;;
        -h | --help) usage; exit 0 ;;
        *) names+=("$1") ;;
    esac
    shift
done

copy=$(mktemp -d "${TMPDIR:-/tmp}/overlay-mutants.XXXXXX")
trap 'rm -rf "$copy"' EXIT
git ls-files -z | tar --null --files-from=- --create --file=- | tar --extract --file=- --directory="$copy"
cd "$copy" || exit 1
build() { dotnet build "$1" -c Release -v quiet --nologo -m:1 -p:RunAnalyzers=false -p:TreatWarningsAsErrors=false -p:NoWarn=1591 "${@:2}" >build.log 2>&1; }
echo "== build" >&2
build tests/Overlay.Simulation || { tail -n 20 build.log >&2; exit 1; }
bin=artifacts/bin
have_tests=
unit_tests() {
    if [ -z "$have_tests" ]; then
        # Built once, with whatever bug is in at that moment; the library is replaced before each run.
        build tests/Overlay.Tests || { tail -n 20 build.log >&2; exit 1; }
        have_tests=1
    fi
}

by_sim() {
    timeout 240 "$bin/Overlay.Simulation/release/Overlay.Simulation" raft check --stop --seeds "$seeds" >run.log 2>&1 && return 1
    how=$(grep -m 1 -oE 'raft seed [0-9]+: .*' run.log | cut -c 1-110)
    [ -n "$how" ] || how=$(tail -n 1 run.log | cut -c 1-110)
}

by_unit() {
    unit_tests
    cp "$bin/Overlay.Raft/release/Overlay.Raft.dll" "$bin/Overlay.Tests/release/"
    timeout 240 "$bin/Overlay.Tests/release/Overlay.Tests" -noLogo -noColor -namespace 'Overlay.Tests.Raft*' >run.log 2>&1 && return 1
    how=$(grep -m 1 -oE 'Overlay\.Tests\.Raft\S+ .*\[FAIL\]' run.log | sed 's/ *\[FAIL\]//; s/Overlay\.Tests\.//')
    [ -n "$how" ] || how="the tests do not end"
}

caught=0 missed=0
for patch in tests/mutants/[0-9]*.patch; do
    name=$(basename "$patch" .patch)
    if [ ${#names[@]} -gt 0 ]; then
        chosen=
        for part in "${names[@]}"; do [[ $name == *"$part"* ]] && chosen=1; done
        [ -n "$chosen" ] || continue
    fi

    [ -z "$by" ] || grep -q "^by: $by" "$patch" || continue
    start=$SECONDS
    if ! patch -p1 --silent --dry-run <"$patch" >patch.log 2>&1; then
        echo "missed $name: the patch does not apply: $(head -n 1 patch.log)"
        missed=$((missed + 1))
        continue
    fi

    patch -p1 --silent --no-backup-if-mismatch <"$patch" >/dev/null

    if ! build src/Overlay.Raft --no-restore -p:BuildProjectReferences=false; then
        echo "missed $name: does not compile: $(grep -m 1 -oE 'error .*' build.log | cut -c 1-110)"
        missed=$((missed + 1))
    else
        cp "$bin/Overlay.Raft/release/Overlay.Raft.dll" "$bin/Overlay.Simulation/release/"
        order="by_sim by_unit"
        grep -q '^by: unit' "$patch" && order="by_unit by_sim"
        [ -z "$by" ] || order="by_$by"
        how=
        for judge in $order; do
            if "$judge"; then break; fi
        done
        if [ -n "$how" ]; then
            echo "caught $name in $((SECONDS - start)) s: $how"
            caught=$((caught + 1))
        else
            echo "missed $name ($((SECONDS - start)) s)"
            missed=$((missed + 1))
        fi
    fi

    patch -p1 --silent --reverse --no-backup-if-mismatch <"$patch" >/dev/null
done

echo "$caught caught, $missed missed"
[ "$missed" -eq 0 ] && [ "$caught" -gt 0 ]
