#!/usr/bin/env bash
# Join, one network, names and pings in both families, what the wire shows, and DNS as RFC 1035 and 2308 say.
. "$(dirname "$0")/lib.sh"
begin 3
within 5 "three nodes are alive" alive 1 3
check "a network is made" on 1 overlayd network create blue --attachable --ipv6
for host in 1 2 3; do check "a sandbox on host $host is attached" sandbox_on "$host" "box$host" blue --alias "alias$host" --alias shared; done
"$lab" capture 2 "$work/underlay.pcap" udp
for from in 1 2 3; do for to in 1 2 3; do
    [ $from -ne $to ] || continue
    check "box$from pings box$to over IPv4" ping_by_name $from "box$from" "box$to" 4
    check "box$from pings box$to over IPv6" ping_by_name $from "box$from" "box$to" 6
done; done
check "a name qualified by its network resolves" ping_by_name 1 box1 box2.blue
check "an alias resolves" ping_by_name 1 box1 alias3

vni=$(on 1 overlayd network inspect blue --format json | grep -o '"vni": *[0-9]*' | head -n 1 | grep -o '[0-9]*')
pause 0.5
pkill -INT -f "$work/underlay.pcap"; pause 0.3
check "the underlay carries VXLAN on port 4789 with VNI $vni" \
    shell "tcpdump -nn -r '$work/underlay.pcap' 'udp port 4789' 2>/dev/null | has 'vni $vni'"
check "no other VNI is on the underlay" \
    shell "! tcpdump -nn -r '$work/underlay.pcap' 'udp port 4789' 2>/dev/null | grep VXLAN | grep -v 'vni $vni'"

dig_in() { in_sandbox 1 box1 dig +time=2 +tries=1 @127.0.0.11 "$@"; }
answers() { local want=$1; shift; dig_in "$@" | has -- "$want"; }
check "A over UDP" answers 'status: NOERROR' box2 A
check "A over TCP" answers 'status: NOERROR' +tcp box2 A
check "AAAA" answers 'IN[[:space:]]*AAAA' box2 AAAA
address=$(dig_in +short box2 A)
check "PTR names the endpoint" answers 'box2.blue.' -x "$address"
check "a shared alias gives all addresses" shell "[ \$(in_sandbox 1 box1 dig +short @127.0.0.11 shared A | wc -l) -eq 3 ]"
check "an unknown name of a known network is NXDOMAIN" answers 'status: NXDOMAIN' nobody.blue A
check "another type of a known name is NODATA" answers 'status: NOERROR' box2 MX
check "NODATA has a SOA to cache it by" answers 'SOA' box2 MX
check "names are compared without case" answers 'status: NOERROR' BOX2.Blue A
check "EDNS is answered" answers 'EDNS: version: 0' +edns box2 A
check "resolv.conf of a sandbox points at the resolver" in_sandbox 1 box1 grep -q 'nameserver 127.0.0.11' /etc/resolv.conf

check "two more networks" shell "for net in one two; do on 1 overlayd network create \$net --attachable || exit 1; done"
for spec in "1 a1 one client" "2 a2 one server" "2 b2 two server"; do
    read -r host box network name <<<"$spec"
    check "$name on $network" sandbox_on "$host" "$box" "$network" --name "$name"
done
pause 0.3
ip_on() { on 2 overlayd endpoint ls --network "$1" --filter name=server --format json | grep -o '"ipv4": *"[0-9.]*' | grep -o '[0-9.]*$'; }
check "the same name means the endpoint of its own network" \
    shell "[ \"\$(in_sandbox 1 a1 dig +short @127.0.0.11 server A)\" = '$(ip_on one)' ]"
check "the other network cannot be reached" fails in_sandbox 1 a1 ping -c 1 -W 1 "$(ip_on two)"
check "another network's endpoint has no name here" fails in_sandbox 1 a1 getent hosts box2

check "detach takes the name away" on 3 overlayd detach blue box3
within 3 "the name is gone from the others" fails ping_by_name 1 box1 box3

ttl_is() { dig_in "$@" | awk '$4 == "A" || $4 == "SOA" {print $2}' | has -x "$ttl"; }
export ttl=5; check "an address may be kept for 5 s" ttl_is +noall +answer box2.blue A
export ttl=1; check "and that there is none for 1 s" ttl_is +noall +authority nobody.blue A
"$lab" kill 1
export OVERLAYD_LAB_RUN_FLAGS="--dns-ttl 1m --dns-negative-ttl 0s"
check "the agent starts again, and is told otherwise" "$lab" restart 1
export ttl=60; within 5 "which clients hear" ttl_is +noall +answer box2.blue A
export ttl=0; check "of names that are not there, too" ttl_is +noall +authority nobody.blue A
