# Docker Swarm, two dockerd on two bare hosts of a lab; fills the array peer, or sets peer_reason and fails. Sourced by run.sh.
peer_reason=""
# Files of the server's and the client's network namespaces, and the server's address; empty: there is no peer.
peer_path=()
# As in AttachFigures: the kernel takes the last round's network apart after its removal was answered.
rest=0.2

docker_at() { local host=$1; shift; timeout 60 /usr/bin/docker -H "unix:///proc/$(cat "$labs/$theirs/host$host/pid")/root/run/docker.sock" "$@"; }

docker_start() { # host
    local d=$work/docker$1
    mkdir -p "$d"
    # The lab's fresh /sys hides the control groups, which containers need.
    OVERLAYD_LAB=$theirs "$lab" exec "$1" sh -c '
        if grep -q cgroup2 /proc/filesystems && mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null && [ -s /sys/fs/cgroup/cgroup.controllers ]; then exit 0; fi
        umount /sys/fs/cgroup 2>/dev/null
        mount -t tmpfs tmpfs /sys/fs/cgroup
        for c in $(awk "!/^#/ && \$4 == 1 {print \$1}" /proc/cgroups); do
            mkdir -p "/sys/fs/cgroup/$c" && mount -t cgroup -o "$c" cgroup "/sys/fs/cgroup/$c" 2>/dev/null || rmdir "/sys/fs/cgroup/$c"
        done; true' >&2
    OVERLAYD_LAB=$theirs "$lab" exec "$1" setsid dockerd --host unix:///run/docker.sock --data-root "$d" --exec-root /run/docker \
        --pidfile /run/docker.pid --storage-driver vfs </dev/null >"$work/docker$1.log" 2>&1 &
    local tries=0
    until docker_at "$1" info >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 60 ] || { peer_reason="dockerd does not answer: $(tail -n 3 "$work/docker$1.log")"; return 1; }
        sleep 0.5
    done
}

milliseconds() { awk -v ns="$1" 'BEGIN {printf "%.1f", ns / 1e6}'; }
container_net() { echo "/proc/$(cat "$labs/$theirs/host$1/pid")/root/proc/$(docker_at "$1" inspect -f '{{.State.Pid}}' "$2")/ns/net"; }
container_address() { docker_at "$1" inspect -f "{{(index .NetworkSettings.Networks \"$3\").IPAddress}}" "$2"; }

docker_peer() {
    [ -x /usr/sbin/dockerd ] && [ -x /usr/bin/docker ] || { peer_reason="docker.io is not installed"; return 1; }
    [ -x /usr/bin/busybox ] || [ -x /bin/busybox ] || { peer_reason="busybox-static is not installed"; return 1; }
    say "Docker Swarm"
    OVERLAYD_LAB=$theirs "$lab" up 2 --bare >&2 || { peer_reason="the hosts did not come up"; return 1; }
    local host token i begin attach=() ping=() n=${BENCH_PEER_ROUNDS:-$rounds}
    for host in 1 2; do docker_start "$host" || return 1; done
    docker_at 1 swarm init --advertise-addr 192.168.50.1 >/dev/null || { peer_reason="swarm init failed"; return 1; }
    token=$(docker_at 1 swarm join-token -q worker)
    docker_at 2 swarm join --token "$token" --advertise-addr 192.168.50.2 192.168.50.1:2377 >/dev/null || { peer_reason="swarm join failed"; return 1; }
    mkdir -p "$work/image/bin"
    cp "$(command -v busybox)" "$work/image/bin/busybox"
    ln -sf busybox "$work/image/bin/sleep"
    for host in 1 2; do
        tar -C "$work/image" -c . | docker_at "$host" import - bench >/dev/null || { peer_reason="docker import failed"; return 1; }
        docker_at "$host" run -d --name idle --network none bench /bin/sleep 100000 >/dev/null || { peer_reason="docker run failed"; return 1; }
        docker_at "$host" network disconnect none idle || { peer_reason="disconnect failed"; return 1; }
    done
    for i in $(seq "$n"); do
        sleep "$rest"
        begin=$(now)
        docker_at 1 network create -d overlay --attachable "ping$i" >/dev/null || { peer_reason="network create failed"; return 1; }
        docker_at 1 network connect "ping$i" idle || { peer_reason="network connect failed"; return 1; }
        # The second host learns of the network when the name resolves there; until then the call is repeated.
        until docker_at 2 network connect "ping$i" idle 2>/dev/null; do
            [ $(($(now) - begin)) -lt 20000000000 ] || { peer_reason="network connect failed on the second host"; return 1; }
        done
        "$bench" first-reply "$(container_net 1 idle)" "$(container_address 2 idle "ping$i")" || { peer_reason="no ping across"; return 1; }
        ping+=("$(milliseconds $(($(now) - begin)))")
        for host in 1 2; do docker_at "$host" network disconnect "ping$i" idle || true; done
        docker_at 1 network rm "ping$i" >/dev/null || true
    done
    peer[create_to_ping_cli_p50_ms]=$(printf '%s\n' "${ping[@]}" | middle)
    attach=()
    for i in $(seq "$n"); do
        docker_at 1 network create -d overlay --attachable "attach$i" >/dev/null
        sleep "$rest"
        begin=$(now)
        docker_at 1 network connect "attach$i" idle || { peer_reason="network connect failed"; return 1; }
        attach+=("$(milliseconds $(($(now) - begin)))")
        docker_at 1 network disconnect "attach$i" idle
        docker_at 1 network rm "attach$i" >/dev/null
    done
    peer[attach_cli_p50_ms]=$(printf '%s\n' "${attach[@]}" | middle)
    docker_at 1 network create -d overlay --attachable load >/dev/null
    docker_at 1 network connect load idle
    until docker_at 2 network connect load idle 2>/dev/null; do sleep 0.2; done
    peer_path=("$(container_net 2 idle)" "$(container_net 1 idle)" "$(container_address 2 idle load)")
    peer[idle_rss_mb]=$(pgrep --ns "$(cat "$labs/$theirs/host1/pid")" --nslist pid -f '(dockerd|containerd) ' |
        while read -r p; do rss "$p"; echo; done | awk '{s += $1} END {printf "%.1f", s}')
    # Its containers stay for the throughput, which both sides show in turns; until then it must not cost anything.
    docker_processes | xargs -r kill -STOP
}

docker_processes() {
    local host
    for host in 1 2; do pgrep --ns "$(cat "$labs/$theirs/host$host/pid")" --nslist pid -f '(dockerd|containerd)' || true; done
}

docker_down() {
    docker_processes | xargs -r kill -CONT
    OVERLAYD_LAB=$theirs "$lab" down >&2
}
