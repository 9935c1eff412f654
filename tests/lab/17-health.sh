#!/usr/bin/env bash
# Health of backends, by TCP, HTTP and a command: who enters names and balancing and when, who leaves them, and what a restarted or killed
# agent changes of that; wrong input of every flag.
. "$(dirname "$0")/lib.sh"
cat >"$work/server.py" <<'EOS'
# PORT FILE: answers GET with the status that FILE says; "hang": takes the connection and says nothing. Its number is in FILE.pid.
# What comes by UDP is answered with FILE's name, whatever FILE says.
import http.server, os, socket, socketserver, sys, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        what = open(sys.argv[2]).read().strip()
        if what == "hang": time.sleep(600)
        self.send_response(int(what)); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *args): print(self.path, self.headers["Host"], self.headers["User-Agent"], file=sys.stderr, flush=True)
class Server(http.server.ThreadingHTTPServer): address_family = socket.AF_INET6
class Udp(socketserver.BaseRequestHandler):
    def handle(self): self.request[1].sendto(os.path.basename(sys.argv[2]).encode(), self.client_address)
class UdpServer(socketserver.UDPServer): address_family = socket.AF_INET6
threading.Thread(target=UdpServer(("::", int(sys.argv[1])), Udp).serve_forever, daemon=True).start()
server = Server(("::", int(sys.argv[1])), Handler)
open(sys.argv[2] + ".pid", "w").write(str(os.getpid()))
server.serve_forever()
EOS
cat >"$work/flow.py" <<'EOS'
# ADDRESS NAME FILE: goes on by UDP with the backend of that name until FILE.end is there; FILE: who answered, one after the other.
import os, socket, sys, time
def ask(s):
    try:
        s.send(b"who")
        return s.recv(100).decode().split(".")[0]
    except OSError:
        return None
while True:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.3)
    s.connect((sys.argv[1], 7000))
    if ask(s) == sys.argv[2]: break
    s.close()
before = None
with open(sys.argv[3], "w", buffering=1) as log:
    while not os.path.exists(sys.argv[3] + ".end"):
        name = ask(s)
        if name and name != before: print("from", name, file=log)
        before = name or before
        time.sleep(0.05)
EOS
begin 3
within 5 "three nodes are alive" alive 1 3
check "a network is made" on 1 overlayd network create blue --attachable --ipv6
check "a service that asks a port" on 1 overlayd service create tcp --network blue --health tcp:7000 --health-interval 1s --health-retries 2
check "one that asks by HTTP" on 1 overlayd service create web --network blue --health http:7000/healthz \
    --health-interval 1s --health-timeout 500ms --health-retries 2
check "one of names alone, whose backends have time to start" on 1 overlayd service create slow --network blue --endpoint-mode dnsrr \
    --health tcp:7000 --health-interval 1s --health-retries 1 --health-start-period 1h
check "one without a check" on 1 overlayd service create job --network blue --endpoint-mode dnsrr

# serve HOST BOX: a server in that sandbox on port 7000.
serve() {
    [ -e "$work/$2.says" ] || echo 200 >"$work/$2.says"
    in_sandbox "$1" "$2" python3 "$work/server.py" 7000 "$work/$2.says" 2>>"$work/$2.log" &
}
# stop HOST BOX: the server there ends.
stop() { on "$1" kill "$(cat "$work/$2.says.pid")"; }
dig_() { in_sandbox "$1" "client$1" dig +short +time=2 +tries=1 @127.0.0.11 "$2"; }
# names NAME COUNT: on every host the name has so many addresses.
names() { local h; for h in 1 2 3; do [ "$(dig_ "$h" "$1" | grep -c .)" -eq "$2" ] || { echo "host $h: $(dig_ "$h" "$1" | tr '\n' ' ')"; return 1; }; done; }
# balanced SERVICE COUNT: on every host the client's rules send its virtual address to so many backends.
vip() { on 1 overlayd service inspect "$1" | grep -A 3 virtualAddresses | grep -o '"[0-9]*\.[0-9.]*"' | tr -d '"'; }
own() { on 1 overlayd endpoint inspect "$1" --format json | grep -o '"ipv4": *"[^/]*' | grep -o '[^"]*$'; }
sent_to() { in_sandbox "$1" "client$1" nft list table inet overlayd | has "$2"; }
everywhere() { local h; for h in 1 2 3; do "$@" "$h" || return 1; done; }
in_rules() { sent_to "$2" "$1"; }
not_in_rules() { ! sent_to "$2" "$1"; }
# shows ENDPOINT HEALTH [REASON]: what its own host says of it.
shows() { local host=$1 name=$2 health=$3 reason=${4:-}; on "$host" overlayd endpoint inspect "$name" | tr -d '\n' | has "\"health\": *\"$health\", *\"healthReason\": *\"[^\"]*$reason"; }
backend_state() { on "$1" overlayd service inspect "$2" | tr -d '\n' | has "\"state\": *\"$3\"[^}]*\"inNames\": *$4"; }
# told HOST PATTERN: when the log there said that last, in milliseconds.
told() { date -d "$("$lab" logs "$1" 400 | grep -E "$2" | tail -n 1 | cut -d' ' -f1)" +%s%3N; }
said() { grep -q "$2" "$1"; }
export -f said told dig_ names vip own sent_to everywhere in_rules not_in_rules shows backend_state

