#!/usr/bin/env bash
# Published ports of nodes that have backends: who answers whom, and by what address; what detach, drain, update, death, a flushed
# ruleset, a killed agent and other programs do to them; wrong input of every word.
. "$(dirname "$0")/lib.sh"
begin 3
within 5 "three nodes are alive" alive 1 3
h1=192.168.50.1 h2=192.168.50.2 h3=192.168.50.3 six=fd50:
answers_in() { local said; said=$(ask_in "$1" "$2" "${6:-tcp}" "$4" "$5" 2>&1); echo "$said"; [ "$said" = "$3" ]; }
backend() { sandbox_on "$1" "$2" blue --service "$3" && serve "$1" "$2"; }
export -f answers_in

check "a stranger's rules are on host 1" on 1 nft add table inet strangers '{ chain c { type filter hook forward priority 5; policy accept; } ; }'
check "a network is made" on 1 overlayd network create blue --attachable
check "a service with two ports" on 1 overlayd service create web --network blue --publish published=8080,target=7000,mode=host \
    -p published=5353,target=7000,protocol=udp,mode=host
check "without a backend nobody answers" closed 3 $h1 8080
for host in 1 2; do check "a backend on host $host" backend "$host" "web$host" web; done
within 5 "host 1 answers, and its backend sees the client itself" answers 3 "web1 $h3" $h1 8080
within 5 "so does host 2" answers 3 "web2 $h3" $h2 8080
check "by UDP, too" answers 3 "web1 $h3" $h1 5353 udp
check "and from host 2 to host 1" answers 2 "web1 $h2" $h1 8080
check "host 1 reaches its own" answers 1 "web1 $h1" $h1 8080
check "by IPv6, where the backend sees the client, too" answers 3 "web1 $six:3" $six:1 8080
check "and by UDP" answers 3 "web2 $six:3" $six:2 5353 udp
check "and host 1 its own" answers 1 "web1 $six:1" $six:1 8080
check "at ::1, from where nothing leaves, nobody answers" closed 1 ::1 8080
check "a sandbox begins nothing by that" shell "! in_sandbox 1 web1 sh -c 'ping -6 -c 1 -W 1 -I \$(ip -6 -o addr show ovgw | grep -o fd4f[0-9a-f:]*) $six:3'"
check "by its loopback" shell "ask 1 tcp 127.0.0.1 8080 | has '^web1 '"
check "and by UDP" shell "ask 1 udp 127.0.0.1 5353 | has '^web1 '"
check "host 3 has no backend, and nobody answers there" closed 1 $h3 8080
check "a port that is not published is closed" closed 3 $h1 7000
check "a client in a sandbox on host 1" sandbox_on 1 client1 blue
check "is refused at its own host's port: sandboxes have names" answers_in 1 client1 refused $h1 8080
check "a client in a sandbox on host 3" sandbox_on 3 client3 blue
check "reaches host 1's as its host" answers_in 3 client3 "web1 $h3" $h1 8080
check "and has the name" shell "ask_in 1 client1 tcp web 7000 | has '^web[12] '"
check "service ls shows the ports" shell "on 2 overlayd service ls | has -F '*:8080->7000/tcp (host), *:5353->7000/udp (host)'"
check "and finds them" shell "on 2 overlayd service ls -q --filter publish=8080/tcp | wc -l | has -x 1"
check "a sandbox gets a default route of its own" shell "in_sandbox 1 web1 sh -c 'ip link add dock0 type bridge && ip link set dock0 up &&
    ip addr add 10.9.9.2/24 dev dock0 && ip route add default via 10.9.9.1'"
check "and answers all the same" answers 3 "web1 $h3" $h1 8080
check "a backend whose sandbox has IPv6 turned off" shell "on 3 overlayd sandbox create dark >/dev/null && in_sandbox 3 dark sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 &&
    on 3 overlayd attach blue dark --service web"
