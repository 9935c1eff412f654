#!/usr/bin/env bash
# A real agent sends metrics and traces to a collector of other make: by gRPC (Debian's python3-grpcio) and by HTTP; and
# nothing that is wrong with the collector or its variables hurts the agent.
. "$(dirname "$0")/../../lab/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
export OTEL_METRIC_EXPORT_INTERVAL=500 OTEL_BSP_SCHEDULE_DELAY=100

collect() { # protocol, port, file
    "$lab" exec 1 setsid /usr/bin/python3 "$here/collector.py" "$1" "127.0.0.1:$2" "$work/$3" </dev/null >"$work/$3.log" 2>&1 &
    disown
    for _ in $(seq 100); do [ -e "$work/$3" ] && return; sleep 0.05; done
}
said() { /usr/bin/python3 "$here/said.py" "$work/$1" "$2"; }
agent() { # VARIABLE=VALUE...: the agent again, with these variables
    "$lab" stop 1 >/dev/null 2>&1
    env "$@" "$lab" restart 1
}
attach() { # a fresh sandbox each time
    local box=box$RANDOM$RANDOM
    on 1 overlayd sandbox create $box >/dev/null && on 1 overlayd attach blue $box
}
milliseconds() { local start; start=$(date +%s%N); "$@" >/dev/null 2>&1 || { echo 99999; return; }; echo $((($(date +%s%N) - start) / 1000000)); }
faster() { local limit=$1 took; shift; took=$(milliseconds "$@"); [ "$took" -lt "$limit" ] || { echo "$took ms"; return 1; }; }
log_says() { "$lab" logs 1 80 | has -- "$1"; }

hosts=1
"$lab" up 1 --bare || { not_ok "a host comes up"; exit 1; }
collect grpc 4317 grpc.jsonl
collect http 4318 http.jsonl

check "an agent starts with a collector by gRPC" \
    agent OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 OTEL_RESOURCE_ATTRIBUTES=site=lab,service.namespace=nets
check "its log says where data goes" log_says "Metrics and traces go to http://127.0.0.1:4317"
check "a cluster and a network" shell 'on 1 overlayd init --advertise-addr eth0 && on 1 overlayd network create blue --attachable'
check "attach" attach
within 10 "metrics arrive" said grpc.jsonl "any(p['value'] == 1 for p in points('overlayd.networks'))"
check "as service overlayd, with version, instance and host" said grpc.jsonl \
    "all(m['resource']['service.name'] == 'overlayd' and m['resource']['service.version'] and m['resource']['service.instance.id'] == 'host1'
        and m['resource']['host.name'] == 'host1' for m in metrics + spans)"
check "with the operator's resource attributes" said grpc.jsonl \
    "all(m['resource']['site'] == 'lab' and m['resource']['service.namespace'] == 'nets' for m in metrics + spans)"
check "from the one meter, and the runtime's" said grpc.jsonl "{'overlayd', 'System.Runtime'} <= {m['scope'] for m in metrics}"
within 5 "a histogram counts the attach in seconds" said grpc.jsonl \
    "any(p['count'] == 1 and 0 < p['sum'] < 5 for p in points('overlayd.endpoint.attach.duration'))"
within 5 "labels arrive as attributes" said grpc.jsonl \
    "any(p['attributes'] == {'method': 'overlay.v1.Admin/Attach', 'code': 'OK'} for p in points('overlayd.grpc.requests'))"
within 5 "the attach is a span" said grpc.jsonl "[s for s in spans if s['name'] == 'endpoint.attach']"
check "of a server, with no parent, from overlayd's source, and its length is the attach's" said grpc.jsonl \
    "all(s['kind'] == 2 and s['parent'] == '' and s['scope'] == 'overlayd' and 0 < s['end'] - s['start'] < 5e9 for s in spans)"
check "with node, endpoint and network" said grpc.jsonl \
    "all(s['attributes']['overlayd.node.name'] == 'host1' and s['attributes']['overlayd.endpoint.id']
        and s['attributes']['overlayd.network.name'] == 'blue' for s in spans)"
check "a refused attach" fails on 1 overlayd attach blue nobody
within 5 "is a span with an error and its reason" said grpc.jsonl \
    "any(s['status'] == 2 and s['attributes']['error.type'] == 'NotFound' and 'nobody' in s['message'] for s in spans)"
