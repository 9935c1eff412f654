#!/usr/bin/env bash
# The root certificate is replaced node by node while names and sessions work; a node that is away is waited for.
. "$(dirname "$0")/lib.sh"
begin 3
digest() { on "$1" overlayd ca show -q; }
done_nodes() { on 1 overlayd ca show --format json | tr -d ' \n' | grep -o '"done":[0-9]*' | cut -d: -f2; }
issuer_of() { on "$1" sha256sum /var/lib/overlayd/certificates/ca.crt | cut -d' ' -f1; } # what this host believes
export -f digest done_nodes issuer_of
check "a network" on 1 overlayd network create blue --attachable
for host in 1 2; do check "a sandbox on host $host" sandbox_on "$host" "box$host" blue; done
within 5 "names work" ping_by_name 1 box1 box2
first=$(digest 1)
token=$(on 1 overlayd token show -q worker)
check "a worker shows the same root" [ "$(digest 2)" = "$first" ]
refused "a worker does not replace it" 1 "is a worker" on 2 overlayd ca rotate
refused "an external authority is refused" 2 "sign certificates themselves" on 1 overlayd ca rotate --external-ca https://ca.example

in_sandbox 1 box1 ping -i 0.05 -w 12 box2 >"$work/ping" 2>&1 & pinging=$!
check "the root is replaced" shell 'on 1 overlayd ca rotate >"$work/digest" 2>"$work/progress"'
second=$(cat "$work/digest")
check "progress is told" grep -q "of 3 nodes have a certificate of it" "$work/progress"
check "it is another one" [ "${#second}" -eq 64 ] && check "than before" [ "$second" != "$first" ]
for host in 1 2 3; do within 5 "host $host believes it alone" shell "[ \$(issuer_of $host) = $second ] && ! on $host test -e /var/lib/overlayd/certificates/ca-next.crt"; done
check "all are alive" alive 1 3
check "names still work" ping_by_name 2 box2 box1
wait "$pinging"
check "no ping was lost: $(grep -o '[0-9]* packets.*loss' "$work/ping")" grep -q ' 0% packet loss' "$work/ping"
check "a node is changed" on 1 overlayd network create green --attachable
within 5 "everywhere" shell 'on 3 overlayd network ls -q | wc -l | has 2'
"$lab" stop 3
check "host 3 starts again" "$lab" restart 3
within 10 "with the new certificates" alive 3 3

# --- a node that is away
"$lab" kill 3
check "a third root is begun" on 1 overlayd ca rotate --detach
within 10 "two have it" shell '[ "$(done_nodes)" = 2 ]'
check "host3 is waited for" shell 'on 1 overlayd ca show 2>&1 | has "waiting for host3"'
refused "another one must wait" 9 "2 of 3 nodes have it, and host3 is missing" on 1 overlayd ca rotate
"$lab" stop 1
check "the manager restarts in between" "$lab" restart 1
within 10 "the two still talk" alive 1 2
check "the second is still in force" [ "$(digest 1)" = "$second" ]
check "host 3 comes back, with a certificate of the second" "$lab" restart 3
within 15 "then the third is in force" shell "[ \$(digest 1) != $second ] && [ -z \"\$(done_nodes)\" ]"
for host in 1 2 3; do within 5 "host $host believes it" shell "[ \$(issuer_of $host) = \$(digest 1) ]"; done
within 10 "all are alive" alive 1 3

# --- tokens hold the root's digest
check "host 3 leaves" on 3 overlayd leave
refused "the token of the first root joins nobody" 1 "not the one the token was made for" on 3 overlayd join --token "$token" 192.168.50.1:2377
check "that of the third does" shell 'on 3 overlayd join --token "$(on 1 overlayd token show -q worker)" 192.168.50.1:2377'
within 10 "all are alive again" alive 1 3
check "no secret is in a log" shell 'for host in 1 2 3; do "$lab" logs $host 2000; done | lacks "PRIVATE KEY"'
