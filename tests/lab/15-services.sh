#!/usr/bin/env bash
# Services as names: backends on three hosts, by every spelling of the name, their ports as SRV records; detach, drain and death of a node;
# removal; wrong input.
. "$(dirname "$0")/lib.sh"
begin 3
within 5 "three nodes are alive" alive 1 3
check "a network is made" on 1 overlayd network create blue --attachable --ipv6
check "another one" on 1 overlayd network create green --attachable
check "a service is made" on 1 overlayd service create web --network blue --endpoint-mode dnsrr --label tier=front
check "another one on the same network" on 1 overlayd service create api --network blue --endpoint-mode dnsrr
check "one on the other network" on 1 overlayd service create far --network green --endpoint-mode dnsrr
for host in 1 2 3; do
    check "a backend on host $host" sandbox_on "$host" "web$host" blue --service "web:$host"
    check "a client on host $host" sandbox_on "$host" "client$host" blue
done
check "a backend of the other service" sandbox_on 2 api1 blue --service api

# resolved HOST NAME TYPE: the addresses that the client there gets, in order.
resolved() { in_sandbox "$1" "client$1" dig +short +time=2 +tries=1 @127.0.0.11 "$2" "$3" | sort; }
# attached FAMILY ENDPOINT...: the addresses of these endpoints as the manager knows them, in order.
attached() {
    local family=$1; shift
    on 1 overlayd endpoint inspect "$@" --format json | grep -o "\"$family\": *\"[^/]*" | grep -o '[^"]*$' | sort
}
answers() { [ -n "$(resolved "$1" "$2" "$3")" ] && [ "$(resolved "$1" "$2" "$3")" = "$4" ]; }
export -f resolved attached answers
all4=$(attached ipv4 web1 web2 web3) all6=$(attached ipv6 web1 web2 web3)
check "each backend has an address of both families" shell "[ $(wc -w <<<"$all4") -eq 3 ] && [ $(wc -w <<<"$all6") -eq 3 ]"
for host in 1 2 3; do
    for name in web tasks.web web.blue Tasks.Web.Blue; do
        within 3 "host $host gets all backends of $name" answers "$host" "$name" A "$all4"
    done
    check "and their IPv6 addresses" answers "$host" web AAAA "$all6"
    check "getent knows the service on host $host" in_sandbox "$host" "client$host" getent ahosts web
    check "the other service has its own backend" answers "$host" api A "$(attached ipv4 api1)"
done
check "a client reaches the service by its name" ping_by_name 3 client3 web
check "the order changes from answer to answer" shell \
    "[ \$(for i in \$(seq 20); do in_sandbox 1 client1 dig +short @127.0.0.11 web A | head -n 1; done | sort -u | wc -l) -gt 1 ]"
check "an address leads back to the endpoint" shell "in_sandbox 1 client1 dig +short -x $(attached ipv4 web2) @127.0.0.11 | has -x web2.blue."
check "a service of another network has no name here" fails in_sandbox 1 client1 getent hosts far

# ports HOST NAME: the SRV records that the client there gets, in order: priority, weight, port, target.
ports() { resolved "$1" "$2" SRV; }
leads() { [ "$(ports "$1" "$2")" = "$3" ]; }
export -f ports leads
srv() { in_sandbox 1 client1 dig +time=2 +tries=1 @127.0.0.11 "$@"; }
export -f srv
tcp1="0 1 7000 web1.blue." tcp2="0 2 7000 web2.blue." tcp3="0 3 7000 web3.blue."
tcp=$(printf '%s\n' "$tcp1" "$tcp2" "$tcp3") udp=$(printf '%s\n' "0 1 53 web1.blue." "0 2 53 web2.blue." "0 3 53 web3.blue.")
check "a service that publishes nothing has no SRV records" shell "srv web SRV | has 'status: NOERROR' && srv web SRV | has 'ANSWER: 0, AUTHORITY: 1'"
check "it publishes two ports" on 1 overlayd service update --publish-add published=8080,target=7000,mode=host \
    --publish-add published=5353,target=53,protocol=udp,mode=host web
