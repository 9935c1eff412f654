#!/usr/bin/env bash
# Several managers: join with a manager's token, promote, demote, leave; the leader is killed, managers are cut off; every
# manager answers and changes everything; what would end the cluster is refused.
. "$(dirname "$0")/lib.sh"
begin 5
managers_at() { [ "$(on "$1" overlayd node ls --filter role=manager -q | wc -l)" -eq "$2" ]; }
state_of() { on "$1" overlayd node inspect "$2" | tr -d ' \n' | grep -o '"managerStatus":"[a-z]*"' | cut -d'"' -f4; }
leader_at() { json_of "$1" | grep -o '"leader":"[a-z0-9]*"' | cut -d'"' -f4; }
role_of() { json_of "$1" | grep -o '"role":"NODE_ROLE_[A-Z]*"' | head -1 | cut -d_ -f3 | tr -d '"'; }
voters_at() { json_of "$1" | has "\"total\":$2,\"reachable\":$3,"; }
export -f managers_at state_of leader_at role_of voters_at
check "a network" on 1 overlayd network create blue --attachable
for host in 4 5; do check "a sandbox on host $host" sandbox_on "$host" "box$host" blue; done
within 5 "names work" ping_by_name 4 box4 box5

# --- becoming managers
refused "a worker promotes nobody" 1 "this node is a worker" on 2 overlayd node promote host2
refused "nor is a stranger promoted" 8 "no node 'host9'" on 1 overlayd node promote host9
refused "the only manager is not demoted" 9 "only manager" on 1 overlayd node demote self
refused "nor may it leave" 9 "only manager" on 1 overlayd leave
check "host 2 is promoted" on 1 overlayd node promote host2
check "it votes at once" shell '[ "$(state_of 1 host2)" = voter ]'
check "a second time changes nothing" shell 'on 1 overlayd node promote host2 2>&1 | has "is a manager already"'
check "host 3 leaves" on 3 overlayd leave
check "and joins with a manager's token, through host 2" shell 'on 3 overlayd join --token "$(on 2 overlayd token show -q manager)" 192.168.50.2:2377'
within 5 "three vote" voters_at 3 3 3
check "its status says so" shell 'status_of 3 | has "3 of 3 reachable, 2 needed, host1 leads; this node is voter"'
within 5 "a worker knows them all" managers_at 5 3
within 10 "all are alive" alive 1 5

# --- any manager is asked
check "a network by way of host 3" on 3 overlayd network create green --attachable
check "it is there at once" shell 'on 3 overlayd network ls -q | wc -l | has -x 2'
check "and elsewhere" shell 'on 1 overlayd network ls -q | wc -l | has -x 2'
refused "a name twice" 9 "has that name" on 2 overlayd network create green
check "it goes by way of host 2" on 2 overlayd network rm green
before=$(on 1 overlayd token show -q worker)
check "a token is rotated by way of host 3" on 3 overlayd token rotate
check "everywhere" shell "[ \"\$(on 1 overlayd token show -q worker)\" != $before ]"
check "keys are listed by way of host 2" shell 'on 2 overlayd gossip keys | has seals'
within 30 "a gossip key is replaced by way of host 3, after the one that the removal began" on 3 overlayd gossip rotate
check "so is the root" on 2 overlayd ca rotate
within 10 "all are alive with them" alive 1 5

# --- the leader dies
old=$(leader_at 2)
"$lab" kill 1
check "another network without it" on 3 overlayd network create red --attachable
check "host 4 attaches" sandbox_on 4 box4red red
within 5 "another leads" shell "[ -n \"\$(leader_at 2)\" ] && [ \"\$(leader_at 2)\" != $old ]"
within 20 "the dead one is seen" shell '[ "$(state_of 2 host1)" = unreachable ]'
refused "host 2 must not go as well" 9 "could not be changed any more: 1 of 2" on 2 overlayd node demote host2
check "host 1 comes back" "$lab" restart 1
within 10 "and has what it missed" shell 'on 1 overlayd network ls -q | wc -l | has -x 2'
within 10 "three vote again" voters_at 1 3 3

# --- the leader is cut off
leader=$(leader_at 2); cut=${leader#host}
other=$((cut % 3 + 1))
"$lab" isolate "$cut"
within 10 "the others go on" on "$other" overlayd network create violet
within 10 "the one that is cut off knows that it is" shell "on $cut overlayd status; [ \$? -eq 6 ]"
refused "and refuses in one sentence" 6 "1 of 3 managers reachable, 2 needed" on "$cut" overlayd network create grey
check "names go on" ping_by_name 4 box4 box5
"$lab" heal
within 15 "healed, it has what it missed" shell "on $cut overlayd network ls -q | wc -l | has -x 3"
within 15 "all are alive" alive 1 5

# --- too few are left
"$lab" kill 1; "$lab" kill 2
within 20 "the last one says that two are needed" shell 'on 3 overlayd status; [ $? -eq 6 ]'
refused "and why nothing can be changed" 6 "1 of 3 managers reachable, 2 needed" on 3 overlayd network rm violet
check "names go on" ping_by_name 5 box5 box4
check "so does attaching" sandbox_on 5 late blue
check "they come back" shell '"$lab" restart 1 && "$lab" restart 2'
within 15 "three vote again" voters_at 3 3 3
within 15 "and change things" on 3 overlayd network create grey

# --- becoming workers
leader=$(leader_at 1); follower=$(( ${leader#host} % 3 + 1 ))
check "the leader is demoted by way of another" on "$follower" overlayd node demote "$leader"
within 5 "it is a worker" shell "[ \"\$(role_of ${leader#host})\" = WORKER ]"
within 5 "its log is gone" on "${leader#host}" test ! -e /var/lib/overlayd/log
within 5 "two are left" voters_at "$follower" 2 2
check "it is promoted again" on "$follower" overlayd node promote "$leader"
within 5 "three vote" voters_at "$follower" 3 3
check "the founder is demoted" on 2 overlayd node demote host1
within 5 "it is a worker" shell '[ "$(role_of 1)" = WORKER ]'
within 5 "its log is gone" on 1 test ! -e /var/lib/overlayd/log
check "and promoted" on 2 overlayd node promote host1
within 5 "three vote" voters_at 1 3 3
"$lab" kill 1
check "it is killed and comes back" "$lab" restart 1
within 10 "three vote" voters_at 2 3 3
check "a manager leaves by itself" on 3 overlayd leave
within 5 "two are left" voters_at 1 2 2
within 5 "it is no node any more" shell 'on 1 overlayd node ls | lacks host3'
"$lab" kill 2
within 10 "that is noticed" shell 'on 1 overlayd status; [ $? -eq 6 ]'
refused "a dead one of two holds everything up" 6 "1 of 2 managers reachable, 2 needed" on 1 overlayd node rm --force host2
check "it comes back" "$lab" restart 2
within 10 "and may be removed by force" on 1 overlayd node rm --force host2
within 5 "one is left" voters_at 1 1 1
check "it changes things" on 1 overlayd network rm grey
within 10 "host 2 knows that it was removed" shell 'status_of 2 | has "removed from the cluster"'
check "names work to the end" ping_by_name 4 box4 box5
check "no secret is in a log" shell 'for host in 1 2 3 4 5; do "$lab" logs $host 4000; done | lacks -E "PRIVATE KEY|OVTKN"'
