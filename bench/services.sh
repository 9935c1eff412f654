# shellcheck shell=bash
# Services: names, virtual addresses and published ports between real agents. SERVICES_NODES agents (10); SERVICES_SECONDS for each turn of
# load (5). Docker's name server is asked in the same run, where Docker is installed.

services_suite() {
    export OVERLAYD_LAB=$ours
    local nodes=${SERVICES_NODES:-10} seconds=${SERVICES_SECONDS:-5} i address vip h1
    command -v wrk >/dev/null && command -v dnsperf >/dev/null && [ -x /usr/sbin/nginx ] || "$top/deploy/install-packages.sh" wrk nginx-light dnsperf iperf3 >&2
    say "tables of services"
    figure services_1000x10_ms ms "$(measure services 1000 10 "$rounds")"
    figure service_change_1000x10_ms ms "$(measure service-change 1000 10 "$rounds")"

    say "$nodes nodes"
    "$lab" cluster "$nodes" >&2
    h1=/proc/$(cat "$labs/$ours/host1/pid")/root
    on 1 overlayd network create blue --attachable >/dev/null
    for i in web:vip equal:vip weighted:vip; do on 1 overlayd service create "${i%:*}" --network blue >/dev/null; done
    on 1 overlayd service update --publish-add published=8080,target=80,mode=host web >/dev/null 2>&1
    on 1 overlayd service create mesh --network blue -p 8081:80 -p 5201:5201 >/dev/null
    for i in $(seq "$nodes"); do on "$i" overlayd sandbox create "client$i" >/dev/null; on "$i" overlayd attach blue "client$i" >/dev/null; done

    say "from attach to all nodes' names"
    services_served "$nodes" >"$work/served"
    figure attach_to_served_p50_ms ms "$(middle <"$work/served")"
    figure attach_to_served_p99_ms ms "$(sort -n "$work/served" | awk '{v[NR] = $1} END {i = int(0.99 * NR); if (i < 0.99 * NR) i++; if (NR) print v[i]}')"

    say "balance of 10,000 connections"
    for i in 1 2 3 4 5 6 7 8; do services_backend $((i % nodes + 1)) "equal$i" equal; done
    for i in 1 2 3; do services_backend "$i" "weighted$i" "weighted:$i"; done
    sleep 2
    figure balance_chi_square_of_8 chi2 "$(services_counts equal 8 | awk '{n += $1; v[NR] = $1} END {for (i in v) x += (v[i] - n / NR) ^ 2 / (n / NR); if (NR == 8) printf "%.2f", x}')"
    figure balance_weights_error_percent "% of a share" "$(services_counts weighted 3 | awk '{n += $1; v[$2] = $1}
        END {for (k in v) {w = substr(k, length(k)) / 6; e = v[k] / n / w - 1; if (e < 0) e = -e; if (e > m) m = e}; if (NR == 3) printf "%.2f", 100 * m}')"

    say "connections to a virtual address, in turns with those straight to another such server, and to a third by the mesh: of one that is"
    say "asked both ways conntrack would have to tell apart connections of the same ports"
    for i in nginx straight far; do on 2 overlayd sandbox create $i >/dev/null; done
    on 2 overlayd attach --service web blue nginx >/dev/null
    on 2 overlayd attach blue straight >/dev/null
    on 2 overlayd attach --service mesh blue far >/dev/null
    printf 'daemon off; worker_processes 1; error_log /dev/null; events {worker_connections 4096;} http {access_log off; server {listen 80 backlog=4096; return 200 x;}}' >"$work/nginx.conf"
    local servers=()
    for i in nginx straight far; do
        nsenter --net="/proc/$(cat "$labs/$ours/host2/pid")/root/run/netns/$i" nginx -c "$work/nginx.conf" -g "pid $work/$i.pid;" &
        servers+=($!)
    done
    address=$(on 2 overlayd endpoint inspect straight | sed -n 's/.*"ipv4": "\([0-9.]*\).*/\1/p')
    vip=$(on 1 overlayd service inspect web | grep -A 1 virtualAddresses | grep -o '[0-9.]\{7,\}')
    sleep 1
    local direct=() by_vip=() by_port=() by_mesh=()
    for i in 1 2 3; do
        direct+=("$(services_rate "$h1/run/netns/client1" "$address")")
        by_vip+=("$(services_rate "$h1/run/netns/client1" "$vip")")
        by_port+=("$(services_rate "/proc/$(cat "$labs/$ours/host1/pid")/ns/net" 192.168.50.2:8080)")
        # By a node without a backend, from that node: what is more than one hop of the overlay is the mesh's own.
        by_mesh+=("$(services_rate "/proc/$(cat "$labs/$ours/host1/pid")/ns/net" 192.168.50.1:8081)")
    done
    say "straight: ${direct[*]}; virtual address: ${by_vip[*]}; published port: ${by_port[*]}; mesh: ${by_mesh[*]}"
    local peer_name="straight to a server"
    peer[vip_connections_per_s]=$(printf '%s\n' "${direct[@]}" | middle) peer[published_port_connections_per_s]=$(printf '%s\n' "${direct[@]}" | middle)
    figure vip_connections_per_s 1/s "$(printf '%s\n' "${by_vip[@]}" | middle)"
    peer[mesh_connections_per_s]=${peer[vip_connections_per_s]}
    figure mesh_connections_per_s 1/s "$(printf '%s\n' "${by_mesh[@]}" | middle)"
    figure published_port_connections_per_s 1/s "$(printf '%s\n' "${by_port[@]}" | middle)"
    local straight_bits=() mesh_bits=()
    for i in far straight; do
        nsenter --net="/proc/$(cat "$labs/$ours/host2/pid")/root/run/netns/$i" iperf3 -s >/dev/null &
        servers+=($!)
    done
    sleep 0.5
    for i in 1 2 3; do
        straight_bits+=("$(services_gbits "$h1/run/netns/client1" "$address")")
        mesh_bits+=("$(services_gbits "/proc/$(cat "$labs/$ours/host1/pid")/ns/net" 192.168.50.1)")
    done
    say "Gbit/s over the overlay: ${straight_bits[*]}; by the mesh: ${mesh_bits[*]}"
    peer[mesh_gbit_per_s]=$(printf '%s\n' "${straight_bits[@]}" | middle)
    figure mesh_gbit_per_s Gbit/s "$(printf '%s\n' "${mesh_bits[@]}" | middle)"
    kill "${servers[@]}" 2>/dev/null || true
    wait "${servers[@]}" 2>/dev/null || true

    say "names"
    local turn docker="" rates=() theirs_rates=()
    printf 'web A\nequal1.blue A\ntasks.equal A\nclient2 A\n' >"$work/names"
    peer_name="Docker Swarm"
    if [ "${BENCH_PEER:-1}" = 1 ] && BENCH_PEER_ROUNDS=1 docker_peer; then
        docker_processes | xargs -r kill -CONT
        docker=${peer_path[1]}
        docker_at 1 run -d --name other --network load bench /bin/sleep 100000 >/dev/null
        printf 'other A\n' >"$work/docker-names"
    elif [ "${BENCH_PEER:-1}" = 1 ]; then say "no figures of Docker: $peer_reason"; docker_down; fi
    for turn in 1 2 3; do
        rates+=("$(services_questions "$h1/run/netns/client1" "$work/names")")
        [ -z "$docker" ] || theirs_rates+=("$(services_questions "$docker" "$work/docker-names")")
    done
    [ -z "$docker" ] || { peer[dns_questions_per_s]=$(printf '%s\n' "${theirs_rates[@]}" | middle); docker_down; }
    peer_path=()
    figure dns_questions_per_s 1/s "$(printf '%s\n' "${rates[@]}" | middle)"
    turn=$(printf '%s\n' "${rates[@]}" | middle)
    # Into memory, and read afterwards: what reads along takes the processors from those that it measures.
    nsenter --net="$h1/run/netns/client1" dnsperf -s 127.0.0.11 -d "$work/names" -l "$seconds" -c 8 -v -Q "$(awk -v r="$turn" 'BEGIN {print int(r / 2)}')" \
        >"/dev/shm/$ours-dns" 2>/dev/null
    figure dns_p99_at_half_load_ms ms "$(awk '/^> /{print $NF * 1000}' "/dev/shm/$ours-dns" | sort -n | awk '{v[NR] = $1} END {if (NR) print v[int(0.99 * NR)]}')"
    rm "/dev/shm/$ours-dns"
    "$lab" down >&2
}

