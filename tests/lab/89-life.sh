#!/usr/bin/env bash
# The life of nodes and managers: pause and drain; a dead manager is replaced; the unlock key by way of
# any manager; a manager moves to another address.
. "$(dirname "$0")/lib.sh"
begin 5
state_of() { on "$1" overlayd node inspect "$2" | tr -d ' \n' | grep -o '"managerStatus":"[a-z]*"' | cut -d'"' -f4; }
leader_at() { json_of "$1" | grep -o '"leader":"[a-z0-9]*"' | cut -d'"' -f4; }
role_of() { json_of "$1" | grep -o '"role":"NODE_ROLE_[A-Z]*"' | head -1 | cut -d_ -f3 | tr -d '"'; }
voters_at() { json_of "$1" | has "\"total\":$2,\"reachable\":$3,"; }
is_at() { on "$1" overlayd node ls --filter "availability=$3" | has "$2 "; }
export -f state_of leader_at role_of voters_at is_at
check "a network" on 1 overlayd network create blue --attachable
for host in 4 5; do check "a sandbox on host $host" sandbox_on "$host" "box$host" blue; done
within 5 "names work" ping_by_name 4 box4 box5
far=$(on 5 overlayd endpoint ls --local --format json | tr -d ' \n' | grep -o '"ipv4":"[0-9.]*' | cut -d'"' -f4)

# --- pause
check "host 4 is paused" on 1 overlayd node update --availability pause host4
check "a second time changes nothing" shell 'on 1 overlayd node update --availability pause host4 2>&1 | has "is so already"'
within 5 "host 5 sees it" is_at 5 host4 pause
within 5 "so does its own status" shell 'status_of 4 | has "worker, paused"'
on 4 overlayd sandbox create late >/dev/null
refused "it takes no new endpoint and says what undoes it" 9 "node update --availability active host4" on 4 overlayd attach blue late
check "what it has is found" ping_by_name 5 box5 box4
check "its agent restarts" "$lab" restart 4
within 10 "and it still takes none" shell '{ ! on 4 overlayd attach blue late; } 2>&1 | has "this node is paused"'
check "host 4 and host 5 are active" on 1 overlayd node update --availability active host4 host5
within 5 "host 4 takes it" on 4 overlayd attach blue late

# --- drain
check "host 5 is drained" on 1 overlayd node update --availability drain host5
within 5 "its endpoint is in no name on host 4" fails ping_by_name 4 box4 box5
within 5 "nor on host 5" fails in_sandbox 5 box5 getent hosts box5
check "its traffic goes on" in_sandbox 4 box4 ping -4 -c 1 -W 2 "$far"
check "in both directions" ping_by_name 5 box5 box4
on 5 overlayd sandbox create more >/dev/null
refused "it takes nothing new" 9 "This node is drained" on 5 overlayd attach blue more
check "it is active again" on 1 overlayd node update --availability active host5
within 5 "and found at once" ping_by_name 4 box4 box5
within 5 "and takes new ones" on 5 overlayd attach blue more

# --- labels, and wrong input
check "a node gets labels" on 1 overlayd node update --label-add rack=7 --label-add tier=back host4
check "they are shown" shell 'on 1 overlayd node ls -q --filter label=rack=7 | wc -l | has -x 1'
check "one is replaced and one goes" on 1 overlayd node update --label-add tier=front --label-rm rack host4
refused "what it has not cannot go" 8 "has no label 'rack'" on 1 overlayd node update --label-rm rack host4
refused "a stranger" 8 "no node 'host9'" on 1 overlayd node update --availability pause host9
refused "an unknown word" 2 "use active, pause or drain" on 1 overlayd node update --availability off host4
refused "nothing to do" 2 "needs --availability" on 1 overlayd node update host4
refused "a worker decides nothing" 1 "this node is a worker" on 4 overlayd node update --availability pause self
check "of several names the good ones are done" shell '! on 1 overlayd node update --availability pause host9 host4 2>/dev/null && is_at 1 host4 pause'
check "and undone" on 1 overlayd node update --availability active host4