serve 3 dark
within 5 "serves clients by it" answers 1 "dark $six:1" $six:3 8080
check "it goes" on 3 overlayd detach blue dark
check "backends are to see their node" on 1 overlayd service update --source-ip snat web
within 3 "the bridge is seen" shell "ask 3 tcp $h1 8080 | has '^web1 172[.0-9]*\.1$'"
check "so it is by UDP" shell "ask 3 udp $h1 5353 | has '^web1 172[.0-9]*\.1$'"
check "and by IPv6" shell "ask 3 tcp $six:1 8080 | has '^web1 fd4f:7665:726c:6179::.*1$'"
check "the client again" on 1 overlayd service update --source-ip preserve web
within 3 "is seen" answers 3 "web1 $h3" $h1 8080
refused "neither of the two" 2 "--source-ip" on 1 overlayd service update --source-ip hide web
in_sandbox 1 web1 ip route del default via 10.9.9.1

check "a second backend on host 1" backend 1 more1 web
within 5 "gets its turn" shell "for i in \$(seq 8); do ask 3 tcp $h1 8080; done | sort | uniq -c | tr -s ' ' | sort | tr '\n' ';' | has ' 4 more1 $h3; 4 web1 $h3;'"
check "it is detached" on 1 overlayd detach blue more1
within 2 "and gets none" shell "for i in \$(seq 8); do ask 3 tcp $h1 8080; done | sort -u | tr '\n' ';' | has -x 'web1 $h3;'"

check "another sandbox takes its place" backend 1 more2 web
within 3 "and has its turn, whatever the host knew of the former" shell "for i in \$(seq 8); do ask 3 tcp $h1 8080; done | sort | uniq -c | tr -s ' ' | sort | tr '\n' ';' | has ' 4 more2 $h3; 4 web1 $h3;'"
check "it is detached, too" on 1 overlayd detach blue more2
check "another program cannot have the port" shell \
    "{ ! on 1 python3 -c 'import socket; socket.create_server((\"\", 8080))'; } 2>&1 | has 'Address already in use'"
listens 3
check "neither by IPv6" shell "{ ! on 1 python3 -c 'import socket; socket.create_server((\"::\", 8080), family=socket.AF_INET6)'; } 2>&1 | has 'Address already in use'"
within 5 "a program of host 3 has port 7000" answers 1 "stranger $h1" $h3 7000
check "a backend on host 3" backend 3 web3 web
within 5 "its port is served" answers 1 "web3 $h1" $h3 8080
check "the service is to publish port 7000, which that program has" on 1 overlayd service update --publish-add published=7000,target=7000,mode=host web
within 5 "host 1 does" answers 3 "web1 $h3" $h1 7000
check "the program keeps it" answers 1 "stranger $h1" $h3 7000
within 5 "host 3 says so" shell "on 3 overlayd service inspect web | tr -d '\n' | has 'refusedPorts\": \[ *\"port 7000/tcp of service web: another program has it'"
check "so does its log" shell '"$lab" logs 3 50 | has "Not published here: port 7000/tcp of service web: another program has it"'
on 3 pkill -f "backend.py stranger"
on 3 python3 -c 'import socket; s = socket.create_server(("::", 7000), family=socket.AF_INET6); s.accept()[0].recv(1)' >/dev/null 2>&1 &
within 25 "when the program is gone it is served" answers 1 "web3 $h1" $h3 7000
within 5 "of another one, which has it by IPv6 alone, the same is said" shell "on 3 overlayd service inspect web | has 'port 7000/tcp of service web by IPv6: another program has it'"
check "which ends with its first client" shell "on 1 python3 -c 'import socket; socket.create_connection((\"$six:3\", 7000))'"
within 25 "so that this is served, too" answers 1 "web3 $six:1" $six:3 7000
check "and nothing is refused" shell "on 3 overlayd service inspect web | has 'refusedPorts\": \[\]'"
check "it is taken back" on 1 overlayd service update --publish-rm 7000/tcp web
within 3 "with all that led to that target by TCP" closed 3 $h1 7000
within 3 "everywhere" closed 1 $h2 8080
check "UDP goes on" answers 3 "web1 $h3" $h1 5353 udp
check "the other one is published again" on 1 overlayd service update --publish-add published=8080,target=7000,mode=host web
within 3 "and answers" answers 3 "web1 $h3" $h1 8080

