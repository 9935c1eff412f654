#!/usr/bin/env bash
# Services with virtual addresses: who gets connections, of whom the backend sees the address, and what detach, drain, death, a flushed
# ruleset and a killed agent do to them; wrong input of every flag.
. "$(dirname "$0")/lib.sh"
cat >"$work/client.py" <<'EOF'
# tcp|udp ADDRESS [COUNT]: who answered how often, and as whom they saw us: "web1=3 web2=5 as 10.0.0.2".
# hold-tcp|hold-udp ADDRESS BACKEND FILE: goes on with that backend until FILE.end is there; FILE: who answered when, and pauses.
import collections, os, socket, sys, time
what, address = sys.argv[1:3]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
def tcp():
    s = socket.create_connection((address, 7000), timeout=3)
    return s, s.recv(1000).decode().split()
def udp(s=None):
    if s is None:
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.connect((address, 7000))
    s.settimeout(0.3)
    s.send(b"who")
    return s, s.recv(1000).decode().split()
def once(make):
    while True:
        s, (name, peer) = make()
        if name == sys.argv[3]:
            return s
        s.close()
if not what.startswith("hold"):
    names, peers = collections.Counter(), set()
    for _ in range(int(sys.argv[3]) if len(sys.argv) > 3 else 1):
        begun = time.monotonic()
        try:
            s, (name, peer) = tcp() if what == "tcp" else udp()
        except ConnectionRefusedError:
            sys.exit(f"refused after {time.monotonic() - begun:.2f} s")
        s.close()
        names[name] += 1
        peers.add(peer)
    print(*(f"{n}={c}" for n, c in sorted(names.items())), "as", *sorted(peers))
    sys.exit()
s = once(tcp if what == "hold-tcp" else udp)
last, before = time.monotonic(), None
with open(sys.argv[4], "w", buffering=1) as log:
    while not os.path.exists(sys.argv[4] + ".end"):
        try:
            if what == "hold-tcp":
                s.settimeout(20)
                s.send(b"x")
                name = sys.argv[3] if s.recv(10) == b"x" else "nobody"
            else:
                name = udp(s)[1][0]
        except OSError:
            if what == "hold-tcp":
                print("broken", file=log)
                raise
            continue
        if name != before:
            print("from", name, file=log)
        if time.monotonic() - last > 1:
            print("pause", round(time.monotonic() - last, 1), file=log)
        last, before = time.monotonic(), name
        time.sleep(0.02)
    print("end", file=log)
EOF
begin 3
within 5 "three nodes are alive" alive 1 3
check "a network is made" on 1 overlayd network create blue --attachable --ipv6
check "another one" on 1 overlayd network create green --attachable
check "a service is made, with a virtual address by default" on 1 overlayd service create web --network blue --label tier=front