for host in 1 2 3; do check "a client on host $host" sandbox_on "$host" "client$host" blue; done
check "a backend of the port's service, without a server" sandbox_on 1 tcp1 blue --service tcp
check "one with a server" sandbox_on 2 tcp2 blue --service tcp; serve 2 tcp2
check "a backend of the HTTP service" sandbox_on 2 web2 blue --service web; serve 2 web2
check "another one" sandbox_on 3 web3 blue --service web; serve 3 web3
check "a backend that is slow to start" sandbox_on 3 slow3 blue --service slow
touch "$work/ok"
check "a backend that a command looks at" sandbox_on 1 job1 blue --service job --health-cmd "test -e $work/ok || { echo file is gone; exit 3; }"
check "one that both look at" sandbox_on 3 both3 blue --service tcp --health-cmd 'ip -4 -o addr show dev eth0 | grep -F "$OVERLAYD_ADDRESS/"'; serve 3 both3
tcp2=$(own tcp2) tcp1=$(own tcp1) both3=$(own both3) web2=$(own web2)
within 3 "the one with a server enters all names, and the one that has both" names tasks.tcp 2
within 2 "and all rules" everywhere in_rules "$tcp2"
check "the other one with them" everywhere in_rules "$both3"
check "the one without a server is in no rule" everywhere not_in_rules "$tcp1"
within 3 "both of HTTP enter" names tasks.web 2
check "the server was asked for the path, by its address" shell "grep -E '^/healthz $web2:7000 overlayd' $work/web2.log"
within 3 "that of the command does" names job 1
within 6 "a port that refuses is unhealthy soon" shows 1 tcp1 unhealthy "tcp:7000: connection refused"
check "service inspect says so, and why" shell "on 1 overlayd service inspect tcp | has 'tcp:7000: connection refused' && backend_state 1 tcp unhealthy false"
check "on other hosts, too" backend_state 3 tcp unhealthy false
check "service ls counts those in names" shell "on 2 overlayd service ls | grep -E 'tcp +blue +vip +2/3'"
check "its own name is there all the same" shell "dig_ 2 tcp1 | has -x '$tcp1'"
check "its address leads back to it" shell "in_sandbox 2 client2 dig +short -x $tcp1 @127.0.0.11 | has -x tcp1.blue."
check "the log tells it, with the reason" shell "$lab logs 1 400 | has 'Backend tcp1 .* of service tcp is unhealthy: tcp:7000: connection refused'"
check "one that starts is in no name" shell "shows 3 slow3 starting refused && names slow 0"
serve 3 slow3
within 3 "it enters with its first success" names slow 1
serve 1 tcp1
within 3 "so does the one that was unhealthy" names tasks.tcp 3
within 2 "in rules, too" everywhere in_rules "$tcp1"
stop 2 tcp2
within 5 "a server that died leaves all names" names tasks.tcp 2
within 1 "and all rules" everywhere not_in_rules "$tcp2"
knew=$(told 2 'Backend tcp2 .* is unhealthy')
for host in 1 3; do echo "# host $host heard of it after $(($(told $host 'Endpoint tcp2 .* unhealthy on') - knew)) ms"; done
check "others heard of it within a round of gossip" shell "for h in 1 3; do [ \$((\$(told \$h 'Endpoint tcp2 .* unhealthy on') - $knew)) -lt 1000 ] || exit 1; done"
check "others know it as unhealthy" shell "on 1 overlayd endpoint inspect tcp2 | has '\"health\": *\"unhealthy\"'"
serve 2 tcp2
within 3 "it is back" names tasks.tcp 3