ask 3 hold-tcp $h1 8080 "$work/tcp1" >/dev/null 2>&1 &
ask 3 hold-tcp $h2 8080 "$work/tcp2" >/dev/null 2>&1 &
ask 3 hold-udp $h2 5353 "$work/udp2" >/dev/null 2>&1 &
ask 3 hold-tcp $six:2 8080 "$work/tcp6" >/dev/null 2>&1 &
ask 3 hold-udp $six:2 5353 "$work/udp6" >/dev/null 2>&1 &
for flow in tcp1 tcp2 udp2 tcp6 udp6; do within 5 "a flow is held ($flow)" said "$work/$flow" held; done
check "host 2 is drained" on 1 overlayd node update --availability drain host2
within 3 "nothing new is taken there" closed 3 $h2 8080
within 3 "UDP is cut at once" said "$work/udp2" silent
within 3 "by IPv6, too" said "$work/udp6" silent
check "the connections go on" shell "! grep -q broken $work/tcp2 $work/tcp6"
check "host 2 is active" on 1 overlayd node update --availability active host2
within 3 "and answers" answers 3 "web2 $h3" $h2 8080
"$lab" kill 1
check "with the agent killed the port is served" answers 3 "web1 $h3" $h1 8080
check "the agent starts again" "$lab" restart 1
check "and leaves it as it is" answers 3 "web1 $h3" $h1 8080
check "a service that comes and goes" shell "on 1 overlayd service create churn --network blue -p published=81,target=81,mode=host && on 1 overlayd service rm churn"
touch "$work/tcp1.end" "$work/tcp2.end" "$work/tcp6.end"
within 3 "nothing of it has touched the connections" shell "tail $work/tcp1 $work/tcp2; grep -q end $work/tcp1 && grep -q end $work/tcp2 && grep -q end $work/tcp6 && ! grep -q broken $work/tcp1 $work/tcp2 $work/tcp6"
on 2 nft flush ruleset
within 3 "a flushed ruleset comes back" answers 3 "web2 $h3" $h2 8080
check "the sandbox's rules are deleted by hand" shell "in_sandbox 2 web2 ip rule del pref 7900 && in_sandbox 2 web2 ip -6 rule del pref 7900"
within 3 "and come back" shell "in_sandbox 2 web2 ip rule | has 7900 && in_sandbox 2 web2 ip -6 rule | has 7900"
check "the stranger's rules are as they were" shell "on 1 nft list table inet strangers | has 'chain c'"

check "a free number is chosen" shell "on 1 overlayd service create auto --network blue --publish target=7000,mode=host 2>&1 | has -F 'Published: *:30000->7000/tcp (host).'"
check "a node's label decides" on 1 overlayd service create labelled --network blue -p published=82,target=7000,mode=host,node-label=zone=a
check "a backend of it on host 3" backend 3 lab3 labelled
check "without the label nobody answers" closed 1 $h3 82
check "host 3 gets it" on 1 overlayd node update --label-add zone=a host3
within 3 "and answers" answers 1 "lab3 $h1" $h3 82
check "one address alone" on 1 overlayd service update -q --publish-add published=83,target=7000,mode=host,ip=$h3 labelled
within 3 "answers there" answers 1 "lab3 $h1" $h3 83
check "and not by the loopback" closed 3 127.0.0.1 83
check "nor by IPv6" closed 1 $six:3 83
check "one address of IPv6" on 1 overlayd service update -q --publish-add published=85,target=7000,mode=host,ip=$six:3 labelled
within 3 "answers there" answers 1 "lab3 $six:1" $six:3 85
check "and not by IPv4" closed 1 $h3 85
check "one interface alone" on 1 overlayd service update --publish-add published=84,target=7000,mode=host,interface=eth9 labelled
check "is closed by others" closed 1 $h3 84