# vip SERVICE FAMILY: its virtual address.
vip() { on 1 overlayd service inspect "$1" | grep -A 3 virtualAddresses | grep -o '"[0-9a-f.:]*[.:][0-9a-f.:]*"' | tr -d '"' | if [ "$2" = 4 ]; then grep -v :; else grep :; fi; }
# backend HOST BOX NETWORK SERVICE[:WEIGHT]: a sandbox with a server in it.
backend() {
    sandbox_on "$1" "$2" "$3" --service "$4" || return 1
    serve "$1" "$2"
}
# client HOST BOX ARGS...: client.py there.
client() { local host=$1 box=$2; shift 2; in_sandbox "$host" "$box" python3 "$work/client.py" "$@"; }
own() { on 1 overlayd endpoint inspect "$1" --format json | grep -o "\"ipv$2\": *\"[^/]*" | grep -o '[^"]*$'; }
table() { in_sandbox "$1" "$2" nft -s list table inet overlayd; }
# shares TEXT NAME=MIN-MAX...: the counts of "web1=3 web2=5 as …" lie in the ranges, and there are no others.
shares() {
    local text=$1 part name range count; shift
    [ "$(grep -o = <<<"$text" | wc -l)" -eq $# ] || return 1
    for part in "$@"; do
        name=${part%=*} range=${part#*=}
        count=$(grep -oE "(^| )$name=[0-9]+" <<<"$text" | grep -oE '[0-9]+$') || return 1
        [ "$count" -ge "${range%-*}" ] && [ "$count" -le "${range#*-}" ] || return 1
    done
}
# spread HOST BOX KIND ADDRESS COUNT NAME=MIN-MAX...: so many connections or questions have these shares.
spread() {
    local host=$1 box=$2 kind=$3 address=$4 count=$5 out; shift 5
    out=$(client "$host" "$box" "$kind" "$address" "$count" 2>&1); echo "$out"
    shares "$out" "$@"
}
quick_refusal() { local out; out=$(client "$1" "$2" tcp "$3" 2>&1); echo "$out"; grep -q "refused after 0\.[0-4]" <<<"$out"; }
same_table() { [ "$(table "$1" "$2")" = "$3" ]; }
said() { grep -q "$2" "$1"; }
export -f vip client own table shares spread quick_refusal said

for host in 1 2 3; do check "a client on host $host" sandbox_on "$host" "client$host" blue; done
vip4=$(vip web 4) vip6=$(vip web 6)
check "it has an address of each family" shell "[ -n '$vip4' ] && [ -n '$vip6' ]"
within 3 "without backends it is refused at once" quick_refusal 1 client1 "$vip4"
check "in IPv6, too" quick_refusal 3 client3 "$vip6"
check "and its name is there" shell "in_sandbox 2 client2 dig +short web @127.0.0.11 | has -x '$vip4'"
for host in 1 2 3; do check "a backend on host $host" backend "$host" "web$host" blue "web:$host"; done
for host in 1 2 3; do
    for name in web Web.Blue; do
        within 3 "host $host gets the virtual address of $name" shell "in_sandbox $host client$host dig +short $name @127.0.0.11 | has -x '$vip4'"
    done
    check "and that of IPv6" shell "in_sandbox $host client$host dig +short web AAAA @127.0.0.11 | has -x '$vip6'"
    within 3 "tasks.web has the backends" shell "in_sandbox $host client$host dig +short tasks.web @127.0.0.11 | wc -l | has -x 3"
done
check "the address leads back to the service" shell "in_sandbox 1 client1 dig +short -x $vip4 @127.0.0.11 | has -x web.blue."
check "and that of IPv6" shell "in_sandbox 1 client1 dig +short -x $vip6 @127.0.0.11 | has -x web.blue."
check "service ls shows mode, backends, addresses and scheduler" shell "on 2 overlayd service ls | grep -E 'web +blue +vip +3/3 +$vip4, $vip6 +wrr'"
check "and as JSON" shell "on 2 overlayd service ls --format json | tr -d ' \n' | has '\"virtualAddresses\":\[\"$vip4\",\"$vip6\"\],\"scheduler\":\"SCHEDULER_WRR\"'"
check "status names the load balancer" shell "status_of 1 | grep 'balanced by nftables'"
check "status has it as JSON" shell "json_of 1 | grep '\"loadBalancer\":\"nftables\"'"

within 3 "all three are reached from host 1" spread 1 client1 tcp "$vip4" 60 web1=1-60 web2=1-60 web3=1-60
check "connections follow the weights" spread 1 client1 tcp "$vip4" 1200 web1=120-280 web2=320-480 web3=520-680
check "those of IPv6, too" spread 2 client2 tcp "$vip6" 1200 web1=120-280 web2=320-480 web3=520-680
check "and questions by UDP" spread 3 client3 udp "$vip4" 1200 web1=120-280 web2=320-480 web3=520-680
check "backends of the client's own node are to come first" on 1 overlayd service update --locality prefer web
within 3 "they do" spread 1 client1 tcp "$vip4" 20 web1=20-20
check "they are to be the only ones" on 1 overlayd service update --locality require web
check "that one is detached" on 1 overlayd detach blue web1
within 3 "and the client is refused" quick_refusal 1 client1 "$vip4"
check "others are wanted then" on 1 overlayd service update --locality prefer web
within 3 "and asked" spread 1 client1 tcp "$vip4" 60 web2=1-60 web3=1-60
check "it is attached again" on 1 overlayd attach blue web1 --service web:1
check "all are the same again" on 1 overlayd service update --locality off web
within 3 "and asked" spread 1 client1 tcp "$vip4" 60 web1=1-60 web2=1-60 web3=1-60
check "backends see the client's own address" shell "[ \"\$(client 1 client1 tcp $vip4 30 | sed 's/.* as //')\" = '$(own client1 4)' ]"
check "in IPv6, too" shell "[ \"\$(client 3 client3 udp $vip6 30 | sed 's/.* as //')\" = '$(own client3 6)' ]"
check "a backend that calls its own service reaches all, itself, too" spread 2 web2 tcp "$vip4" 60 web1=1-60 web2=1-60 web3=1-60
check "and is seen as itself" shell "[ \"\$(client 2 web2 tcp $vip6 30 | sed 's/.* as //')\" = '$(own web2 6)' ]"
check "a ping is answered" in_sandbox 1 client1 ping -c 1 -W 2 "$vip4"
check "one of IPv6, too" in_sandbox 1 client1 ping -6 -c 1 -W 2 web

check "a service of equal backends" on 1 overlayd service create turn --network blue --scheduler rr
check "one that clients stay with" on 1 overlayd service create stay --network blue --scheduler sh --vip 10.0.0.80
check "its address is the one asked for" shell "[ '$(vip stay 4)' = 10.0.0.80 ]"
for host in 2 3; do
    check "a backend of turn on host $host" backend "$host" "turn$host" blue "turn:$host"
    check "a backend of stay on host $host" backend "$host" "stay$host" blue stay
done
turn4=$(vip turn 4)
within 3 "they take turns, whatever their weight" spread 1 client1 tcp "$turn4" 20 turn2=10-10 turn3=10-10
within 3 "a client stays with one backend" shell "client 1 client1 tcp 10.0.0.80 40 | grep -E '^stay[23]=40 as'"
check "and is the same for UDP" shell "[ \"\$(client 1 client1 tcp 10.0.0.80 | cut -d= -f1)\" = \"\$(client 1 client1 udp 10.0.0.80 | cut -d= -f1)\" ]"

check "a service whose backends weigh what their node's label says" on 1 overlayd service create cores --network blue --weight-by cores
for host in 2 3; do check "a backend of it on host $host" backend "$host" "cores$host" blue cores; done
cores4=$(vip cores 4)
within 3 "without labels they take turns" spread 1 client1 tcp "$cores4" 20 cores2=10-10 cores3=10-10
check "host 2 has 1" on 1 overlayd node update --label-add cores=1 host2
check "host 3 has 4" on 1 overlayd node update --label-add cores=4 host3
within 5 "one in five goes to host 2" spread 1 client1 tcp "$cores4" 500 cores2=60-140 cores3=360-440
check "that is what is shown" shell "[ \"\$(on 1 overlayd service inspect cores | grep -o '\"weight\": *[0-9]*' | grep -o '[0-9]*' | sort | xargs)\" = '1 4' ]"
refused "which rr does not heed" 2 "leave .--weight-by. out" on 1 overlayd service update cores --scheduler rr
check "by no label any more" on 1 overlayd service update cores --weight-by ''
within 3 "they take turns again" spread 1 client1 tcp "$cores4" 20 cores2=10-10 cores3=10-10
for host in 2 3; do check "cores$host ends" on "$host" overlayd detach blue "cores$host"; done
check "and its service" on 1 overlayd service rm cores

check "a service on another network" on 1 overlayd service create api --network green
check "with a backend" backend 3 api3 green api
api4=$(vip api 4)
check "a client on both networks" on 1 overlayd attach green client1
within 3 "reaches the service of one" spread 1 client1 tcp "$api4" 5 api3=5-5
check "and that of the other" spread 1 client1 tcp "$vip4" 60 web1=1-60 web2=1-60 web3=1-60
check "one that is on blue alone has no way there" fails client 2 client2 tcp "$api4"
check "nor a rule for it" shell "table 2 client2 | lacks '$api4'"

client 1 client1 hold-tcp "$vip4" web1 "$work/tcp1" 2>>"$work/clients.log" &
client 3 client3 hold-tcp "$vip6" web2 "$work/tcp2" 2>>"$work/clients.log" &
client 1 client1 hold-udp "$vip4" web3 "$work/udp3" 2>>"$work/clients.log" &
for held in "tcp1 web1" "tcp2 web2" "udp3 web3"; do
    read -r file name <<<"$held"
    within 5 "a flow to $name is held" said "$work/$file" "from $name"
done
check "the backend on host 3 is detached" on 3 overlayd detach blue web3
within 1 "the UDP flow that went there is another's at once" said "$work/udp3" "from web[12]"
within 2 "new connections go elsewhere" spread 1 client1 tcp "$vip4" 100 web1=1-100 web2=1-100
check "of IPv6, too" spread 2 client2 tcp "$vip6" 100 web1=1-100 web2=1-100
check "it is attached again" on 3 overlayd attach --service web:3 blue web3
within 3 "and takes part again" spread 1 client1 tcp "$vip4" 60 web1=1-60 web2=1-60 web3=1-60
check "host 3 is drained" shell 'on 1 overlayd node update --availability drain host3 2>&1 | has "every node knows"'
check "nothing new goes to its backend, without waiting" spread 1 client1 tcp "$vip4" 100 web1=1-100 web2=1-100
check "it is active again" on 1 overlayd node update --availability active host3
within 5 "and its backend is back" spread 1 client1 tcp "$vip4" 60 web1=1-60 web2=1-60 web3=1-60
check "a round of changes of other services" shell "for i in 1 2 3 4 5; do on 1 overlayd service create churn\$i --network blue && on 1 overlayd service rm churn\$i || exit 1; done"
touch "$work/tcp1.end" "$work/udp3.end"
within 3 "no change has touched the connections" shell "tail $work/tcp1 $work/tcp2; grep -q end $work/tcp1 && ! grep -qE 'broken|pause|nobody' $work/tcp1 $work/tcp2"

before=$(table 1 client1)
check "somebody flushes the rules of a sandbox" in_sandbox 1 client1 nft flush ruleset
within 3 "they are back as they were" same_table 1 client1 "$before"
check "and obeyed" spread 1 client1 tcp "$vip4" 60 web1=1-60 web2=1-60 web3=1-60

client 1 client1 hold-tcp "$vip4" web1 "$work/tcp4" 2>>"$work/clients.log" &
within 5 "a connection to web1 is held" said "$work/tcp4" "from web1"
"$lab" kill 1; "$lab" kill 3
check "with agents killed the virtual address works" spread 1 client1 tcp "$vip4" 60 web1=1-60 web2=1-60 web3=1-60
check "on the other host, too" spread 3 client3 tcp "$vip6" 60 web1=1-60 web2=1-60 web3=1-60
check "the agents start again" shell "$lab restart 1 && $lab restart 3"
check "and leave it as it is" spread 1 client1 tcp "$vip4" 60 web1=1-60 web2=1-60 web3=1-60
touch "$work/tcp2.end" "$work/tcp4.end"
within 3 "neither death nor start of an agent has touched the connections" shell \
    "tail $work/tcp2 $work/tcp4; grep -q end $work/tcp2 && grep -q end $work/tcp4 && ! grep -qE 'broken|pause|nobody' $work/tcp2 $work/tcp4"

within 10 "all nodes are alive" alive 1 3
check "host 2 is cut off" "$lab" isolate 2
within 5 "its backend gets nothing any more" spread 1 client1 tcp "$vip4" 60 web1=1-60 web3=1-60
check "host 2 is connected again" "$lab" heal
within 10 "and its backend is back" spread 1 client1 tcp "$vip4" 60 web1=1-60 web2=1-60 web3=1-60

refused "an address outside the network" 2 "outside the subnet of network 'blue'" on 1 overlayd service create x --network blue --vip 10.9.9.9
refused "an address of a family that it has not" 2 "no IPv6 subnet" on 1 overlayd service create x --network green --vip fd00::9
refused "the gateway" 2 "the gateway of" on 1 overlayd service create x --network blue --vip 10.0.0.1
refused "the network's own address" 2 "network's own address" on 1 overlayd service create x --network blue --vip 10.0.0.0
refused "the broadcast address" 2 "broadcast address" on 1 overlayd service create x --network blue --vip 10.0.0.255
refused "another service's address" 9 "the virtual address of service stay" on 1 overlayd service create x --network blue --vip 10.0.0.80
refused "an address of a node's block" 9 "the block .* has leased" on 1 overlayd service create x --network blue --vip "$(own web1 4)"
refused "two of a family" 2 "more than one virtual IPv4 address" on 1 overlayd service create x --network blue --vip 10.0.0.81 --vip 10.0.0.82
refused "what is no address" 2 "use an IP address" on 1 overlayd service create x --network blue --vip ten
refused "an address for names alone" 2 "dnsrr it has no virtual address" on 1 overlayd service create x --network blue --endpoint-mode dnsrr --vip 10.0.0.81
refused "a scheduler for names alone" 2 "no scheduler does" on 1 overlayd service create x --network blue --endpoint-mode dnsrr --scheduler rr
refused "a locality for names alone" 2 "wherever they are" on 1 overlayd service create x --network blue --endpoint-mode dnsrr --locality prefer
refused "an unknown locality" 2 "--locality" on 1 overlayd service create x --network blue --locality near
for scheduler in lc wlc mh; do
    check "scheduler $scheduler" shell "on 1 overlayd service create s-$scheduler --network blue --scheduler $scheduler && on 1 overlayd service ls | grep -E 's-$scheduler +.* $scheduler' && on 1 overlayd service rm s-$scheduler"
done
refused "an unknown scheduler" 2 "no scheduler 'fair'" on 1 overlayd service create x --network blue --scheduler fair
refused "an unknown mode" 2 "use vip or dnsrr" on 1 overlayd service create x --network blue --endpoint-mode mesh
on 2 overlayd sandbox create box >/dev/null
refused "a service's address for an endpoint" 9 "virtual address of service stay" on 2 overlayd attach blue box --ip 10.0.0.80
refused "a service's name for an endpoint" 9 "service web of blue has that name" on 2 overlayd attach blue box --name web

check "the service is removed" on 1 overlayd service rm web
within 3 "its address leads nowhere" fails client 1 client1 tcp "$vip4"
check "and its name is gone" shell "[ -z \"\$(in_sandbox 1 client1 dig +short web.blue @127.0.0.11)\" ]"
check "others go on" spread 1 client1 tcp "$turn4" 20 turn2=10-10 turn3=10-10
check "stay is removed" on 1 overlayd service rm stay
refused "its address rests for others" 9 "was the virtual address of a service that was removed and rests" on 2 overlayd attach blue box --ip 10.0.0.80
check "a sandbox on green alone has a table" shell "table 3 api3 | has '$api4'"
check "its endpoint is detached" on 3 overlayd detach green api3
within 3 "and the table is gone" fails table 3 api3
check "so is the last service of blue" on 1 overlayd service rm turn
within 3 "and with it the table of who is on blue alone" fails table 2 client2
