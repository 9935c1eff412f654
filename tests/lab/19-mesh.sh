#!/usr/bin/env bash
# Ports of all nodes: each answers, wherever the backends are, and those see the client itself; what scaling, drain, leave, death of
# a node, a killed agent, flushed rules and other programs do to clients; wrong input; and that nothing is left in the end.
. "$(dirname "$0")/lib.sh"
hosts=4
"$lab" up 4 >/dev/null || { not_ok "four hosts come up"; exit 1; }
check "a cluster on host 1" on 1 overlayd init -q --advertise-addr eth0
token=$(on 1 overlayd token show worker -q)
for host in 2 3; do check "host $host joins" shell "on $host env OVERLAYD_JOIN_TOKEN=$token overlayd join --advertise-addr 192.168.50.$host 192.168.50.1:2377"; done
within 5 "three nodes are alive" alive 1 3
h1=192.168.50.1 h2=192.168.50.2 h3=192.168.50.3 h4=192.168.50.4 six=fd50:
# all HOST KIND WORDS [COUNT]: COUNT answers of each node together are just these.
all() { ask "$1" each "$2" "$port" "${4:-2}" "$h1" "$h2" "$h3" 2>&1 | sort -u | tr '\n' ';' | has -x "$3"; }
# all6: by IPv6.
all6() { h1=$six:1 h2=$six:2 h3=$six:3 all "$@"; }
listening() { for _ in $(seq 100); do in_sandbox "$1" "$2" ss -Hltn | has ':7000 ' && return; sleep 0.05; done; false; }
# answered COUNT: whoever is asked from outside answers.
answered() { all 4 tcp '\([a-z]*[0-9] '"$h4"';\)\+' "$1"; }
# A program that is ready, and is a backend then: nobody is refused in between.
backend() { on "$1" overlayd sandbox create "$2" >/dev/null && serve "$1" "$2" && listening "$1" "$2" && on "$1" overlayd attach blue "$2" --service web >/dev/null; }
unbroken() { tail "$1"; said "$1" end && ! said "$1" broken; }
load() { ask 4 load "$work/$1" 8080 $h1 $h2 $six:1 $six:2 "${@:2}" >/dev/null 2>&1 & }
# ends FILE: the load of that name stops; it made requests, and none failed.
ends() { touch "$work/$1.end"; for _ in $(seq 100); do said "$work/$1" done && break; sleep 0.1; done; tail -n 5 "$work/$1"; said "$work/$1" done && ! said "$work/$1" failed; }
# inside HOST CMD...: in that node's ov-ingress.
inside() { local host=$1; shift; on "$host" ip netns exec ov-ingress "$@"; }
export -f all all6 answered inside
export h1 h2 h3 h4 six port=8080

check "a stranger's rules are on host 1" on 1 nft add table inet strangers '{ chain c { type filter hook forward priority 5; policy accept; } ; }'
check "a network is made" on 1 overlayd network create blue --attachable
check "a service with a port of all nodes, as Docker writes it" on 1 overlayd service create web --network blue -p 8080:7000 -p published=5353,target=7000,protocol=udp,mode=ingress
check "the ingress network is there" shell "on 2 overlayd network ls | has 'ingress .*internal, ingress'"
for host in 1 2 3; do within 5 "host $host is on it" shell "on $host overlayd endpoint ls --local | has 'ov-ingress\|ingress-'"; done
check "without a backend nobody answers" closed 4 $h1 8080
check "but no other program can have the port" shell \
    "{ ! on 1 python3 -c 'import socket; socket.create_server((\"\", 8080))'; } 2>&1 | has 'Address already in use'"
check "neither by IPv6" shell "{ ! on 1 python3 -c 'import socket; socket.create_server((\"::\", 8080), family=socket.AF_INET6)'; } 2>&1 | has 'Address already in use'"
check "a backend on host 2" backend 2 web2
for host in 1 2 3; do within 5 "host $host answers, and the backend sees the client outside" answers 4 "web2 $h4" "192.168.50.$host" 8080; done
check "a backend on host 3" backend 3 web3
within 5 "both are asked by way of each node" all 4 tcp "web2 $h4;web3 $h4;"
for host in 1 2 3; do
    check "host $host as a client of all nodes" all "$host" tcp "web2 192.168.50.$host;web3 192.168.50.$host;"
    check "by its loopback" shell "for i in 1 2; do ask $host tcp 127.0.0.1 8080; done | sort | tr '\n' ';' | has -x 'web2 192.168.50.$host;web3 192.168.50.$host;'"
