#!/usr/bin/env bash
# Virtual addresses balanced by IPVS, on Debian's kernel: who gets connections, of whom the backend sees the address, what detach, a killed
# agent and others' hands do to them, and the change to nftables and back. ipvsadm and conntrack read what was programmed.
export OVERLAYD_LAB_KIND=vm
. "$(dirname "$0")/../lab/lib.sh"
begin 2
within 5 "two nodes are alive" alive 1 2
vip() { on 1 overlayd service inspect "$1" | grep -A 3 virtualAddresses | grep -o '"[0-9a-f.:]*[.:][0-9a-f.:]*"' | tr -d '"' | if [ "$2" = 4 ]; then grep -v :; else grep :; fi; }
backend() { sandbox_on "$1" "$2" blue --service "$3" && serve "$1" "$2"; }
listening() { in_sandbox "$1" "$2" ss -Hltn | has ':7000 '; }
# each HOST BOX KIND ADDRESS COUNT: how often who answered, and as whom they saw the client: "4 web1 10.0.0.2;4 web2 10.0.0.2;".
each() { ask_in "$1" "$2" each "$3" 7000 "$5" "$4" 2>&1 | sort | uniq -c | tr -s ' ' | sed 's/^ //' | tr '\n' ';'; }
gets() { local said; said=$(each "${@:2}"); echo "$said"; [ "$said" = "$1" ]; }
own() { on 1 overlayd endpoint inspect "$1" --format json | grep -o "\"ipv$2\": *\"[^/]*" | grep -o '[^"]*$'; }
ipvs() { in_sandbox "$1" "$2" ipvsadm -Ln; }
export -f vip each gets own ipvs listening

check "status says ipvs" shell "status_of 1 | has 'balanced by ipvs'"
check "and as JSON" shell "json_of 2 | has '\"loadBalancer\":\"ipvs\"'"
check "a network" on 1 overlayd network create blue --attachable --ipv6
check "a service in turns" on 1 overlayd service create web --network blue --scheduler rr
check "a client on host 1" sandbox_on 1 client blue
vip4=$(vip web 4) vip6=$(vip web 6)
check "without backends it is refused" shell "[ \"\$(each 1 client tcp $vip4 1)\" = '1 refused;' ]"
for host in 1 2; do
    check "a backend on host $host" backend "$host" "web$host" web
    within 10 "listens" listening "$host" "web$host"
done
c4=$(own client 4) c6=$(own client 6)
within 5 "connections take turns, and backends see the client" gets "4 web1 $c4;4 web2 $c4;" 1 client tcp "$vip4" 8
check "datagrams, too" gets "4 web1 $c4;4 web2 $c4;" 1 client udp "$vip4" 8
check "and by IPv6" gets "4 web1 $c6;4 web2 $c6;" 1 client tcp "$vip6" 8
check "datagrams by IPv6" gets "4 web1 $c6;4 web2 $c6;" 1 client udp "$vip6" 8
check "ipvsadm shows two services of each family, with both backends" shell "[ \$(ipvs 1 client | grep -c '^FWM.* rr') -eq 4 ] && [ \$(ipvs 1 client | grep -c 'Masq  *1 ') -eq 8 ]"
check "conntrack knows the flows, as of nftables" shell "in_sandbox 1 client conntrack -L -p tcp 2>/dev/null | grep 'dst=$vip4' | has 'src=$(own web1 4) '"
check "idle connections are kept for five days" shell "in_sandbox 1 client ipvsadm -L --timeout | has '432000'"
check "a backend that calls its own service reaches both, itself, too" shell "gets '2 web1 $(own web1 4);2 web2 $(own web1 4);' 1 web1 tcp $vip4 4"
check "a ping is answered" in_sandbox 1 client ping -c 1 -W 5 "$vip4"
check "and one by IPv6" in_sandbox 1 client ping -6 -c 1 -W 5 "$vip6"
check "by its name" shell "[ \$(each 1 client tcp web 4 | tr ';' '\n' | grep -c web) -eq 2 ]"

