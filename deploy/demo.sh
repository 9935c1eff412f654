#!/usr/bin/env bash
# Three hosts join, a network appears, and sandboxes on different hosts reach each other by name.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
keep=0
for argument in "$@"; do
    case $argument in
        --keep) keep=1 ;;
        -h | --help) echo "Usage: deploy/demo.sh [--keep]   (--keep leaves the three hosts running)"; exit 0 ;;
        *) echo "deploy/demo.sh: unknown argument '$argument'; try --help" >&2; exit 2 ;;
    esac
done
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "deploy/demo.sh: it needs root to make namespaces; run it as root" >&2; exit 1; }
    exec sudo --preserve-env=PATH,HOME,CI,OVERLAYD_LAB "$0" "$@"
fi
export OVERLAYD_LAB=${OVERLAYD_LAB:-demo-$$}
lab=$top/deploy/lab
bold=$([ -t 1 ] && printf '\033[1m'); plain=$([ -t 1 ] && printf '\033[0m')

step() { echo; echo "${bold}== $*${plain}"; }
fail() {
    echo >&2; echo "deploy/demo.sh: $*" >&2
    for host in 1 2 3; do
        echo "--- last log lines of host $host" >&2
        "$lab" logs "$host" 15 >&2 2>/dev/null || echo "(none)" >&2
    done
    exit 1
}
on() { # host, command...: shows the command, then runs it
    local host=$1; shift
    echo "host$host# $*"
    "$lab" exec "$host" "$@"
}
# shellcheck disable=SC2317
cleanup() { [ $keep -eq 1 ] && [ ${finished:-0} -eq 1 ] || "$lab" down >/dev/null 2>&1; }
trap cleanup EXIT

step "Installing what is missing"
"$top/deploy/install-packages.sh" libnftables1 nftables iproute2 iputils-ping util-linux procps || fail "packages could not be installed"
step "Building (Release)"
"$top/deploy/build.sh" || fail "the build failed"

step "Three hosts, an agent on each"
"$lab" up 3 || fail "the hosts did not come up"

step "A cluster: init on the first, join from the others"
on 1 overlayd init --advertise-addr eth0 || fail "init failed"
token=$("$lab" exec 1 overlayd token show worker --quiet) || fail "there is no join token"
for host in 2 3; do
    echo "host$host# overlayd join --token \$TOKEN --advertise-addr eth0 192.168.50.1:2377"
    OVERLAYD_JOIN_TOKEN=$token "$lab" exec "$host" overlayd join --advertise-addr eth0 192.168.50.1:2377 || fail "host $host could not join"
done

step "An overlay network with IPv4 and IPv6"
on 1 overlayd network create blue --attachable --ipv6 || fail "network create failed"

step "A sandbox on each host, attached to it"
names=([1]=red [2]=green [3]=yellow)
for host in 1 2 3; do
    on "$host" overlayd sandbox create "${names[$host]}" || fail "sandbox create failed on host $host"
    on "$host" overlayd attach blue "${names[$host]}" || fail "attach failed on host $host"
done

step "Every sandbox reaches every other by name, over VXLAN"
for from in 1 2 3; do
    for to in 1 2 3; do
        [ "$from" -eq "$to" ] && continue
        for family in -4 -6; do
            echo "host$from# overlayd sandbox exec ${names[$from]} -- ping $family -c 2 -i 0.2 -W 2 ${names[$to]}"
            "$lab" exec "$from" overlayd sandbox exec "${names[$from]}" -- ping $family -c 2 -i 0.2 -W 2 "${names[$to]}" |
                sed -n '1,2p' || fail "${names[$from]} does not reach ${names[$to]} ($family)"
        done
    done
done

step "What the cluster looks like"
on 1 overlayd status || fail "status is not healthy"
on 1 overlayd node ls || fail "node ls failed"
on 1 overlayd endpoint ls || fail "endpoint ls failed"
on 1 overlayd network inspect blue || fail "network inspect failed"

finished=1
if [ $keep -eq 1 ]; then
    step "The hosts stay up"
    echo "Enter one:   OVERLAYD_LAB=$OVERLAYD_LAB deploy/lab exec 1 bash"
    echo "End them:    OVERLAYD_LAB=$OVERLAYD_LAB deploy/lab down"
else
    step "Taking the hosts down"
    "$lab" down
fi
echo; echo "The demo passed."
