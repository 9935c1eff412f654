# Shared by the lab's scripts: a lab of their own, checks that count, and a clean end.
# shellcheck shell=bash
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export OVERLAYD_LAB="t-$(basename "$0" .sh)-$$"
lab=$top/deploy/lab
work=$(mktemp -d)
export OVERLAYD_LAB_SHARED=$work
# How many times longer than in namespaces things may take: a virtual machine's processor is emulated.
case ${OVERLAYD_LAB_KIND:-namespaces} in vm) slower=8 ;; *) slower=1 ;; esac
passed=0 failed=0 skipped=0

on() { local host=$1; shift; "$lab" exec "$host" "$@"; }
# status_of HOST [FLAGS], json_of HOST: what it says of itself, well or not; the exit code tells of more than a check asks for.
status_of() { on "$1" overlayd status "${@:2}" || true; }
json_of() { status_of "$1" --format json | tr -d ' \n'; }
in_sandbox() { local host=$1 box=$2; shift 2; on "$host" overlayd sandbox exec "$box" -- "$@"; }
export lab work
export -f on status_of json_of in_sandbox

ok() { passed=$((passed + 1)); echo "ok $*"; }
not_ok() { failed=$((failed + 1)); echo "not ok $*"; [ "$failed" -gt 1 ] || tell_hosts; }
# What the hosts say at the moment of the first failure: the end comes later, and the logs' last lines are others by then.
tell_hosts() {
    local host
    for host in $(seq 1 "${hosts:-0}"); do
        echo "  host $host, $(date -u +%T): $(on "$host" timeout 5 overlayd status 2>&1 | grep -E '^(State|Problem|Manager|Managers|Gossip):' | tr -s ' ' | tr '\n' '|')"
    done
    for host in $(seq 1 "${hosts:-0}"); do "$lab" logs "$host" 12 2>/dev/null | cut -c12-190 | sed "s/^/  host $host /"; done
}
skip() { skipped=$((skipped + 1)); echo "skip $*"; }

# check NAME CMD...: passes if the command does.
check() {
    local name=$1 output; shift
    if output=$("$@" 2>&1); then ok "$name"; else not_ok "$name: $(tail -n 5 <<<"$output" | tr '\n' '|')"; fi
}
# refused NAME CODE WORDS CMD...: passes if the command ends with that exit code and says those words in one sentence;
# a second line may name the help page, and an agent may have logged what it did before.
refused() {
    local name=$1 code=$2 words=$3 output status; shift 3
    output=$("$@" 2>&1 >/dev/null); status=$?
    if [ "$status" -eq "$code" ] && grep -qi -- "$words" <<<"$output" && [ "$(grep -cvE '^See `|^[0-9T:.-]+Z (INFO|WARN) ' <<<"$output")" -eq 1 ]; then ok "$name"
    else not_ok "$name: exit $status (wanted $code): $(tr '\n' '|' <<<"$output")"; fi
}
# within SECONDS NAME CMD...: passes as soon as the command does. A virtual machine has longer.
within() {
    local seconds=$(($1 * slower)) name=$2 end output; shift 2
    end=$(($(date +%s%N) + seconds * 1000000000))
    while [ "$(date +%s%N)" -lt "$end" ]; do
        if output=$("$@" 2>&1); then ok "$name"; return 0; fi
        sleep 0.05
    done
    not_ok "$name: not within $seconds s: $(tail -n 3 <<<"$output" | tr '\n' '|')"
    return 1
}
# pause SECONDS: lets something happen that cannot be asked for. In a virtual machine it takes longer.
pause() { sleep "$(awk -v s="$1" -v n="$slower" 'BEGIN {print s * n}')"; }
fails() { ! "$@" >/dev/null 2>&1; }
shell() { bash -o pipefail -c "$1"; }
# COMMAND | has [FLAGS] PATTERN, COMMAND | lacks …: read to the end, other than grep -q: a command that loses its reader fails or not by chance.
has() { [ "$(grep -c "$@")" -gt 0 ]; }
lacks() { [ "$(grep -c "$@")" -eq 0 ]; }
export -f has lacks
ping_by_name() { in_sandbox "$1" "$2" ping "-${4:-4}" -c 1 -W 2 "$3"; }
alive() { [ "$(on "$1" overlayd node ls --format json | grep -c '"alive"')" -eq "$2" ]; }

# shellcheck disable=SC2317
finish() {
    if [ "$failed" -gt 0 ]; then
        for host in $(seq 1 "${hosts:-0}"); do echo "--- log of host $host"; "$lab" logs "$host" "${OVERLAYD_LAB_LINES:-25}" 2>/dev/null; done
        for host in $(seq 1 "${hosts:-0}"); do echo "--- status of host $host"; on "$host" timeout 10 overlayd status 2>&1; done
    fi
    "$lab" down >/dev/null 2>&1
    rm -rf "$work"
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
trap 'status=$?; finish || status=1; exit $status' EXIT
trap 'exit 1' INT TERM

# begin N [FLAGS]: a cluster of N hosts, or the end of the script.
begin() { hosts=$1; "$lab" cluster "$@" || { not_ok "a cluster of $1 hosts comes up"; exit 1; }; ok "a cluster of $1 hosts comes up"; }
sandbox_on() { # host, sandbox, network, attach flags...
    local host=$1 box=$2 network=$3; shift 3
    on "$host" overlayd sandbox create "$box" >/dev/null && on "$host" overlayd attach "$network" "$box" "$@" >/dev/null
}

# Backends that say their name and who asks (backend.py), and clients of them (client.py).
serve() { in_sandbox "$1" "$2" python3 "$top/tests/lab/backend.py" "$2" >>"$work/backends.log" 2>&1 & }
# A program of the host itself that has the backends' port.
listens() { on "$1" python3 "$top/tests/lab/backend.py" stranger >/dev/null 2>&1 & }
ask() { local host=$1; shift; on "$host" python3 "$top/tests/lab/client.py" "$@"; }
ask_in() { local host=$1 box=$2; shift 2; in_sandbox "$host" "$box" python3 "$top/tests/lab/client.py" "$@"; }
# answers HOST WORDS ADDRESS PORT [KIND]: that host hears exactly these words.
answers() { local said; said=$(ask "$1" "${5:-tcp}" "$3" "$4" 2>&1); echo "$said"; [ "$said" = "$2" ]; }
closed() { answers "$1" refused "$2" "$3"; }
# said FILE PATTERN: what a client wrote down.
said() { [ -f "$1" ] && [ "$(grep -c "$2" "$1")" -gt 0 ]; }
export top
export -f ask ask_in answers closed said
