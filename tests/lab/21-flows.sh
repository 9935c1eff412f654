#!/usr/bin/env bash
# How long clients and flows are remembered: who comes back gets the backend that it had, by virtual addresses, ports of one node and
# ports of all, whatever comes, goes, is changed or killed meanwhile; idle connections live as long as their service says.
. "$(dirname "$0")/lib.sh"
begin 3
within 5 "three nodes are alive" alive 1 3
h1=192.168.50.1 h2=192.168.50.2 six=fd50:
vip() { on 1 overlayd service inspect "$1" | grep -A 3 virtualAddresses | grep -o '"[0-9a-f.:]*[.:][0-9a-f.:]*"' | tr -d '"' | if [ "$2" = 4 ]; then grep -v :; else grep :; fi; }
backend() { sandbox_on "$1" "$2" blue --service "$3" && serve "$1" "$2" && for _ in $(seq 100); do in_sandbox "$1" "$2" ss -Hltn | has ':7000 ' && return; sleep 0.05; done; }
# who HOST BOX KIND ADDRESS COUNT: who answered, each once, in one line. Without BOX: the host itself asks.
who() { if [ -n "$2" ]; then ask_in "$1" "$2" each "$3" "${6:-7000}" "$5" "$4"; else ask "$1" each "$3" "${6:-7000}" "$5" "$4"; fi 2>&1 | cut -d' ' -f1 | sort -u | xargs; }
one() { local said; said=$(who "$@"); echo "$said"; [ -n "$said" ] && [ "$(wc -w <<<"$said")" -eq 1 ] && [ "$said" != refused ]; }
same() { local wanted=$1 said; shift; said=$(who "$@"); echo "$said"; [ "$said" = "$wanted" ]; }
export h1 h2 six
export -f vip who one same

check "a network is made" on 1 overlayd network create blue --attachable --ipv6
check "a service that clients come back to" on 1 overlayd service create web --network blue --scheduler rr --sticky 1h -p 8080:7000 \
    -p published=8081,target=7000,mode=host
check "the same without" on 1 overlayd service create any --network blue --scheduler rr
check "which shows for how long" shell "on 1 overlayd service inspect web | tr -d ' ' | has '\"stickyMs\":\"3600000\"'"
for box in web1 more1; do check "a backend $box on host 1" backend 1 "$box" web; done
check "one on host 2" backend 2 web2 web
for host in 1 2; do check "a backend of the other on host $host" backend "$host" "any$host" any; done
for host in 1 2 3; do check "a client on host $host" sandbox_on "$host" "client$host" blue; done
vip4=$(vip web 4) vip6=$(vip web 6) any4=$(vip any 4)
within 5 "without, both are asked" same "any1 any2" 3 client3 tcp "$any4" 8
for host in 1 2 3; do
    within 5 "client$host stays with one backend" one "$host" "client$host" tcp "$vip4" 12
    check "also by UDP" same "$(who "$host" "client$host" tcp "$vip4" 1)" "$host" "client$host" udp "$vip4" 12
    check "and with one by IPv6" one "$host" "client$host" tcp "$vip6" 12
done
had=$(who 3 client3 tcp "$vip4" 1) had6=$(who 3 client3 tcp "$vip6" 1)
check "a backend comes" backend 3 web3 web
check "the scheduler changes" on 1 overlayd service update --scheduler wrr web
check "a service with ports of all nodes comes" on 1 overlayd service create other --network blue -p 9090:7000 --source-ip snat
check "and the agent of the client's host is killed" shell "$lab kill 3 && $lab restart 3"
within 5 "and starts again" alive 1 3
check "client3 stays with $had" same "$had" 3 client3 tcp "$vip4" 12
check "by IPv6 with $had6" same "$had6" 3 client3 tcp "$vip6" 12
check "the kernel knows it: one element" shell \
    "in_sandbox 3 client3 nft list table inet overlayd | grep -A 6 'set vip4-web' | tr -d '\n' | grep -o 'expires' | wc -l | has -x 1"
case $had in *1) home=1 ;; *2) home=2 ;; *) home=3 ;; esac
check "$had is detached" on "$home" overlayd detach blue "$had"
within 3 "client3 stays with another one" shell "said=\$(who 3 client3 tcp $vip4 12); [ \$(wc -w <<<\"\$said\") -eq 1 ] && [ \"\$said\" != $had ]"
other=$(who 3 client3 tcp "$vip4" 1)
check "$had is attached again" on "$home" overlayd attach blue "$had" --service web
pause 1
check "client3 stays where it is" same "$other" 3 client3 tcp "$vip4" 12

# Ports of one node and of all.
within 5 "a client outside stays with one backend of host 1" one 3 "" tcp $h1 12 8081
check "by IPv6, too" one 3 "" tcp $six:1 12 8081
within 5 "by a port of all nodes with one of them" one 3 "" tcp $h1 12 8080
check "by IPv6, too" one 3 "" tcp $six:1 12 8080
port=$(who 3 "" tcp $h1 1 8080) own=$(who 3 "" tcp $h1 1 8081)
check "a backend on host 2 comes" backend 2 more2 web
check "and one on host 1" backend 1 last1 web
pause 1
check "the client stays with $port" same "$port" 3 "" tcp $h1 12 8080
check "and with $own" same "$own" 3 "" tcp $h1 12 8081
check "nothing is to be remembered any more" on 1 overlayd service update --sticky off web
within 5 "all are asked" shell "[ \$(who 3 client3 tcp $vip4 60 | wc -w) -gt 3 ]"
within 3 "by the port of host 1 all of its own" shell "[ \$(who 3 '' tcp $h1 12 8081 | wc -w) -gt 1 ]"
check "no set is left" shell "in_sandbox 3 client3 nft list table inet overlayd | lacks 'set vip'"

