#!/usr/bin/env bash
# Certificates that expired while the whole cluster was off: they live for a minute here, which the agent's socket takes
# and the command line does not.
. "$(dirname "$0")/lib.sh"
hosts=4
"$lab" up 4 || exit 1
expires_at() { json_of "$1" | grep -o '"certificateExpiresUnixMs":"[0-9]*' | grep -o '[0-9]*$'; }
voters_at() { json_of "$1" | has "\"total\":$2,\"reachable\":$3,"; }
renewed() { [ "$(expires_at "$1")" -gt "$(($(date +%s) * 1000))" ]; }
export -f expires_at voters_at renewed
# InitRequest in gRPC-Web: advertise_address (1) "eth0", certificate_life_seconds (7) 60.
printf '\x00\x00\x00\x00\x08\x0a\x04eth0\x38\x3c' >"$work/init"
# shellcheck disable=SC2016
check "a cluster whose certificates live for a minute" shell 'on 1 curl -sf --unix-socket /run/overlayd/overlayd.sock \
    -H "content-type: application/grpc-web+proto" --data-binary @- http://localhost/overlay.v1.Admin/Init <"$work/init" >/dev/null'
for host in 2 3 4; do
    check "host $host joins" shell "on $host overlayd join --advertise-addr eth0 --token \"\$(on 1 overlayd token show -q worker)\" 192.168.50.1:2377"
done
check "two more managers" on 1 overlayd node promote host2 host3
within 10 "three vote" voters_at 1 3 3
check "a network" on 1 overlayd network create blue --attachable
for host in 1 4; do check "a sandbox on host $host" sandbox_on "$host" "box$host" blue; done
within 10 "names work" ping_by_name 4 box4 box1
far=$(on 1 overlayd endpoint ls --local --format json | tr -d ' \n' | grep -o '"ipv4":"[0-9.]*' | cut -d'"' -f4)
check "certificates are a minute's" shell '[ "$(expires_at 1)" -lt "$((($(date +%s) + 61) * 1000))" ]'
for host in 1 2 3 4; do "$lab" kill $host; done
check "traffic goes on" in_sandbox 4 box4 ping -4 -c 1 -W 2 "$far"
sleep 62
check "that every certificate has expired, they start" shell 'for host in 1 2 3 4; do "$lab" restart $host; done'
within 20 "three managers vote" voters_at 1 3 3
for host in 1 2 3 4; do within 20 "host $host has a new certificate" renewed $host; done
within 10 "all are alive" alive 1 4
check "the cluster changes" on 2 overlayd network create after
within 10 "the worker hears of it" shell 'on 4 overlayd network ls -q | wc -l | has -x 2'
check "names work" ping_by_name 4 box4 box1
