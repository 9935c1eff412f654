#!/usr/bin/env bash
# Guests boot in time, and Debian's kernel has what other kernels of test machines lack: each proven by using it between guests.
export OVERLAYD_LAB_KIND=vm
. "$(dirname "$0")/../lab/lib.sh"
hosts=3
"$lab" up "$hosts" --bare || { not_ok "$hosts guests come up"; exit 1; }
state=${OVERLAYD_LAB_DIR:-/var/tmp/overlayd-labs}/$OVERLAYD_LAB
for host in 1 2 3; do
    boot=$(cat "$state/host$host/boot")
    check "guest $host runs commands $boot s after its start, and 10 are allowed" awk -v took="$boot" 'BEGIN {exit took > 10}'
done
check "its kernel is Debian's: $(on 1 uname -r)" shell '[ "$(on 1 uname -r)" != "$(uname -r)" ] && on 1 uname -v | has Debian'
check "guests reach each other" on 1 ping -c 1 -W 5 192.168.50.3
check "and over IPv6" on 2 ping -c 1 -W 5 fd50::1
check "by nothing but eth0" shell '[ "$(on 1 ip -o link | wc -l)" -eq 2 ]'
check "what a guest writes stays there" shell 'on 1 touch /etc/of-a-guest && [ ! -e /etc/of-a-guest ] && ! on 2 test -e /etc/of-a-guest'

# --- The channel: what nsenter gives in a lab of namespaces.
ends() { local code=$1; shift; on "$@"; [ $? -eq "$code" ]; }
check "exit codes come through" ends 7 1 sh -c 'exit 7'
check "so do signals that end a command" ends 137 1 sh -c 'kill -KILL $$'
check "a command that is not there is told" ends 127 1 there-is-no-such-command
check "output and errors are apart" shell '[ "$(on 1 sh -c "echo out; echo err >&2" 2>/dev/null)" = out ]'
head -c 8000000 /dev/urandom >"$work/random"
check "eight million octets go there and back" shell 'on 1 cat <"$work/random" | cmp - "$work/random"'
check "the environment comes along" shell '[ "$(WORD="a b" on 1 printenv WORD)" = "a b" ]'
timeout 2 "$lab" exec 1 sleep 4321
check "a command whose time is over ends there, too" fails on 1 pgrep -f '^sleep 4321'

# --- dummy and IPVS: a virtual address on guest 1, backends on the others.
check "dummy: a virtual address" shell 'on 1 ip link add vip type dummy && on 1 ip address add 10.9.0.1/32 dev vip && on 1 ip link set vip up'
for host in 2 3; do
    on $host ip route add 10.9.0.1/32 via 192.168.50.1
    on $host setsid /usr/bin/python3 -IS -c 'import socket
server = socket.create_server(("", 8080))
while True:
    client, _ = server.accept()
    client.sendall(socket.gethostname().encode() + b"\n")
    client.close()' </dev/null >/dev/null 2>&1 &
done
greeting() { on 1 bash -c "exec 3<>/dev/tcp/$1/$2 && cat <&3"; }
export -f greeting
for host in 2 3; do within 5 "backend $host answers" greeting "192.168.50.$host" 8080; done
check "IPVS: a service" on 1 ipvsadm -A -t 10.9.0.1:80 -s rr
for host in 2 3; do check "with backend $host" on 1 ipvsadm -a -t 10.9.0.1:80 -r "192.168.50.$host:8080" -m; done
check "connections go to one after the other" shell '[ "$(for i in 1 2 3 4; do greeting 10.9.0.1 80; done | sort | tr "\n" " ")" = "host2 host2 host3 host3 " ]'
check "ipvsadm -Ln counts them" shell 'on 1 ipvsadm -Ln --stats | grep -E "TCP +10.9.0.1:80 +4 "'
check "connection tracking: a ping" shell 'on 1 nft "add table inet facts; add chain inet facts out { type filter hook output priority 0; ct state new counter; }" && on 1 ping -c 1 -W 5 192.168.50.2'
check "is listed" shell 'on 1 conntrack -L -p icmp | grep "dst=192.168.50.2"'