# A connection to web2 and datagrams to it, which is then detached.
ask_in 1 client hold-tcp "$vip4" 7000 "$work/first" >"$work/first.who" 2>&1 &
ask_in 1 client hold-tcp "$vip4" 7000 "$work/second" >"$work/second.who" 2>&1 &
within 5 "connections are held" shell "grep -q held $work/first && grep -q held $work/second"
check "one with each backend" shell "cat $work/first.who $work/second.who | cut -d' ' -f1 | sort | xargs | has -x 'web1 web2'"
check "host 2 is drained" on 1 overlayd node update --availability drain host2
within 5 "nothing new goes to its backend" gets "6 web1 $c4;" 1 client tcp "$vip4" 6
check "neither datagrams" gets "6 web1 $c4;" 1 client udp "$vip4" 6
check "it has no weight, as long as it has a connection" shell "ipvs 1 client | grep '$(own web2 4):0' | has 'Masq  *0 '"
check "and is gone where it had datagrams alone" shell "[ \$(ipvs 1 client | grep -c '$(own web2 4):0') -eq 1 ]"
check "the connections go on" shell "! grep -E 'broken|end' $work/first $work/second"
check "host 2 is active again" on 1 overlayd node update --availability active host2
within 10 "and its backend is back" gets "3 web1 $c4;3 web2 $c4;" 1 client tcp "$vip4" 6

# Weights, schedulers, stickiness.
check "by weight" on 1 overlayd service update --scheduler wrr web
within 5 "ipvsadm says so" shell "[ \$(ipvs 1 client | grep -c '^FWM.* wrr') -eq 4 ]"
for scheduler in lc wlc sh mh; do
    check "scheduler $scheduler" on 1 overlayd service update --scheduler $scheduler web
    within 5 "is the kernel's" shell "[ \$(ipvs 1 client | grep -c '^FWM.* $scheduler') -eq 4 ]"
    check "and answers" shell "each 1 client tcp $vip4 4 | has web"
done
check "clients are to come back, in turns" on 1 overlayd service update --scheduler rr --sticky 10m web
within 5 "ipvsadm says so" shell "ipvs 1 client | has 'rr persistent 600'"
check "one backend has them all" shell "[ \$(each 1 client tcp $vip4 8 | tr ';' '\n' | grep -c web) -eq 1 ]"
check "not any more" on 1 overlayd service update --sticky off web
within 5 "they take turns" shell "[ \$(each 1 client tcp $vip4 8 | tr ';' '\n' | grep -c web) -eq 2 ]"

# Others' hands, and death.
check "somebody empties the table of IPVS" in_sandbox 1 client ipvsadm -C
check "and has a service of its own" in_sandbox 1 client ipvsadm -A -t 10.77.0.1:80 -s rr
within 40 "ours are back" shell "[ \$(ipvs 1 client | grep -c '^FWM') -eq 4 ]"
check "the other's stays" shell "ipvs 1 client | has '10.77.0.1:80'"
"$lab" kill 1
check "with the agent killed the address works" shell "[ \$(each 1 client tcp $vip4 8 | tr ';' '\n' | grep -c web) -eq 2 ]"
export OVERLAYD_LAB_RUN_FLAGS="--load-balancer nftables"
check "it starts again, to balance by nftables" "$lab" restart 1
within 20 "which status says" shell "status_of 1 | has 'balanced by nftables'"
within 20 "nothing of IPVS is left but the other's" shell "! ipvs 1 client | has FWM && ipvs 1 client | has '10.77.0.1:80'"
check "and the address works" shell "[ \$(each 1 client tcp $vip4 8 | tr ';' '\n' | grep -c web) -eq 2 ]"
"$lab" stop 1
export OVERLAYD_LAB_RUN_FLAGS="--load-balancer ipvs"
check "it starts again, to balance by IPVS" "$lab" restart 1
within 20 "the services are there" shell "[ \$(ipvs 1 client | grep -c '^FWM') -eq 4 ]"
within 10 "and the address works" gets "4 web1 $c4;4 web2 $c4;" 1 client tcp "$vip4" 8
touch "$work/first.end" "$work/second.end"
check "the service goes" on 1 overlayd service rm web
within 10 "and with it what was programmed" shell "! ipvs 1 client | has FWM"