done
within 5 "by IPv6 from outside, where both see the client, too" all6 4 tcp "web2 $six:4;web3 $six:4;"
for host in 1 2 3; do check "and from host $host" all6 "$host" tcp "web2 $six:$host;web3 $six:$host;"; done
check "at ::1, from where nothing leaves, nobody answers" closed 1 ::1 8080
port=5353
check "by UDP and IPv6" all6 4 udp "web2 $six:4;web3 $six:4;"
check "by UDP from outside" all 4 udp "web2 $h4;web3 $h4;"
check "by UDP from a node" all 3 udp "web2 $h3;web3 $h3;"
check "by UDP and the loopback" shell "ask 1 udp 127.0.0.1 5353 | has '^web[23] $h1'"
port=8080
check "a client in a sandbox" sandbox_on 1 client1 blue
check "asks its own host" shell "ask_in 1 client1 tcp $h1 8080 | has '^web[23] $h1'"
check "and another one" shell "ask_in 1 client1 tcp $h2 8080 | has '^web[23] $h1'"
check "a backend asks its own service" shell "for i in 1 2; do ask_in 2 web2 tcp $h2 8080; done | sort | tr '\n' ';' | has -x 'web2 $h2;web3 $h2;'"
check "and has the name besides" shell "ask_in 1 client1 tcp web 7000 | has '^web[23] '"
for host in 1 2; do check "a megabyte there and back by host $host" answers 4 "1 MiB" "192.168.50.$host" 8080 bulk; done
check "and by IPv6" answers 4 "1 MiB" $six:1 8080 bulk
check "two connections from one port by IPv6" shell "ask 4 twins 8080 $six:1 $six:2 | has -x '$six:4 $six:4 0 1' && ask 4 twins 8080 $six:1 $six:2 | has -x '$six:4 $six:4 0 1' "
check "two connections from one port of the client, by two nodes" shell "ask 4 twins 8080 $h1 $h2 | has -x '$h4 $h4 0 1' && ask 4 twins 8080 $h1 $h2 | has -x '$h4 $h4 0 1' "
check "sandboxes do not reach each other by ov-ingress" fails ask_in 2 web2 tcp "$(inside 2 ip -4 -o addr show eth0 | grep -o '10[.0-9]*' | head -1)" 8080
check "service ls shows the ports" shell "on 2 overlayd service ls | has -F '*:8080->7000/tcp, *:5353->7000/udp'"
check "a sandbox gets a default route of its own" shell "in_sandbox 2 web2 sh -c 'ip link add dock0 type bridge && ip link set dock0 up &&
    ip addr add 10.9.9.2/24 dev dock0 && ip route add default via 10.9.9.1 && sysctl -qw net.ipv4.conf.all.rp_filter=1'"
check "and answers all the same" all 4 tcp "web2 $h4;web3 $h4;"
in_sandbox 2 web2 ip link del dock0

ask 4 hold-tcp $h1 8080 "$work/tcp1" >"$work/tcp1.who" 2>&1 &
ask 4 hold-tcp $h3 8080 "$work/tcp3" >"$work/tcp3.who" 2>&1 &
ask 4 hold-tcp $six:1 8080 "$work/tcp6" >"$work/tcp6.who" 2>&1 &
for flow in tcp1 tcp3 tcp6; do within 5 "a connection is held ($flow)" said "$work/$flow" held; done
load steady $h3 $six:3
check "a third backend, on host 1" backend 1 web1
within 5 "gets its turn" all 4 tcp "web1 $h4;web2 $h4;web3 $h4;" 6
check "a fourth one" backend 1 more1
within 5 "is asked" shell "ask 4 each tcp 8080 12 $h2 | has more1"
check "host 3 is drained" on 1 overlayd node update --availability drain host3
check "it answers at once by others" all 4 tcp "more1 $h4;web1 $h4;web2 $h4;" 6
check "host 3 is active" on 1 overlayd node update --availability active host3
within 3 "and has its turn" all 4 tcp "more1 $h4;web1 $h4;web2 $h4;web3 $h4;" 8
check "a port comes and goes" shell "on 1 overlayd service create churn --network blue -p 81:81 && on 1 overlayd service rm churn"
check "no request of all that time failed" ends steady
for flow in tcp1 tcp3 tcp6; do touch "$work/$flow.end"; within 3 "a connection has outlived all that ($flow, $(cat "$work/$flow.who"))" unbroken "$work/$flow"; done

