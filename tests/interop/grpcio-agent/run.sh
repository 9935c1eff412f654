#!/usr/bin/env bash
# Debian's python3-grpcio calls a real agent: over its Unix socket, and over mutual TLS on 2377.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lab=$here/../../../deploy/lab
export OVERLAYD_LAB="t-grpcio-$$"
work=$(mktemp -d)
# shellcheck disable=SC2317
finish() {
    "$lab" down >/dev/null 2>&1
    passed=$(grep -c '^ok' "$work/results" 2>/dev/null) failed=$(grep -c '^not ok' "$work/results" 2>/dev/null)
    cat "$work/results" 2>/dev/null
    rm -rf "$work"
    [ "${passed:-0}" -gt 0 ] || { echo "not ok no check ran"; failed=$((${failed:-0} + 1)); }
    echo "${passed:-0} passed, ${failed:-0} failed, 0 skipped"
    [ "${failed:-0}" -eq 0 ]
}
trap 'finish; exit' EXIT

"$lab" cluster 2 || exit 1
state=${OVERLAYD_LAB_DIR:-/var/tmp/overlayd-labs}/$OVERLAYD_LAB
pem() { # host, name
    local from=$state/host$1/state/certificates
    openssl x509 -inform der -in "$from/node.crt" -out "$work/$2.crt" &&
        openssl pkcs8 -inform der -nocrypt -in "$from/node.key" -out "$work/$2.key" &&
        openssl x509 -inform der -in "$from/ca.crt" -out "$work/ca.crt"
}
pem 1 manager && pem 2 worker || exit 1
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/O=foreign/OU=overlayd-manager/CN=0000000000001" \
    -keyout "$work/foreign.key" -out "$work/foreign.crt" 2>/dev/null || exit 1
cp "$here/calls.py" "$work/"
in_host() { "$lab" exec 1 /usr/bin/python3 "$work/calls.py" "$@"; }
{ in_host socket /run/overlayd/overlayd.sock; in_host manager 192.168.50.1:2377 "$work"; } >"$work/results" 2>"$work/errors" || cat "$work/errors"
