#!/usr/bin/env bash
# Nodes that reach each other by IPv6 only: gossip, the manager API and VXLAN.
. "$(dirname "$0")/lib.sh"
hosts=2

"$lab" up "$hosts" || { not_ok "$hosts hosts come up"; exit 1; }
for host in 1 2; do check "host $host has no IPv4 address" on "$host" ip -4 address flush dev eth0; done
check "a cluster begins at an IPv6 address" on 1 overlayd init --quiet --advertise-addr fd50::1
token=$(on 1 overlayd token show worker --quiet)
check "host 2 joins by it" on 2 overlayd join --quiet --token "$token" --advertise-addr fd50::2 '[fd50::1]:2377'
within 10 "both are alive" alive 1 2
check "gossip names the addresses" shell "on 2 overlayd gossip ls | grep -F '[fd50::1]:7946'"

check "a network" on 1 overlayd network create six --attachable
for host in 1 2; do check "a sandbox on host $host is attached" sandbox_on "$host" "box$host" six; done
"$lab" capture 1 "$work/six.pcap" udp port 4789
within 5 "box2 is reached by name" ping_by_name 1 box1 box2
within 5 "and back" ping_by_name 2 box2 box1
seen() { tcpdump -nn -r "$work/six.pcap" 2>/dev/null | has "$1"; }
within 2 "VXLAN goes from the IPv6 address" seen 'IP6 fd50::1.* > fd50::2.*VXLAN'
within 2 "and comes from the other" seen 'IP6 fd50::2.* > fd50::1.*VXLAN'

"$lab" kill 2
within 20 "host 2 is not alive for host 1" alive 1 1
check "host 2 restarts" "$lab" restart 2
within 10 "both are alive again" alive 1 2
within 5 "box2 is reached by name still" ping_by_name 1 box1 box2