for host in 1 2 3; do
    within 3 "host $host gets weight, port and name of each backend at _web._tcp" leads "$host" _web._tcp "$tcp"
    check "the other protocol's port at _web._udp.blue" leads "$host" _Web._UDP.Blue "$udp"
    for name in web tasks.web.blue; do check "and all of them at $name" leads "$host" "$name" "$(sort <<<"$tcp"$'\n'"$udp")"; done
done
check "a protocol without a port has none" shell "srv _web._sctp SRV | has 'ANSWER: 0, AUTHORITY: 1' && srv _web._sctp SRV | has 'status: NOERROR'"
check "an endpoint's own name has none" shell "srv web1 SRV | has 'ANSWER: 0, AUTHORITY: 1'"
check "the backends' addresses go along" shell "srv _web._tcp SRV | has 'ANSWER: 3, AUTHORITY: 0, ADDITIONAL: 7'"
check "over TCP, too" shell "srv +tcp _web._tcp SRV | has 'ANSWER: 3, AUTHORITY: 0, ADDITIONAL: 7'"
check "without EDNS, too" shell "srv +noedns _web._tcp.blue SRV | has 'ANSWER: 3, AUTHORITY: 0, ADDITIONAL: 6'"
for name in web1 web2 web3; do
    check "one of them is $name's" shell "srv _web._tcp SRV | has '^$name.blue.*[[:space:]]A[[:space:]]*$(attached ipv4 $name)'"
done
check "their order changes from answer to answer" shell \
    "[ \$(for i in \$(seq 20); do in_sandbox 1 client1 dig +short @127.0.0.11 _web._tcp SRV | head -n 1; done | sort -u | wc -l) -gt 1 ]"
check "an unknown service of the network does not exist" shell "srv _wbe._tcp.blue SRV | has 'status: NXDOMAIN'"
check "what is not ours is not answered from here" shell "srv +time=6 _ldap._tcp.corp.example SRV | lacks 'flags:.* aa'"

check "service ls counts the backends" shell "on 2 overlayd service ls | grep -E 'web +blue +dnsrr +3/3'"
check "it is filtered" shell "on 1 overlayd service ls -q --filter label=tier=front | wc -l | has -x 1"
check "service inspect has node, state and weight" shell \
    "on 1 overlayd service inspect web | tr -d ' \n' | has '\"name\":\"web3\",.*\"node\":\"host3\",.*\"state\":\"ready\",\"weight\":3,\"inNames\":true'"
check "endpoint ls shows whose backend it is" shell "on 3 overlayd endpoint ls --filter service=web -q | wc -l | has -x 3"

check "a backend is detached" on 3 overlayd detach blue web3
without3=$(attached ipv4 web1 web2)
for host in 1 2 3; do within 3 "it has left the name on host $host" answers "$host" web A "$without3"; done
check "and its port" leads 1 _web._tcp "$(printf '%s\n' "$tcp1" "$tcp2")"
check "it is attached again, without the service" on 3 overlayd attach blue web3
check "and has its own name alone" answers 1 web A "$without3"
check "and once more with it" shell "on 3 overlayd detach blue web3 && on 3 overlayd attach --service web blue web3"
all4=$(attached ipv4 web1 web2 web3)
within 3 "the name has all again" answers 1 web A "$all4"
tcp3="0 1 7000 web3.blue."

