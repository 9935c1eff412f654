#!/usr/bin/env bash
# The manager's disk: full to the brim, damaged, and the manager killed at any moment. Nothing acknowledged is lost.
. "$(dirname "$0")/lib.sh"
begin 1

names() { on 1 overlayd network ls --format json | grep -o '"name": *"[^"]*"' | cut -d'"' -f4 | sort; }
log=/var/lib/overlayd/log
agent_log=${OVERLAYD_LAB_DIR:-/var/tmp/overlayd-labs}/$OVERLAYD_LAB/host1/agent.log
export -f names

# --- A full disk. The state moves to a small file system of its own.
check "a network before" on 1 overlayd network create before --attachable
check "a sandbox" on 1 overlayd sandbox create box
check "the agent stops" "$lab" stop 1
on 1 bash -c 'cp -a /var/lib/overlayd /run/saved && mount -t tmpfs -o size=48m tmpfs /var/lib/overlayd && cp -a /run/saved/. /var/lib/overlayd/'
check "and starts on a small disk" "$lab" restart 1
check "which takes a network" on 1 overlayd network create small --attachable
on 1 bash -c 'cat /dev/zero > /var/lib/overlayd/ballast 2>/dev/null'
check "the disk is full to the brim" on 1 bash -c '! echo x > /var/lib/overlayd/probe 2>/dev/null || ! test -s /var/lib/overlayd/probe'
on 1 rm -f /var/lib/overlayd/probe
on 1 bash -c 'cat /dev/zero >> /var/lib/overlayd/ballast 2>/dev/null'
digest() { on 1 bash -c "cd $log && sha256sum *.segment | sha256sum"; }
before=$(digest) list=$(names)
export before list log
refused "network create on a full disk says what and why" 1 "$log has 0 MiB left" on 1 overlayd network create late
refused "and what to type" 1 "make room on that disk, then type the command again" on 1 overlayd network create late
refused "network rm as well" 1 "$log has 0 MiB left" on 1 overlayd network rm small
refused "token rotate as well" 1 "$log has 0 MiB left" on 1 overlayd token rotate worker
refused "attach says that its state cannot be written" 1 "node.state: No space left on device" on 1 overlayd attach small box
check "nothing of it changed" test "$(digest)" = "$before"
check "not what is listed either" test "$(names)" = "$list"
check "and no endpoint is left" shell "! on 1 overlayd endpoint ls --quiet | grep ."
check "reading goes on" on 1 overlayd network inspect small
check "and the agent is well" on 1 overlayd status
check "kill -9 on the full disk" "$lab" kill 1
check "it starts on the full disk" "$lab" restart 1
check "with all that was acknowledged" test "$(names)" = "$list"
refused "and refuses as before" 1 "$log has [0-9]* MiB left" on 1 overlayd network create late
on 1 rm /var/lib/overlayd/ballast
check "with room again it takes the network, without a restart" on 1 overlayd network create late --attachable
check "and the attach" on 1 overlayd attach small box
check "the agent restarts" shell "'$lab' kill 1 && '$lab' restart 1"
check "everything acknowledged is there" test "$(names | tr '\n' ' ')" = "before late small "
check "the endpoint too" shell "on 1 overlayd endpoint ls | grep box"

# --- Kills at any moment, while networks are made one after the other and several at a time.
created=$work/created
: > "$created"
maker() { # prefix
    local n=0
    while [ ! -e "$work/enough" ]; do
        n=$((n + 1))
        if on 1 overlayd network create "$1$n" >/dev/null 2>&1; then echo "$1$n" >> "$created"; fi
    done
}
for prefix in a b c; do maker "$prefix" & makers="${makers:-} $!"; done
for round in $(seq 1 12); do
    sleep "0.$((RANDOM % 900 + 50))"
    "$lab" kill 1 2>/dev/null
    "$lab" restart 1 2>/dev/null || { not_ok "start $round after kill -9"; break; }
done
sleep 0.5
touch "$work/enough"
# shellcheck disable=SC2086
wait $makers
check "networks were made in between" shell "[ \$(wc -l < '$created') -ge 12 ]"
echo "# $(wc -l < "$created") creates acknowledged across 12 kills"
names > "$work/there"
check "every acknowledged create is there" shell "sort '$created' | comm -23 - '$work/there' | { ! grep .; }"
check "the agent restarts once more" shell "'$lab' kill 1 && '$lab' restart 1"
names > "$work/again"
check "and shows the same" diff "$work/there" "$work/again"

# --- A write of the log fails in the middle: the manager says so and ends; it never tries again.
agent=$("$lab" agents | awk '{print $2}')
check "a limit that the next entry exceeds" on 1 prlimit --pid "$agent" --fsize=1000000
refused "a failed write is told" 1 "it is not known whether the change was made: .*segment could not be written (File too large)" on 1 overlayd network create doubtful
stopped() { "$lab" agents | has stopped; }
within 5 "the agent ends" stopped
check "with the reason in its log" grep -q "The store cannot go on" "$agent_log"
check "it starts again" "$lab" restart 1
check "everything acknowledged is there" shell "names | comm -23 '$work/there' - | { ! grep .; }"
names > "$work/there"

# --- A second agent on the same folders, and damage.
refused "a second agent is told of the first" 1 "another agent uses /var/lib/overlayd (pid [0-9]*)" on 1 timeout 60 overlayd run
refused "also if only the state is shared" 1 "another agent uses /var/lib/overlayd (pid" on 1 timeout 60 overlayd run --metrics-addr none --runtime-dir /run/second
refused "or only the runtime folder" 1 "another agent uses /run/overlayd (pid" on 1 timeout 60 overlayd run --metrics-addr none --state-dir /run/second
check "and the first goes on" on 1 overlayd status
check "the agent stops" "$lab" stop 1
segment=$(on 1 bash -c "ls $log/*.segment | tail -n 1")
on 1 cp "$segment" /run/segment
on 1 bash -c "printf X | dd of='$segment' bs=1 seek=1048600 conv=notrunc status=none"
refused "damage refuses the start, with the file and the offset" 1 "$segment is damaged (offset 1048576: entry" on 1 timeout 60 overlayd run
refused "and what to type" 1 "type .systemctl restart overlayd" on 1 timeout 60 overlayd run
check "the damaged file is left as it is" shell "! on 1 cmp -s '$segment' /run/segment"
on 1 cp /run/segment "$segment"
on 1 cp /var/lib/overlayd/node.state /run/node.state
on 1 truncate -s -1 /var/lib/overlayd/node.state
refused "a damaged state file too" 1 "rm /var/lib/overlayd/node.state" on 1 timeout 60 overlayd run
on 1 cp /run/node.state /var/lib/overlayd/node.state
on 1 bash -c "printf 'half a record' >> '$segment'"
check "a torn tail does not" "$lab" restart 1
check "it is told in the log" grep -q "did not finish" "$agent_log"
names > "$work/again"
check "and everything is there" diff "$work/there" "$work/again"

# --- A cluster that cannot begin.
check "leave" on 1 overlayd leave --force
on 1 bash -c 'cat /dev/zero > /var/lib/overlayd/ballast 2>/dev/null'
refused "init on a full disk" 1 "make room or repair the disk, then type .overlayd init. again" on 1 overlayd init
check "leaves this node in no cluster" shell "on 1 overlayd network ls 2>/dev/null; [ \$? -eq 4 ]"
on 1 rm /var/lib/overlayd/ballast
check "with room again it begins" on 1 overlayd init