# Idle connections. The kernels of clients forget after 3 s what nobody says otherwise of.
for host in 2 3; do check "client$host's kernel forgets early" in_sandbox "$host" "client$host" sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_established=3; done
check "a service whose connections live" on 1 overlayd service create calm --network blue --timeout tcp=30m,tcpfin=40s,udp=10m -p 8082:7000
check "one whose connections do not" on 1 overlayd service create hasty --network blue --timeout tcp=2s
check "a backend of one" backend 1 calm1 calm
check "and of the other" backend 1 hasty1 hasty
check "service inspect says how long" shell "on 1 overlayd service inspect calm | tr -d ' \n' | has '\"timeouts\":{\"tcpMs\":\"1800000\",\"tcpFinMs\":\"40000\",\"udpMs\":\"600000\"}'"
calm4=$(vip calm 4) calm6=$(vip calm 6) hasty4=$(vip hasty 4)
# after HOST BOX ADDRESS PORT SECONDS WORD: a connection silent so long is there, or gone.
after() { local said; said=$(ask_in "$1" "$2" idle "$3" 7000 "$4" 2>&1); echo "$said"; [ "$said" = "$5" ]; }
export -f after
within 5 "the one is reached" one 2 client2 tcp "$calm4" 1
within 5 "and the other" one 2 client2 tcp "$hasty4" 1
after 2 client2 "$calm4" 12 there >"$work/calm4" 2>&1 & first=$!
after 3 client3 "$calm6" 12 there >"$work/calm6" 2>&1 & second=$!
ask_in 2 client2 idle "$hasty4" 7000 12 >/dev/null 2>&1 &
ask_in 2 client2 idle "$any4" 7000 12 >/dev/null 2>&1 &
# tracked ADDRESS: the flow of the client on host 2 to it.
tracked() { in_sandbox 2 client2 conntrack -L -p tcp 2>/dev/null | grep "dst=$1" | grep ESTABLISHED; }
export -f tracked
within 3 "conntrack counts from half an hour" shell "tracked $calm4 | awk '\$3 > 1700 && \$3 <= 1801' | has ESTABLISHED"
ask_in 3 client3 udp "$calm4" 7000 >/dev/null
check "and for datagrams from ten minutes" shell "in_sandbox 3 client3 conntrack -L -p udp 2>/dev/null | grep 'dst=$calm4' | awk '\$3 > 500 && \$3 <= 601' | has dport=7000"
ask 3 tcp $h1 8082 >/dev/null
ask 3 each tcp 8082 1 $six:2 >/dev/null
check "also of ports of all nodes, half closed" shell "on 1 ip netns exec ov-ingress conntrack -L -p tcp 2>/dev/null | grep 'dport=8082' | grep -E 'CLOSE_WAIT|LAST_ACK|TIME_WAIT|FIN_WAIT' | has dport=8082"
within 8 "those of two seconds are forgotten" fails tracked "$hasty4"
within 8 "and those that were left to the kernel's three" fails tracked "$any4"
check "the others are not" tracked "$calm4"
wait $first; check "12 s of silence are nothing to a service of half an hour" has there "$work/calm4"
wait $second; check "nor by IPv6" has there "$work/calm6"
check "times change" on 1 overlayd service update --timeout tcp=1h hasty
within 3 "for new connections" shell "ask_in 2 client2 tcp $hasty4 7000 >/dev/null; in_sandbox 2 client2 nft list table inet overlayd | has 'established : 3600'"
check "and are the kernel's again" on 1 overlayd service update --timeout off hasty
within 3 "in every table" shell "! in_sandbox 2 client2 nft list table inet overlayd | has 'vip4-hasty.ip.tcp'"

refused "no duration" 2 "write a duration" on 1 overlayd service create x --network blue --sticky soon
refused "off is for update" 2 "write a duration" on 1 overlayd service create x --network blue --sticky off
refused "less than a second" 2 "1 s to 24 h, in whole seconds" on 1 overlayd service create x --network blue --sticky 500ms
refused "no whole second" 2 "in whole seconds" on 1 overlayd service create x --network blue --sticky 1s500ms
refused "more than a day" 2 "1 s to 24 h" on 1 overlayd service update web --sticky 2d
refused "names alone" 2 "each time anew" on 1 overlayd service create x --network blue --endpoint-mode dnsrr --sticky 10m
refused "an unknown time-out" 2 "some of tcp=, tcpfin= and udp=" on 1 overlayd service create x --network blue --timeout sctp=5m
refused "one twice" 2 "some of tcp=" on 1 overlayd service create x --network blue --timeout tcp=5m,tcp=6m
refused "one without its time" 2 "some of tcp=" on 1 overlayd service create x --network blue --timeout tcp
refused "one of no length" 2 "some of tcp=" on 1 overlayd service update web --timeout udp=0s
refused "one too long" 2 "1 s to 10 d" on 1 overlayd service create x --network blue --timeout tcp=30d