check "host 2 is drained" on 1 overlayd node update --availability drain host2
for host in 1 2 3; do within 5 "its backend has left the name on host $host" answers "$host" web A "$(attached ipv4 web1 web3)"; done
check "and its port" leads 3 _web._tcp "$(printf '%s\n' "$tcp1" "$tcp3")"
check "inspect says so" shell "on 1 overlayd service inspect web | tr -d ' \n' | has '\"state\":\"drained\",\"weight\":2,\"inNames\":false'"
check "and ls" shell "on 1 overlayd service ls | grep -E 'web +blue +dnsrr +2/3'"
check "it is active again" on 1 overlayd node update --availability active host2
within 5 "and the backend is back" answers 3 web A "$all4"
check "a port is published no more" on 1 overlayd service update --publish-rm 53 web
within 3 "it has left the names" leads 2 web "$(printf '%s\n' "$tcp1" "$tcp3" "$tcp2")"

"$lab" kill 2
drain() { on 1 overlayd node inspect host3 | tr -d ' \n' | has "\"availability\":\"$1\",\"drained\":$2"; }
within 15 "the agent of host 2 is killed" shell "on 1 overlayd node ls | grep -E 'host2 .*agent-down'"
refused "a drain of host 3 does not claim to be known there" 7 "not every node has said" \
    on 1 overlayd node update --availability drain --timeout 3s host3
check "it holds, and is said not to be acknowledged" drain drain false
check "the agent starts again" "$lab" restart 2
within 15 "and now the drain is acknowledged" drain drain true
check "host 3 is active again" on 1 overlayd node update --availability active host3
check "nothing is drained" drain active false
within 5 "all backends are in the name" answers 2 web A "$all4"
check "host 3 is cut off" "$lab" isolate 3
within 5 "its backend has left the name on host 1" answers 1 web A "$(attached ipv4 web1 web2)"
within 5 "and on host 2" answers 2 tasks.web A "$(attached ipv4 web1 web2)"
check "host 3 is connected again" "$lab" heal
within 10 "and its backend is back" answers 1 web A "$all4"

refused "an unknown network" 8 "no network 'grey'" on 1 overlayd service create x --network grey --endpoint-mode dnsrr
refused "no network" 2 "needs --network" on 1 overlayd service create x --endpoint-mode dnsrr
refused "a name twice, in another case" 9 "on network blue is called web" on 1 overlayd service create WEB --network green --endpoint-mode dnsrr
refused "a name that is no label" 2 "DNS label" on 1 overlayd service create tasks.web --network blue --endpoint-mode dnsrr
refused "a name that an endpoint has" 9 "is called client2" on 1 overlayd service create client2 --network blue --endpoint-mode dnsrr
refused "a worker decides nothing" 1 "worker" on 2 overlayd service create x --network blue --endpoint-mode dnsrr
on 2 overlayd sandbox create box >/dev/null
refused "an endpoint with a service's name" 9 "service web of blue has that name" on 2 overlayd attach blue box --name web
refused "an unknown service" 8 "no service 'wbe'" on 2 overlayd attach blue box --service wbe
refused "a service of another network" 9 "service far is on network green" on 2 overlayd attach blue box --service far
refused "a weight of 0" 2 "weight from 1 to 65535" on 2 overlayd attach blue box --service web:0
refused "a service that is not there" 8 "no service 'x'" on 1 overlayd service rm x
refused "a network with services is not removed" 9 "the service far" on 1 overlayd network rm green

check "service rm says what becomes of the backends" shell "on 1 overlayd service rm web 2>&1 | grep 'The 3 endpoints that were its backends go on'"
for host in 1 2 3; do within 3 "the name is gone on host $host" fails answers "$host" web A "$all4"; done
check "its ports, too" shell "srv _web._tcp.blue SRV | has 'status: NXDOMAIN'"
check "the endpoints are reached by their own" ping_by_name 1 client1 web3
check "a new service of that name" on 1 overlayd service create web --network blue --endpoint-mode dnsrr
check "begins without backends" shell "on 1 overlayd service ls | grep -E 'web +blue +dnsrr +0/0'"
check "the other network goes with its service" shell "on 1 overlayd service rm far && on 1 overlayd network rm green"