services_rate() { # network namespace, address: short connections a second
    nsenter --net="$1" wrk -t 1 -c 32 -d "$seconds" -H 'Connection: close' "http://$2/" | awk '/Requests\/sec/ {print $2}'
}

services_gbits() { # network namespace, address: one TCP connection
    nsenter --net="$1" iperf3 -c "$2" -t "$seconds" -f g | awk '/receiver/ {print $7}'
}

services_questions() { # network namespace, file: answers a second
    nsenter --net="$1" dnsperf -s 127.0.0.11 -d "$2" -l "$seconds" -c 8 -q 200 2>/dev/null | awk '/Queries per second/ {print $4}'
}

services_backend() { # host, sandbox, service: a server that says its name
    on "$1" overlayd sandbox create "$2" >/dev/null
    on "$1" overlayd attach --service "$3" blue "$2" >/dev/null
    nsenter --net="/proc/$(cat "$labs/$ours/host$1/pid")/root/run/netns/$2" python3 -c '
import socket, sys
s = socket.create_server(("", 7000), backlog=512)
while True:
    c, _ = s.accept()
    c.sendall(sys.argv[1].encode())
    c.close()' "$2" &
}

services_counts() { # service, backends: how many of 10,000 connections each got, and its name
    nsenter --net="$h1/run/netns/client1" python3 -c '
import collections, socket, sys
seen = collections.Counter()
for _ in range(10000):
    s = socket.create_connection((sys.argv[1], 7000), timeout=3)
    seen[s.recv(100).decode()] += 1
    s.close()
for name, count in seen.items(): print(count, name)' \
        "$(on 1 overlayd service inspect "$1" | grep -A 1 virtualAddresses | grep -o '[0-9.]\{7,\}')"
    pkill -f "sys.argv\\[1\\].encode\\(\\).* $1[1-$2]\$" || true
}