# --- a manager that is lost is replaced
check "host 2 and host 3 become managers" on 1 overlayd node promote host2 host3
within 5 "three vote" voters_at 1 3 3
refused "a time that is too short" 2 "from 10s to 30d" on 2 overlayd update --replace-managers 1s
refused "nothing to do" 2 "nothing is to be changed" on 2 overlayd update
check "host 2 is told to have lost managers replaced" on 2 overlayd update --replace-managers 10s
check "host 1 shows it" shell 'status_of 1 | has "one that is gone is replaced after 10 seconds"'
check "host 5 is not for that" on 3 overlayd node update --availability pause host5
gone=$(leader_at 2); gone=${gone#host}; left=$((gone % 3 + 1))
"$lab" kill "$gone"
within 20 "the others say that the leader is gone and what to type" \
    shell "status_of $left | has 'Manager host$gone has .*overlayd node demote host$gone'"
within 40 "host 4 takes its place" shell "[ \"\$(state_of $left host4)\" = voter ]"
within 5 "three vote, and all of them are there" voters_at "$left" 3 3
check "the lost one is a worker" shell "on $left overlayd node ls --filter role=worker | has host$gone"
check "the log tells of it" shell "for host in 1 2 3; do \"\$lab\" logs \$host 400; done | grep -c 'host4 takes the place of manager host$gone' | has -x 1"
check "the cluster changes" on 4 overlayd network create after
check "the lost one comes back" "$lab" restart "$gone"
within 10 "and finds itself a worker" shell "[ \"\$(role_of $gone)\" = WORKER ]"
within 5 "its log is gone" on "$gone" test ! -e /var/lib/overlayd/log
check "it is promoted, and host 4 demoted" shell "on $left overlayd node promote host$gone && on $left overlayd node demote host4"
check "managers are not replaced any more" on 3 overlayd update --replace-managers off
within 5 "three vote" voters_at 1 3 3

# --- the unlock key, on a manager that does not lead
lead=$(leader_at 1); other=$(( ${lead#host} % 3 + 1 ))
check "the cluster is locked by way of host $other" shell "on $other overlayd update --autolock=true -q >\"\$work/first\""
check "its key is replaced there" shell "on $other overlayd unlock-key rotate -q >\"\$work/second\""
check "every manager shows the new one" shell 'for host in 1 2 3; do [ "$(on $host overlayd unlock-key show -q)" = "$(cat "$work/second")" ] || exit 1; done'
check "which is another" shell '! cmp -s "$work/first" "$work/second"'
nobody="setpriv --reuid 65534 --regid 0 --clear-groups"
for verb in "unlock-key show" "unlock-key rotate" "update --autolock=true"; do
    refused "$verb is root's on host $other" 1 "only root may see it" on "$other" $nobody overlayd $verb
done
check "it is unlocked there" on "$other" overlayd update --autolock=false
check "no secret is in a log" shell 'for host in 1 2 3 4 5; do "$lab" logs $host 4000; done | lacks -E "PRIVATE KEY|OVTKN|OVKEY"'

# --- a manager's address changes
moved_at() { on "$1" overlayd node inspect "$2" | has "\"controlAddress\": \"$3:2377\""; }
move() { # host, address: stopped, readdressed, started there
    "$lab" stop "$1" && sleep 1 && on "$1" ip addr flush dev eth0 scope global && on "$1" ip addr add "$2/24" dev eth0 \
        && OVERLAYD_LAB_RUN_FLAGS="--advertise-addr $2" "$lab" restart "$1"
}
export -f moved_at move
stay=$(( other % 3 + 1 ))
check "an endpoint on the manager that moves" sandbox_on "$other" "mgr" blue
within 5 "it is reached" ping_by_name 4 box4 mgr
check "it stops, and starts at another address" move "$other" "192.168.50.10$other"
within 10 "the others know it there" moved_at "$stay" "host$other" "192.168.50.10$other"
within 5 "so do workers" moved_at 4 "host$other" "192.168.50.10$other"
within 10 "three vote" voters_at "$stay" 3 3
within 10 "all are alive" alive 4 5
within 10 "its endpoint is reached at the new address" ping_by_name 4 box4 mgr
"$lab" kill "$other"
check "it is started without the setting" "$lab" restart "$other"
within 10 "and stays there" voters_at "$other" 3 3
check "another manager leaves" on "$stay" overlayd node demote self
last=$(( stay % 3 + 1 ))
within 5 "two are left" voters_at "$last" 2 2
check "one of two moves, which the other needs to decide" move "$other" "192.168.50.20$other"
within 10 "both decide" on "$last" overlayd network create moved
within 5 "and know it" moved_at "$last" "host$other" "192.168.50.20$other"