ask 4 hold-udp $h2 5353 "$work/udp" >"$work/udp.who" 2>&1 &
within 5 "a flow of UDP is held" said "$work/udp" held
name=$(cut -d' ' -f1 "$work/udp.who")
check "its backend is detached ($name)" on "$(sed 's/[a-z]*//' <<<"$name")" overlayd detach blue "$name"
within 3 "and the flow goes on elsewhere, or ends at once" shell "said $work/udp held && sleep 0.3 && ask 4 udp $h2 5353 | lacks '^$name '"
within 3 "nobody sends there" shell "ask 4 each tcp 8080 12 $h1 | lacks '^$name '"
touch "$work/udp.end"

ask 4 hold-tcp $h1 8080 "$work/tcp2" >"$work/tcp2.who" 2>&1 &
ask 4 hold-tcp $h3 8080 "$work/tcp4" >"$work/tcp4.who" 2>&1 &
for flow in tcp2 tcp4; do within 5 "a connection is held ($flow)" said "$work/$flow" held; done
load hurt $h3 $six:3
"$lab" kill 1
check "with the agent of host 1 killed it answers" answered 6
check "the agent starts again" "$lab" restart 1
check "no request failed" ends hurt
for flow in tcp2 tcp4; do touch "$work/$flow.end"; within 3 "a connection has outlived that ($flow, $(cat "$work/$flow.who"))" unbroken "$work/$flow"; done
within 3 "host 1 knows its own" shell "status_of 1 | has '0 operations pending'"
on 1 nft flush ruleset
inside 2 nft flush ruleset
within 5 "flushed rulesets come back" answered 4
check "a rule of ov-ingress is deleted by hand" shell "inside 3 ip rule del pref 7899 && inside 3 ip -6 rule del pref 7899"
check "and a link of it" inside 2 ip link del host0
within 5 "and comes back" shell "inside 3 ip rule | grep -c 7899 | has -x 2 && inside 3 ip -6 rule | grep -c 7899 | has -x 2 && inside 2 ip link show host0 && answered 4"
check "the stranger's rules are untouched" shell "on 1 nft add table inet other && on 1 nft list tables | has other"
listens 2
within 5 "a program of host 2 has port 7000" answers 1 "stranger $h1" $h2 7000
check "the service is to publish port 7000, which that program has" on 1 overlayd service update --publish-add 7000:7000 web
within 5 "host 1 does" shell "ask 4 tcp $h1 7000 | has '$h4'"
check "the program keeps it" answers 4 "stranger $h4" $h2 7000
within 5 "host 2 says so" shell "on 2 overlayd service inspect web | tr -d '\n' | has 'refusedPorts\": \[ *\"port 7000/tcp of service web: another program has it'"
on 2 pkill -f "backend.py stranger"
check "it is taken back" on 1 overlayd service update --publish-rm 7000/tcp web
check "and the first one published again" on 1 overlayd service update --publish-add 8080:7000 web
within 5 "which answers" answered 4

check "a port on one label's nodes" on 1 overlayd service create edge --network blue -p published=82,target=7000,node-label=edge
check "a backend of it on host 2" sandbox_on 2 edge2 blue --service edge
serve 2 edge2
within 5 "which listens" listening 2 edge2
check "host 1 gets the label" on 1 overlayd node update --label-add edge host1
within 3 "and answers" answers 4 "edge2 $h4" $h1 82
check "host 2 has the backend, and does not" closed 4 $h2 82
check "one address alone" on 1 overlayd service update --publish-add published=83,target=7000,ip=$h1 edge
within 3 "answers there" answers 4 "edge2 $h4" $h1 83
check "and not by the loopback" closed 1 127.0.0.1 83
check "one of IPv6" on 1 overlayd service update --publish-add published=84,target=7000,ip=$six:1 edge
within 3 "answers there, too" answers 4 "edge2 $six:4" $six:1 84
check "and not by IPv4" closed 4 $h1 84
check "a node without that address finds nothing wrong" shell "on 2 overlayd service inspect edge | has 'refusedPorts\": \[\]'"

check "backends are to see their node" on 1 overlayd service update --source-ip snat web
within 5 "they do, by every node, as one there" shell "for address in $h1 $h2 $h3; do ask 4 tcp \$address 8080; done | lacks '$h4'"
within 5 "so it is by IPv6" shell "for n in 1 2 3; do ask 4 tcp $six:\$n 8080; done | lacks '$six:4$'"
check "a megabyte there and back" answers 4 "1 MiB" $h1 8080 bulk
port=5353
within 5 "so it is by UDP" shell "ask 4 udp $h1 5353 | lacks '$h4' && ask 4 udp $h3 5353 | has '^[a-z]*[0-9] '"
port=8080
check "two connections from one port of the client are still two" shell "ask 4 twins 8080 $h1 $h2 | has ' 0 1'"
check "the client again" on 1 overlayd service update --source-ip preserve web
within 5 "is seen" all 4 tcp '\([a-z]*[0-9] '"$h4"';\)\+' 2