in_sandbox 1 client1 python3 "$work/flow.py" "$(vip web)" web2 "$work/flow" &
within 5 "a UDP flow to web2 is held" said "$work/flow" "from web2"
echo 503 >"$work/web2.says"
within 5 "an answer of 503 takes it out" names tasks.web 1
within 1 "of rules, too" everywhere not_in_rules "$web2"
within 2 "and the UDP flow, which web2 would still answer, is another's" said "$work/flow" "from web3"
touch "$work/flow.end"
check "with that reason" shows 2 web2 unhealthy "status 503"
echo 302 >"$work/web2.says"
within 3 "a redirection is an answer" names tasks.web 2
echo hang >"$work/web2.says"
within 5 "a server that takes connections and says nothing leaves" names tasks.web 1
check "as one that does not answer" shows 2 web2 unhealthy "no answer within 500ms"
echo 200 >"$work/web2.says"
within 4 "and is back when it answers" names tasks.web 2

rm "$work/ok"
within 1 "metrics count the checks" shell "on 1 curl -s 127.0.0.1:9650/metrics | has 'overlayd_health_checks_total{.*kind=\"tcp\".*result=\"ok\"'"
within 6 "and tell how many backends are what" shell "on 2 curl -s 127.0.0.1:9650/metrics | has 'overlayd_health_backends{.*state=\"healthy\"} 2'"
check "a service with a check of its own pace for commands" on 1 overlayd service create cmd --network blue --health tcp:7000 \
    --health-interval 1s --health-timeout 300ms --health-retries 1
check "a backend whose command hangs, and has children" sandbox_on 2 cmd2 blue --service cmd --health-cmd "[ -e $work/go ] || { sleep 7654 & sleep 7654; }"
serve 2 cmd2
within 5 "is unhealthy" shows 2 cmd2 unhealthy "command: no answer within 300ms"
touch "$work/go"
within 3 "with the cause gone it is healthy" names tasks.cmd 1
check "and no process is left of those that hung" fails pgrep -f "^sleep 7654"

# watch FILE: every change of what host 3 has in tasks.tcp and tasks.web, until FILE.end.
watch() {
    local now before=
    until [ -e "$1.end" ]; do
        now=$(dig_ 3 tasks.tcp | sort | tr '\n' ' ')/$(dig_ 3 tasks.web | sort | tr '\n' ' ')
        if [ "$now" != "$before" ]; then echo "$now" >>"$1"; before=$now; fi
        sleep 0.05
    done
}
watch "$work/seen" &
within 3 "names are watched" test -s "$work/seen"
stop 1 tcp1
within 5 "a backend dies" names tasks.tcp 2
check "the agents of hosts 1 and 2 are killed" shell "$lab kill 1 && $lab kill 2"
pause 1
check "they start again" shell "$lab restart 1 && $lab restart 2"
within 10 "all are alive" alive 1 3
pause 2
touch "$work/seen.end"; wait $! 2>/dev/null
check "nothing flapped: all, and then all but the one that died" shell "cat $work/seen; [ \$(wc -l <$work/seen) -eq 2 ]"
check "what died is unhealthy for the new agent" shows 1 tcp1 unhealthy "connection refused"
within 14 "the command that failed meanwhile is seen with its last line" shows 1 job1 "[a-z]*" "command: exit 3: file is gone"
serve 1 tcp1
within 3 "and what comes back comes back" names tasks.tcp 3
check "the log tells of that, too" shell "$lab logs 1 400 | has 'Backend tcp1 .* is healthy'"
check "a backend is detached" on 3 overlayd detach blue both3
within 2 "and leaves" names tasks.tcp 2
check "the check is another one: of a port that nobody has" on 1 overlayd service update --health tcp:7999 --health-interval 1s --health-retries 1 tcp
within 6 "all leave" names tasks.tcp 0
check "the check ends" on 1 overlayd service update --health none tcp
within 3 "and all are back" names tasks.tcp 2
check "service inspect shows none" shell "on 1 overlayd service inspect tcp | lacks HEALTH_KIND_"
refused "--health of an update that is none" 2 "or none" on 1 overlayd service update --health maybe tcp
refused "a time of an update alone" 2 "only with --health" on 1 overlayd service update --health-interval 5s tcp