# From the start of `overlayd attach` until the name server in a sandbox of every node answers tasks.equal with the new backend.
services_served() { # nodes
    local round host
    for round in $(seq "$rounds"); do
        host=$((round % $1 + 1))
        on "$host" overlayd sandbox create "new$round" >/dev/null
        python3 - "$labs/$ours" "$1" "$host" "new$round" "$lab" <<'EOP'
import ctypes, os, socket, subprocess, sys, time
labs, nodes, host, box, lab = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5]
libc = ctypes.CDLL(None, use_errno=True)
sockets = []
home = os.open("/proc/self/ns/net", os.O_RDONLY)
for n in range(1, nodes + 1):
    with open(f"/proc/{open(f'{labs}/host{n}/pid').read().strip()}/root/run/netns/client{n}") as f:
        if libc.setns(f.fileno(), 0): raise OSError(ctypes.get_errno(), "setns")
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(("127.0.0.11", 53))
    s.settimeout(0.5)
    sockets.append(s)
if libc.setns(home, 0): raise OSError(ctypes.get_errno(), "setns back")
query = b"\0\1\1\0\0\1\0\0\0\0\0\0\5tasks\5equal\0\0\1\0\1"
def answers(s):
    s.send(query)
    return int.from_bytes(s.recv(4096)[6:8], "big")
before = [answers(s) for s in sockets]
begin = time.monotonic()
p = subprocess.Popen([lab, "exec", host, "overlayd", "attach", "--service", "equal", "blue", box], stdout=subprocess.DEVNULL)
waiting = list(range(nodes))
while waiting and time.monotonic() - begin < 20:
    waiting = [i for i in waiting if answers(sockets[i]) == before[i]]
    time.sleep(0.001)
print(round((time.monotonic() - begin) * 1000, 1) if not waiting else "", flush=True)
p.wait()
EOP
        on "$host" overlayd detach blue "new$round" >/dev/null
        on "$host" overlayd sandbox rm "new$round" >/dev/null
        sleep 0.3
    done
}
