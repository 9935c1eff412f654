# A host is a set of namespaces (network, mount, PID, UTS) with its own /var/lib/overlayd, /run/overlayd, /run/netns and
# /etc/overlayd, so that an agent inside runs with its defaults. All hosts share this machine's kernel.
# Sourced by deploy/lab, which has the verbs.
# shellcheck shell=bash disable=SC2034,SC2154

most_hosts=200

lacks() { return 1; }

# The kernel counts neighbours over all namespaces, and hosts that all know each other have as many as there are pairs.
prepare() { # hosts
    local family limit
    mkdir -p /etc/netns /etc/overlayd /var/lib/overlayd
    [ "$1" -gt 20 ] || return 0
    for family in ipv4 ipv6; do
        for limit in 3 2 1; do
            [ "$(cat "/proc/sys/net/$family/neigh/default/gc_thresh$limit")" -ge 65536 ] ||
                echo 65536 > "/proc/sys/net/$family/neigh/default/gc_thresh$limit" ||
                echo "deploy/lab: the kernel's limit of neighbours cannot be raised; $1 hosts may not reach each other" >&2
        done
    done
}

make_host() { # host, MTU
    local d; d=$(host_dir "$1")
    mkdir -p "$d/state" "$d/etc"
    hold "$d" "host$1" "ip link set lo up
        mount -t tmpfs tmpfs /run && mkdir -p /run/netns /run/overlayd /run/lock
        mount -t sysfs sysfs /sys
        mount --bind '$d/state' /var/lib/overlayd
        mount --bind '$d/etc' /etc/overlayd
        mount -t tmpfs tmpfs /etc/netns"
    in_underlay ip link add "h$1" mtu "$2" type veth peer name eth0 mtu "$2" netns "$(cat "$d/pid")"
}

await_host() { :; } # `hold` waited

run_on() { local h=$1; shift; enter "$(host_dir "$h")" "$@"; }
