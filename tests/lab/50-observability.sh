#!/usr/bin/env bash
# Health and metrics on both sockets, one trace of an attach over three hosts, floods of refusals, and a quick end.
. "$(dirname "$0")/lib.sh"
otlp=$top/tests/interop/otlp
export OTEL_EXPORTER_OTLP_ENDPOINT=http://192.168.50.1:4318 OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_METRIC_EXPORT_INTERVAL=1000 OTEL_BSP_SCHEDULE_DELAY=200
begin 3
"$lab" exec 1 setsid /usr/bin/python3 "$otlp/collector.py" http 192.168.50.1:4318 "$work/otlp.jsonl" </dev/null >/dev/null 2>"$work/collector.log" &
disown
said() { /usr/bin/python3 "$otlp/said.py" "$work/otlp.jsonl" "$1"; }
within 5 "three nodes are alive" alive 1 3
check "networks are made" shell 'for net in blue red; do on 1 overlayd network create $net --attachable || exit 1; done'
check "a sandbox on each host" shell 'for h in 1 2 3; do on $h overlayd sandbox create box$h && on $h overlayd attach blue box$h || exit 1; done'

# Health and metrics.
socket=/run/overlayd/overlayd.sock
for host in 1 2; do
    within 5 "host $host: /readyz by TCP" on $host curl -fsS http://127.0.0.1:9650/readyz
    check "host $host: /readyz on the socket, HTTP/1.1" on $host curl -fsS --unix-socket $socket http://localhost/readyz
    check "host $host: /livez on the socket, HTTP/2" on $host curl -fsS --http2-prior-knowledge --unix-socket $socket http://localhost/livez