on 1 overlayd sandbox create called >/dev/null
check "a caller with a trace of its own attaches" on 1 /usr/bin/python3 "$here/attach.py" /run/overlayd/overlayd.sock blue called \
    00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
within 5 "and finds the attach in it" said grpc.jsonl \
    "any(s['trace'] == '0af7651916cd43dd8448eb211c80319c' and s['parent'] == 'b7ad6b7169203331' for s in spans)"
check "what was measured last arrives when the agent stops" shell \
    'on 1 overlayd sandbox create late >/dev/null && on 1 overlayd attach blue late --name late >/dev/null && "$lab" stop 1'
within 5 "the span of an attach just before" said grpc.jsonl "any(s['attributes'].get('overlayd.sandbox.name') == 'late' for s in spans)"

check "an agent starts with a collector by HTTP and a name of its own" agent \
    OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf OTEL_SERVICE_NAME=edge
check "attach" attach
within 10 "metrics arrive by HTTP under that name" said http.jsonl "[m for m in metrics if m['resource']['service.name'] == 'edge']"
within 5 "and the span" said http.jsonl "[s for s in spans if s['name'] == 'endpoint.attach']"

export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
quiet() { # NAME, EXPRESSION, VARIABLE...: an attach with these variables, and what the collector may have got then
    local name=$1 expression=$2; shift 2
    "$lab" stop 1 >/dev/null 2>&1
    : >"$work/http.jsonl"
    check "an agent starts with $name" agent "$@"
    check "attach" attach
    sleep 1.5
    check "with $name: $expression" said http.jsonl "$expression"
}
base=OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318
quiet OTEL_SDK_DISABLED "not metrics and not spans" $base OTEL_SDK_DISABLED=true
quiet OTEL_TRACES_EXPORTER=none "metrics and not spans" $base OTEL_TRACES_EXPORTER=none
quiet OTEL_METRICS_EXPORTER=none "spans and not metrics" $base OTEL_METRICS_EXPORTER=none
quiet OTEL_TRACES_SAMPLER=always_off "metrics and not spans" $base OTEL_TRACES_SAMPLER=always_off
quiet "an endpoint for traces only" "spans and not metrics" OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:4318/v1/traces
unset OTEL_EXPORTER_OTLP_PROTOCOL

# Takes connections and never says a word.
"$lab" exec 1 setsid /usr/bin/python3 -c 'import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 4999)); s.listen(64); time.sleep(9999)' </dev/null >/dev/null 2>&1 &
disown
wrong() { # NAME, VARIABLE...
    local name=$1; shift
    check "$name: the agent starts" agent "$@"
    within 10 "$name: it is ready" on 1 curl -fsS http://127.0.0.1:9650/readyz
    # Its own limit is 30 s; what an attach takes is for the benchmark to say.
    check "$name: attach works" attach
    sleep 1
    check "$name: it stops without being killed" faster 8000 "$lab" stop 1
}
wrong "nobody listens" OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1
wrong "nobody is at the address" OTEL_EXPORTER_OTLP_ENDPOINT=http://192.168.50.99:4317
wrong "a silent collector by gRPC" OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4999
wrong "a silent collector by HTTP" OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4999 OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
wrong "gRPC to a collector that speaks HTTP" OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318
for bad in "not an address" "ftp://127.0.0.1" "http://127.0.0.1:99999" "127.0.0.1:4317"; do
    wrong "endpoint '$bad'" "OTEL_EXPORTER_OTLP_ENDPOINT=$bad"
    check "endpoint '$bad': the log says so" log_says "No metrics and traces are sent: OTEL_EXPORTER_OTLP_ENDPOINT is '$bad'"
done
wrong "a protocol nobody speaks" $base OTEL_EXPORTER_OTLP_PROTOCOL=http/json
check "a protocol nobody speaks: the log says so" log_says "No metrics and traces are sent: OTEL_EXPORTER_OTLP_PROTOCOL is 'http/json'"
wrong "numbers that are none" $base OTEL_METRIC_EXPORT_INTERVAL=soon OTEL_BSP_SCHEDULE_DELAY=-1 OTEL_EXPORTER_OTLP_TIMEOUT=x
wrong "headers without sense" $base "OTEL_EXPORTER_OTLP_HEADERS=,,=,a b" "OTEL_RESOURCE_ATTRIBUTES=,=,%%%" OTEL_TRACES_SAMPLER=coin
