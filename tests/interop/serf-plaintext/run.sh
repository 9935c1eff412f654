#!/usr/bin/env bash
# Debian's unmodified serf without a key, and one member of ours without a key, on loopback: the same wire in the clear,
# with serf's checksums and its compression.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
root=../../..
work=$(mktemp -d)
passed=0 failed=0
port=$((20000 + RANDOM % 20000))
pids=()
finish() {
    exec 8>&-
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
    [ "$failed" -eq 0 ] || tail -n 15 "$work/"*.log "$work/ours"
    rm -rf "$work"
    echo "$passed passed, $failed failed, 0 skipped"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
trap 'finish; exit' EXIT
within() { # SECONDS, NAME, COMMAND...
    local tries=$(($1 * 10)) name=$2; shift 2
    for _ in $(seq "$tries"); do if "$@" >/dev/null 2>&1; then passed=$((passed + 1)); echo "ok $name"; return; fi; sleep 0.1; done
    failed=$((failed + 1)); echo "not ok $name"
}
is() { grep -qE -- "$1" <("${@:2}"); }
told() { grep -qE -- "$1" "$work/ours"; }
of() { local n=$1; shift; serf "$1" -rpc-addr="127.0.0.1:$((port + 10 + n))" "${@:2}"; }
ask() { echo "$*" >&8; }

command -v serf >/dev/null || "$root/deploy/install-packages.sh" serf || { failed=1; echo "not ok Debian's serf can be installed"; exit 1; }
dotnet build SerfPlaintext.csproj -c Release -v q --nologo >"$work/build.log" 2>&1 || { failed=1; echo "not ok the peer builds"; exit 1; }
for n in 1 2; do
    serf agent -node "serf$n" -bind "127.0.0.1:$((port + n))" -rpc-addr="127.0.0.1:$((port + 10 + n))" -tag "n=$n" >"$work/serf$n.log" 2>&1 &
    pids+=($!)
done
within 10 "two serf agents start" of 1 info
within 10 "and the second" of 2 info
mkfifo "$work/in"
"$root/artifacts/bin/SerfPlaintext/release/serf-plaintext" ours "127.0.0.1:$port" "127.0.0.1:$((port + 1))" <"$work/in" >"$work/ours" 2>"$work/ours.log" 8>&- &
pids+=($!)
exec 8>"$work/in"
within 10 "we join serf in the clear" told '^member serf1 Alive n=1'
within 10 "it sees us with our tags" is 'ours .*alive .*kind=plain' of 1 members
within 10 "another serf agent joins us" of 2 join "127.0.0.1:$port"
within 10 "and is seen here" told '^member serf2 Alive n=2'
within 10 "it sees all three" is '^3$' sh -c "serf members -status alive -rpc-addr=127.0.0.1:$((port + 12)) | wc -l"
of 1 event deploy 42 >/dev/null
within 5 "serf's event is heard here" told '^event deploy 42'
of 2 monitor -log-level=info >"$work/monitor.log" 2>&1 & pids+=($!)
sleep 0.5
ask event release 1.4
within 5 "our event is heard there" grep -q release "$work/monitor.log"
within 1 "serf's query is acknowledged by all three" is '^3$' sh -c "serf query -no-ack=false -timeout=3s -rpc-addr=127.0.0.1:$((port + 11)) x | grep -c '^Ack from'"
ask query anyone
within 5 "our query is acknowledged by both" sh -c "grep -q '^ack serf1' '$work/ours' && grep -q '^ack serf2' '$work/ours'"
of 2 tags -set n=7 >/dev/null
within 5 "a changed tag is seen here" told '^member serf2 Alive n=7'
within 20 "serf knows the round trip" is 'ms' of 1 rtt ours
kill -9 "${pids[1]}"
within 40 "a killed agent is dead here" told '^member serf2 Dead'
within 40 "and failed there" is 'serf2 .*failed' of 1 members
of 1 force-leave serf2 >/dev/null
within 5 "force-leave is heard here" told '^member serf2 Left'
ask leave
within 5 "we leave" told '^left'
within 10 "and serf says left, not failed" is 'ours .*left' of 1 members
