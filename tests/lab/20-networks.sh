#!/usr/bin/env bash
# Internal networks, gateways, attaching by PID, two networks in one sandbox, static addresses, the MTU, refusals.
. "$(dirname "$0")/lib.sh"
begin 3 --mtu 1400
check "network open" on 1 overlayd network create open --attachable
check "network shut" on 1 overlayd network create shut --attachable --internal
check "network fixed" on 1 overlayd network create fixed --attachable --subnet 10.77.0.0/24 --subnet fd77::/64
check "sandbox out" sandbox_on 1 out open
check "sandbox in" sandbox_on 1 in shut
check "sandbox peer" sandbox_on 2 peer open

check "a network leads out through the node's gateway" in_sandbox 1 out ping -c 1 -W 2 192.168.50.3
check "an internal network does not" fails in_sandbox 1 in ping -c 1 -W 1 192.168.50.3
check "an internal sandbox has no default route" shell "! in_sandbox 1 in ip route | grep default"
check "the MTU inside is the underlay's less 50" shell "in_sandbox 1 out ip link show eth0 | grep 'mtu 1350'"
check "a packet of the full size passes unfragmented" in_sandbox 1 out ping -c 1 -W 2 -M do -s 1322 peer
check "a larger one does not" fails in_sandbox 1 out ping -c 1 -W 1 -M do -s 1323 peer

on 2 setsid unshare --net sleep 300 </dev/null >/dev/null 2>&1 &
pause 0.5
pid=$(on 2 pgrep -x -n sleep)
check "a process is attached by its PID" on 2 overlayd attach fixed "$pid" --name byname --ip 10.77.0.50
check "its namespace has the address it was given" shell "on 2 nsenter --target $pid --net ip -4 address show eth0 | grep '10.77.0.50/24'"
check "a second network in one sandbox" on 1 overlayd attach fixed out --ip 10.77.0.9 --ip6 fd77::9 --mac 02:00:00:00:00:09
check "it is eth1" shell "in_sandbox 1 out ip address show eth1 | grep '10.77.0.9/24'"
check "with the MAC it was given" shell "in_sandbox 1 out ip link show eth1 | grep '02:00:00:00:00:09'"
check "the one attached by PID is reached by name" ping_by_name 1 out byname
check "and over IPv6" ping_by_name 1 out byname 6
check "names of both networks resolve" ping_by_name 1 out peer

on 3 overlayd sandbox create dup >/dev/null
refused "an address in use" 9 "10.77.0.50" on 3 overlayd attach fixed dup --ip 10.77.0.50
refused "an address outside the subnet" 2 "outside" on 3 overlayd attach fixed dup --ip 10.78.0.1
refused "a network that does not exist" 8 "no network" on 3 overlayd attach nothing dup
refused "a namespace that does not exist" 8 "no sandbox" on 3 overlayd attach fixed nobody
refused "a network name twice" 9 "open" on 1 overlayd network create open
refused "a bad CIDR" 2 "10.0.0.1/33" on 1 overlayd network create bad --subnet 10.0.0.1/33
refused "a subnet that overlaps another network" 9 "fixed" on 1 overlayd network create bad --subnet 10.77.0.0/16
refused "a subnet that overlaps a host's route" 9 "192.168.50.0/24" on 1 overlayd network create bad --subnet 192.168.50.0/25
refused "a network with endpoints is not removed" 9 "endpoints" on 1 overlayd network rm fixed
refused "a manager's verb on a worker" 1 "worker" on 2 overlayd network create elsewhere
refused "a wrong flag" 2 "--nonsense" on 1 overlayd network create x --nonsense

check "a small network" on 1 overlayd network create tiny --attachable --subnet 10.79.0.0/29
for n in $(seq 1 8); do
    on 1 overlayd sandbox create "t$n" >/dev/null
    on 1 overlayd attach tiny "t$n" >/dev/null 2>"$work/exhausted" || break
done
check "exhaustion names the network and the subnet" shell "grep tiny '$work/exhausted' && grep '10.79.0.0/29' '$work/exhausted'"
on 2 kill -9 "$pid"
within 15 "the name of an endpoint whose namespace vanished goes" fails ping_by_name 1 out byname