done
socket_metrics() { on "$1" curl -fsS --unix-socket $socket http://localhost/metrics; }
export -f socket_metrics
export socket
shows() { local text; text=$(socket_metrics "$1") && grep -E "$2" <<<"$text"; }
within 8 "the probes' round trips are measured" shows 1 '^overlayd_gossip_probe_rtt_seconds_count [1-9]'
within 8 "three members are counted" shows 2 '^overlayd_gossip_members\{state="alive"\} 3'
check "the others' endpoints were programmed" shows 1 '^overlayd_endpoint_program_duration_seconds_count [2-9]'
check "calls on the socket are counted" shows 1 '^overlayd_grpc_requests_total\{code="OK",method="overlay.v1.Admin/Attach"\} 1'
check "an address that the manager must reserve" sandbox_on 2 static blue --ip 10.0.0.77
check "calls to the manager are counted by who makes them" shows 2 '^overlayd_grpc_client_calls_total\{code="OK",method="overlay.v1.Agent/ReserveAddress"\} [1-9]'
check "and by who serves them" shows 1 '^overlayd_grpc_requests_total\{code="OK",method="overlay.v1.Agent/ReserveAddress"\} [1-9]'
check "every metric has HELP and TYPE, once" shell \
    '[ -z "$(socket_metrics 1 | awk "/^# TYPE/ {print \$3}" | sort | uniq -d)" ] && [ "$(socket_metrics 1 | grep -c "^# HELP overlayd")" -eq "$(socket_metrics 1 | grep -c "^# TYPE overlayd")" ]'
check "gRPC over HTTP/1.1 is refused" shell '[ "$(on 1 curl -s -o /dev/null -w "%{http_code}" -X POST -H "content-type: application/grpc" --unix-socket $socket http://localhost/overlay.v1.Admin/GetStatus)" = 426 ]'
check "gRPC by TCP is refused" shell '[ "$(on 1 curl -s -o /dev/null -w "%{http_code}" -X POST -H "content-type: application/grpc" http://127.0.0.1:9650/overlay.v1.Admin/GetStatus)" = 426 ]'
if command -v promtool >/dev/null; then check "promtool accepts the metrics" shell 'socket_metrics 1 | promtool check metrics'; fi

# One attach, one trace.
check "one attach" sandbox_on 2 traced blue --name traced
id=$(on 2 overlayd endpoint ls --filter name=traced --format json | grep -o '"id": *"[^"]*' | head -n 1 | grep -o '[^"]*$')
of="[s for s in spans if s['attributes'].get('overlayd.endpoint.id') == '$id']"
within 10 "its spans come from three hosts" said "{s['attributes']['overlayd.node.name'] for s in $of} == {'host1', 'host2', 'host3'}"
check "there are three, of one trace" said "len($of) == 3 and len({s['trace'] for s in $of}) == 1"
check "the root is the attach on host 2, the others are under it" said \
    "[(r['name'], r['attributes']['overlayd.node.name']) for r in $of if not r['parent']] == [('endpoint.attach', 'host2')]
     and {s['parent'] for s in $of if s['parent']} == {r['span'] for r in $of if not r['parent']}
     and all(s['name'] == 'endpoint.program' for s in $of if s['parent'])"
check "each ends after it began, all within two seconds" said \
    "all(s['start'] <= s['end'] for s in $of) and max(s['end'] for s in $of) - min(s['start'] for s in $of) < 2e9"
check "each comes from the service of its own host" said "all(s['resource']['service.instance.id'] == s['attributes']['overlayd.node.name'] for s in $of)"
check "an attach that nobody else is interested in" sandbox_on 3 alone red --name alone
sleep 1.5
check "has one span only" said "[s['name'] for s in spans if s['attributes'].get('overlayd.sandbox.name') == 'alone'] == ['endpoint.attach']
    and not [s for s in spans if s['name'] == 'endpoint.program' and s['attributes']['overlayd.network.name'] == 'red']"
before=$(said "len([s for s in spans if s['name'] == 'endpoint.program'])")
"$lab" kill 2 && "$lab" restart 2
within 10 "an agent that comes back is ready" on 2 curl -fsS http://127.0.0.1:9650/readyz
sleep 1.5
check "its coming back makes no old trace longer" said "len([s for s in spans if s['name'] == 'endpoint.program']) <= $before + 3
    and len($of) == 3"

# A flood of strangers on 2377.
flood() { on 3 openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/O=foreign/OU=overlayd-manager/CN=1" \
        -keyout "$work/foreign.key" -out "$work/foreign.crt" 2>/dev/null &&
    on 3 bash -c "for i in \$(seq 60); do curl -sk --http2 -m 2 --cert $work/foreign.crt --key $work/foreign.key https://192.168.50.1:2377/ >/dev/null
        curl -sk --http2 -m 2 -X POST -H 'content-type: application/grpc' https://192.168.50.1:2377/overlay.v1.Control/ListNodes >/dev/null; done; true"; }
check "sixty foreign certificates and sixty calls without one" flood
refusals() { "$lab" logs 1 1000 | grep -cE 'Refused (the certificate|/overlay)'; }
check "are told a few times ($(refusals))" shell "[ $(refusals) -ge 2 ] && [ $(refusals) -le 20 ]"
check "and counted" shell '[ "$(socket_metrics 1 | sed -nE "s/^overlayd_manager_refusals_total.* ([0-9]+)$/\1/p" | awk "{s += \$1} END {print s}")" -ge 120 ]'

# systemd.
"$lab" exec 3 setsid /usr/bin/python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind("/run/notify")
while True: open(sys.argv[1], "ab").write(s.recv(9999) + b"\n")' "$work/notify" </dev/null >/dev/null 2>&1 &
disown
"$lab" stop 3 && NOTIFY_SOCKET=/run/notify "$lab" restart 3
within 15 "systemd hears of READY, and the status line becomes true" shell 'grep -q READY=1 "$work/notify" && [ "$(grep STATUS "$work/notify" | tail -n 1 | grep -c "STATUS=ready in cluster")" = 1 ]'
check "and of the end" shell '"$lab" stop 3 && [ "$(tail -n 1 "$work/notify")" = STOPPING=1 ]'
"$lab" restart 3

# The end.
stops() { local start took; start=$(date +%s%N); "$lab" stop "$1" || return 1; took=$((($(date +%s%N) - start) / 1000000)); [ $took -lt 3000 ] || { echo "$took ms"; return 1; }; }
connections() { # a silent one, a kept one of HTTP/1.1, and a stream of events
    "$lab" exec 1 setsid /usr/bin/python3 -c 'import socket, time
silent = socket.socket(socket.AF_UNIX); silent.connect("/run/overlayd/overlayd.sock")
kept = socket.socket(socket.AF_UNIX); kept.connect("/run/overlayd/overlayd.sock")
kept.send(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"); kept.recv(999); time.sleep(60)' </dev/null >/dev/null 2>&1 &
    disown
    sleep 0.5
}
connections
check "a manager with sessions and open connections stops at once" stops 1
check "a worker without its manager stops at once" stops 2
"$lab" restart 1 && "$lab" restart 2
within 10 "both come back" alive 1 3
check "the only manager leaves by force" on 1 timeout 10 overlayd leave --force