make() { on 1 overlayd service create x --network blue "$@"; }
for bad in tcp tcp: tcp:0 tcp:65536 tcp:80/x udp:53 http:80 http:80x/ http:0/ "http:80/a b" http:80/#x exec:true 80 ""; do
    refused "--health '$bad'" 2 "use tcp:PORT or http:PORT/PATH" make --health "$bad"
done
for flag in "--health-interval 10s" "--health-timeout 1s" "--health-retries 2" "--health-start-period 5s"; do
    # shellcheck disable=SC2086
    refused "$flag alone" 2 "only with --health" make $flag
done
refused "no interval" 2 "write a duration" make --health tcp:80 --health-interval 5
refused "an interval that is too short" 2 "may be from 500 ms to 1 h" make --health tcp:80 --health-interval 100ms --health-timeout 100ms
refused "one that is too long" 2 "may be from 500 ms to 1 h" make --health tcp:80 --health-interval 2h
refused "a timeout that is too short" 2 "may be from 100 ms to 1 min" make --health tcp:80 --health-timeout 1ms
refused "one that is too long" 2 "may be from 100 ms to 1 min" make --health tcp:80 --health-interval 1h --health-timeout 61s
refused "a timeout longer than the interval" 2 "use at most the interval, which is 5s" make --health tcp:80 --health-interval 5s --health-timeout 6s
refused "one longer than the default interval" 2 "use at most the interval, which is 10s" make --health tcp:80 --health-timeout 11s
for bad in 0 101 x; do refused "retries $bad" 2 "use a number from 1 to 100" make --health tcp:80 --health-retries "$bad"; done
refused "a start period that is too long" 2 "may be up to 1 h" make --health tcp:80 --health-start-period 2h
on 2 overlayd sandbox create box >/dev/null
refused "a command without a service" 2 "only with --service" on 2 overlayd attach blue box --health-cmd true
refused "a command of somebody else than root" 1 "only root may give one" on 2 setpriv --reuid 65534 --regid 0 --clear-groups \
    overlayd attach blue box --service job --health-cmd true
refused "a blank one" 2 "is blank" on 2 overlayd attach blue box --service job --health-cmd " "
refused "one of 5,000 characters" 2 "1 to 4096 characters" on 2 overlayd attach blue box --service job --health-cmd "$(printf '%5000s' x)"

# Of published ports: who is ill gets nobody new, and keeps whom it has.
unbroken() { tail "$1"; said "$1" end && ! said "$1" broken; }
touch "$work/fine"
check "a service that publishes in both modes" on 1 overlayd service create pub --network blue --health tcp:7000 --health-interval 500ms \
    --health-retries 1 -p 8080:7000 -p published=8081,target=7000,mode=host
check "a sandbox with a default route of its own" on 2 overlayd sandbox create pub2
in_sandbox 2 pub2 sh -c 'ip link add dock0 type bridge && ip link set dock0 up && ip addr add 10.9.9.2/24 dev dock0 && ip route add default via 10.9.9.1'
in_sandbox 2 pub2 python3 "$top/tests/lab/backend.py" pub2 >/dev/null 2>&1 &
check "becomes a backend" on 2 overlayd attach blue pub2 --service pub --health-cmd "test -e $work/fine"
within 5 "that is asked by another node" answers 3 "pub2 192.168.50.3" 192.168.50.1 8080
within 5 "and by its own" answers 3 "pub2 192.168.50.3" 192.168.50.2 8081
for spec in "mesh 192.168.50.1 8080" "mesh6 fd50::1 8080" "host 192.168.50.2 8081" "host6 fd50::2 8081"; do
    read -r flow address port <<<"$spec"
    ask 3 hold-tcp "$address" "$port" "$work/$flow" >/dev/null 2>&1 &
    within 5 "a connection is held ($flow)" said "$work/$flow" held
done
rm "$work/fine"
within 5 "it is ill, and gets nobody new" closed 3 192.168.50.1 8080
within 3 "by its own node either" closed 3 192.168.50.2 8081
pause 0.5
for flow in mesh mesh6 host host6; do
    touch "$work/$flow.end"
    within 3 "who was there stays ($flow)" unbroken "$work/$flow"
done