check "who was detached is attached again ($name)" on "$(sed 's/[a-z]*//' <<<"$name")" overlayd attach blue "$name" --service web
check "backends of the node that was asked are to come first" on 1 overlayd service update --locality prefer web
within 5 "they do" shell "ask 4 each tcp 8080 3 $h2 $h3 | sort -u | tr '\n' ';' | has -x 'web2 $h4;web3 $h4;'"
check "all are the same again" on 1 overlayd service update --locality off web
within 5 "and asked" shell "ask 4 each tcp 8080 12 $h2 | has 'web3\|web1\|more1'"

load leave
ask_in 1 client1 load "$work/leave-vip" 7000 web >/dev/null 2>&1 &
check "host 3 leaves, backend and all" on 3 overlayd leave
within 5 "the others go on" shell "ask 4 each tcp 8080 6 $h1 $h2 | lacks web3"
check "no request to them failed" ends leave
check "nor one to the virtual address" ends leave-vip
check "nothing of the mesh is left on host 3" shell "on 3 sh -c 'ip netns; ip link; ip rule; nft list tables' | lacks 'ov-\|ovg\|7899\|overlayd'"
check "it joins again" shell "on 3 env OVERLAYD_JOIN_TOKEN=$token overlayd join --advertise-addr $h3 192.168.50.1:2377"
within 5 "and answers, without a backend" shell "ask 4 tcp $h3 8080 | has '$h4'"
check "its backend is attached again, where the program still runs" on 3 overlayd attach blue web3 --service web
within 5 "and is asked" shell "ask 4 each tcp 8080 12 $h1 | has web3"
"$lab" isolate 3
within 12 "when host 3 is lost no client is sent there" shell "ask 4 each tcp 8080 12 $h1 > $work/lost 2>&1; lacks 'web3\|nobody' < $work/lost"
"$lab" heal
within 15 "and when it is back some are" shell "ask 4 each tcp 8080 12 $h1 | has web3"

refused "the same number at another address" 9 "Service web publishes port 8080/tcp" on 1 overlayd service create x --network blue -p published=8080,target=1,ip=192.168.50.9
refused "a port of a service on all nodes, on some" 9 "Service web publishes port 8080/tcp" on 1 overlayd service create x --network blue -p published=8080,target=1,mode=host
refused "an unknown mode" 2 "use ingress" on 1 overlayd service create x --network blue -p published=1,target=1,mode=both
refused "a service on the ingress network" 2 "for published ports alone" on 1 overlayd service create x --network ingress
refused "an attach to it" 2 "for published ports alone" on 1 overlayd attach ingress client1
refused "a detach from it" 9 "own way to published ports" on 1 overlayd detach "$(on 1 overlayd endpoint ls --local -q --network ingress)"
refused "a second one" 9 "cluster has one of that kind" on 1 overlayd network create --ingress other
refused "its removal while it is used" 9 "carries published ports of" on 1 overlayd network rm ingress
on 1 overlayd network create inner --internal >/dev/null
refused "an internal network" 2 "is internal" on 1 overlayd service create x --network inner -p 99:1

check "the services are removed" on 1 overlayd service rm web edge
within 3 "the ports are closed" closed 4 $h2 8080
check "and other programs may have them" shell "on 2 python3 -c 'import socket; socket.create_server((\"\", 8080))'"
check "the ingress network is removed" on 1 overlayd network rm ingress
for host in 1 2 3; do within 5 "nothing of it is left on host $host" shell "on $host sh -c 'ip netns; ip link; ip route' | lacks 'ov-ingress\|ovgi'"; done
check "nor in a sandbox" shell "in_sandbox 2 web2 sh -c 'ip link; ip rule; nft list ruleset' | lacks 'ovin\|7899\|arrivals'"
check "one with a subnet of ours" on 1 overlayd network create --ingress --subnet 10.200.0.0/24 edge
check "is used" shell "on 1 overlayd service create web --network blue -p 8080:7000 && on 1 overlayd network ls | lacks '^[a-z0-9]*  *ingress '"
serve 1 client1
check "by a backend" shell "on 1 overlayd detach blue client1 && on 1 overlayd attach blue client1 --service web"
within 5 "from everywhere" all 4 tcp "client1 $h4;"
check "but not by IPv6, which it has none of" closed 4 $six:1 8080
