#!/usr/bin/env bash
# gRPC on the wire with Debian's python3-grpcio: as a client of our server (TCP and Unix socket), and as a server
# for our client. Ends with "N passed, N failed, N skipped".
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
root=../../..
python=/usr/bin/python3

if ! $python -c 'import grpc, google.protobuf' 2>/dev/null; then
    echo "skip grpcio: python3-grpcio and python3-protobuf are not installed: apt-get install python3-grpcio python3-protobuf"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi

work=$(mktemp -d)
servers=()
cleanup() {
    exec 8>&- 9>&-
    for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null; done
    rm -rf "$work"
}
trap cleanup EXIT

if ! dotnet build GrpcInterop.csproj -c Release -v q --nologo >"$work/build.log" 2>&1; then
    cat "$work/build.log"
    echo "not ok grpcio: the interop program does not build"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
ours=$root/artifacts/bin/GrpcInterop/release/grpc-interop

# Starts a server whose standard input stays open as descriptor $1; waits for the address on its first line.
address=
start() { # descriptor, name, command...
    local descriptor=$1 name=$2; shift 2
    mkfifo "$work/$name.in"
    "$@" <"$work/$name.in" >"$work/$name.out" 2>"$work/$name.err" 8>&- 9>&- &
    servers+=($!)
    eval "exec $descriptor>'$work/$name.in'"
    for _ in $(seq 100); do
        address=$(head -n 1 "$work/$name.out")
        [ -n "$address" ] && return 0
        sleep 0.1
    done
    echo "not ok grpcio: the $name did not start: $(tail -n 5 "$work/$name.err")"
    return 1
}

{
    if start 8 our-server "$ours" server "$work/grpc.sock"; then
        timeout 120 $python client.py "$address" || [ $? -eq 1 ] || echo "not ok grpcio: client.py did not finish"
        timeout 120 $python client.py "unix:$work/grpc.sock" || [ $? -eq 1 ] || echo "not ok grpcio: client.py did not finish"
    fi
    if start 9 foreign-server $python server.py; then
        timeout 120 "$ours" client "$address" || [ $? -eq 1 ] || echo "not ok grpcio: our client did not finish"
    fi
} >"$work/results"
cat "$work/results"
passed=$(grep -c '^ok ' "$work/results")
failed=$(grep -c '^not ok ' "$work/results")
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