# --- ESP with AES-GCM between guests 1 and 2, as RFC 4106 says.
esp() { # host, own address, the other's, SPI out, SPI in
    local key=0x0102030405060708090a0b0c0d0e0f1011121314
    on "$1" ip -batch - <<ESP
xfrm state add src $2 dst $3 proto esp spi $4 mode transport aead rfc4106(gcm(aes)) $key 128
xfrm state add src $3 dst $2 proto esp spi $5 mode transport aead rfc4106(gcm(aes)) $key 128
xfrm policy add src $2 dst $3 dir out tmpl src $2 dst $3 proto esp mode transport
xfrm policy add src $3 dst $2 dir in tmpl src $3 dst $2 proto esp mode transport
ESP
}
check "ESP: keys on guest 1" esp 1 192.168.50.1 192.168.50.2 0x101 0x102
check "and on guest 2" esp 2 192.168.50.2 192.168.50.1 0x102 0x101
"$lab" capture 1 "$work/esp.pcap" host 192.168.50.2
check "a ping" on 1 ping -c 3 -i 0.2 -W 5 192.168.50.2
seen() { tcpdump -nn -r "$work/$1" 2>/dev/null | has "$2"; }
within 3 "goes sealed" seen esp.pcap 'ESP(spi=0x00000101'
within 3 "and comes sealed" seen esp.pcap 'ESP(spi=0x00000102'
check "never open" fails seen esp.pcap ICMP
check "states and policies go" shell 'for host in 1 2; do on $host ip xfrm policy flush && on $host ip xfrm state flush || exit 1; done'

# --- WireGuard between guests 2 and 3.
for host in 2 3; do (umask 077; wg genkey >"$work/wg$host"); done
wireguard() { # host, the other
    on "$1" ip link add wg0 type wireguard && on "$1" ip address add "10.8.0.$1/24" dev wg0 &&
        on "$1" wg set wg0 listen-port 51820 private-key "$work/wg$1" \
            peer "$(wg pubkey <"$work/wg$2")" allowed-ips "10.8.0.$2/32" endpoint "192.168.50.$2:51820" && on "$1" ip link set wg0 up
}
check "WireGuard: keys on guest 2" wireguard 2 3
check "and on guest 3" wireguard 3 2
check "a ping" on 2 ping -c 1 -W 10 10.8.0.3
check "after a handshake" shell 'on 3 wg show wg0 latest-handshakes | grep -E "[[:space:]][1-9][0-9]*$"'

# --- ipvlan, 802.1Q.
check "ipvlan: another address at the same MAC" shell 'on 1 ip netns add near && on 1 ip link add link eth0 name near netns near type ipvlan mode l2 &&
    on 1 ip -netns near address add 192.168.50.101/24 dev near && on 1 ip -netns near link set near up'
check "is reached" on 3 ping -c 1 -W 5 192.168.50.101
check "there" shell '[ "$(on 3 ip neigh show 192.168.50.101 | grep -o "lladdr [^ ]*")" = "lladdr $(on 1 cat /sys/class/net/eth0/address)" ]'
for host in 2 3; do
    check "802.1Q: VLAN 7 on guest $host" shell "on $host ip link add link eth0 name vlan7 type vlan id 7 && on $host ip address add 10.7.0.$host/24 dev vlan7 && on $host ip link set vlan7 up"
done
"$lab" capture 3 "$work/vlan.pcap" vlan 7
check "a ping" on 2 ping -c 1 -W 5 10.7.0.3
within 3 "is tagged" seen vlan.pcap '10.7.0.2 > 10.7.0.3: ICMP echo request'

# --- netem.
least() { on 1 ping -c 3 -i 0.2 -W 5 192.168.50.3 | sed -n 's|^rtt [^=]*= \([0-9]*\).*|\1|p'; } # milliseconds
check "netem: 300 ms" on 3 tc qdisc add dev eth0 root netem delay 300ms
took=$(least)
check "are seen by a ping: $took ms" [ "${took:-0}" -ge 300 ]
check "all is lost" on 3 tc qdisc change dev eth0 root netem loss 100%
check "that is seen, too" fails on 1 ping -c 1 -W 2 192.168.50.3
check "without it" on 3 tc qdisc del dev eth0 root
check "all is as before" on 1 ping -c 1 -W 5 192.168.50.3

# --- What breaks links works on those of guests.
check "guests 1 and 2 are parted" "$lab" partition 1 2
check "they are" fails on 1 ping -c 1 -W 1 192.168.50.2
check "the third is not" on 1 ping -c 1 -W 5 192.168.50.3
check "they are healed" "$lab" heal
check "and reach each other" on 1 ping -c 1 -W 5 192.168.50.2