refused "a port of another service" 9 "Service web publishes port 8080/tcp" on 1 overlayd service create x --network blue -p published=8080,target=1,mode=host
refused "one twice" 9 "already, or twice" on 1 overlayd service create x --network blue -p published=1,target=1,mode=host -p published=1,target=2,mode=host
refused "an unknown mode" 2 "use ingress (every node) or host" on 1 overlayd service create x --network blue -p published=1,target=1,mode=both
refused "no target" 2 "target is missing" on 1 overlayd service create x --network blue -p published=1,mode=host
refused "port 0" 2 "published is '0'" on 1 overlayd service create x --network blue -p published=0,target=1,mode=host
refused "port 65536" 2 "target is '65536'" on 1 overlayd service create x --network blue -p published=1,target=65536,mode=host
refused "an unknown protocol" 2 "use tcp, udp or sctp" on 1 overlayd service create x --network blue -p published=1,target=1,mode=host,protocol=icmp
refused "an unknown word" 2 "there is no 'host'" on 1 overlayd service create x --network blue -p published=1,target=1,host=me
refused "the loopback of IPv6" 2 "use 127.0.0.1" on 1 overlayd service create x --network blue -p published=1,target=1,mode=host,ip=::1
refused "an address of one link" 2 "address of one link" on 1 overlayd service create x --network blue -p published=1,target=1,mode=host,ip=fe80::1
refused "what is no address" 2 "is no IP address" on 1 overlayd service create x --network blue -p published=1,target=1,mode=host,ip=ten
refused "an interface that cannot be" 2 "no name of an interface" on 1 overlayd service create x --network blue -p 'published=1,target=1,mode=host,interface=a/b'
refused "a label that is none" 2 "no label of a node" on 1 overlayd service create x --network blue -p published=1,target=1,mode=host,node-label==a
on 1 overlayd network create inner --internal >/dev/null
refused "an internal network" 2 "is internal" on 1 overlayd service create x --network inner -p published=1,target=1,mode=host
refused "a service that is not there" 8 "no service" on 1 overlayd service update --scheduler rr nobody
refused "a target that is not published" 8 "publishes no target port 9" on 1 overlayd service update --publish-rm 9 web
refused "an update of nothing" 2 "needs --publish-add" on 1 overlayd service update web

check "the service is removed" on 1 overlayd service rm web
within 3 "its ports are closed" closed 3 $h1 8080
within 3 "by IPv6, too" closed 3 $six:1 8080
check "and other programs may have them" shell "on 1 python3 -c 'import socket; socket.create_server((\"\", 8080))'"
check "the way back is gone from the sandbox" shell "in_sandbox 1 web1 sh -c 'ip rule; ip -6 rule; ip -6 addr show ovgw' | lacks '7900\|fd4f'"
check "the others are removed" on 1 overlayd service rm labelled auto
check "a host whose way out by IPv6 is advertised" shell "on 3 sysctl -qw net.ipv6.conf.all.forwarding=0 net.ipv6.conf.eth0.accept_ra=1 && on 3 ip -6 route add default dev eth0 proto ra"
check "gets a port of it" on 1 overlayd service create ra --network blue -p published=86,target=7000,mode=host
check "and a backend" backend 3 ra3 ra
within 5 "serves it by IPv4" answers 1 "ra3 $h1" $h3 86
check "and not by IPv6, for which it would lose that way" closed 1 $six:3 86
check "which it says, and what to do" shell "on 3 overlayd service inspect ra | has 'by IPv6: eth0 has its default route from router advertisements.*accept_ra=2'"
check "it has not begun to forward" shell "on 3 cat /proc/sys/net/ipv6/conf/all/forwarding | has -x 0"
check "that is done" on 3 sysctl -qw net.ipv6.conf.eth0.accept_ra=2
within 25 "and IPv6 is served" answers 1 "ra3 $six:1" $six:3 86
