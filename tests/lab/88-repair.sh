#!/usr/bin/env bash
# A manager's disk damages what was decided: it gets it back from the other managers by itself, and refuses what nobody has.
. "$(dirname "$0")/lib.sh"
begin 3
log=/var/lib/overlayd/log
state=${OVERLAYD_LAB_DIR:-/var/tmp/overlayd-labs}/$OVERLAYD_LAB
applied() { json_of "$1" | grep -o '"applied":"*[0-9]*' | grep -o '[0-9]*$'; }
voters_at() { json_of "$1" | has "\"total\":$2,\"reachable\":$3,"; }
same_state() { # the same networks at the same version; managers whose states differ besides stop by themselves
    local first; first=$(on 1 overlayd network ls --format json | tr -d ' \n')
    for host in 2 3; do [ "$(on $host overlayd network ls --format json | tr -d ' \n')" = "$first" ] || return 1; done
    [ "$(applied 1)" = "$(applied 2)" ] && [ "$(applied 2)" = "$(applied 3)" ]
}
says() { status_of "$1" | has -- "$2"; } # host, words
logged() { grep -q -- "$2" "$state/host$1/agent.log"; }
# damage HOST INDEX: one bit of an entry's data turns, where its identifier says it is.
damage() {
    on "$1" python3 - "$log" "$2" <<'PY'
import glob, os, struct, sys
folder, index = sys.argv[1], int(sys.argv[2])
for name in sorted(glob.glob(folder + "/*.segment"), reverse=True):
    first = int(os.path.basename(name)[11:31])
    if first > index: continue
    with open(name, "r+b") as file:
        file.seek(4096 + (index - first) * 32)
        found, _, offset, _ = struct.unpack("<QQII", file.read(24))
        assert found == index, (found, index)
        file.seek(offset + 40)
        byte = file.read(1)[0]
        file.seek(offset + 40)
        file.write(bytes([byte ^ 4]))
    break
else:
    raise SystemExit("no segment has it")
PY
}
export log state
export -f applied voters_at same_state says logged damage

for host in 2 3; do check "host $host is promoted" on 1 overlayd node promote "host$host"; done
within 10 "three vote" voters_at 1 3 3
for name in a b c d e f; do check "network $name" on 1 overlayd network create "$name" --attachable; done
entry=$(( $(applied 1) - 3 ))

# --- One manager, an entry in the middle of what was decided.
check "host 2 stops" "$lab" stop 2
check "its log is whole" on 2 overlayd store verify
check "a bit turns in entry $entry" damage 2 "$entry"
refused "verify finds it" 1 "is damaged" on 2 overlayd store verify
check "the others go on" on 1 overlayd network create g
check "it starts" "$lab" restart 2
within 15 "it is mended and votes" voters_at 2 3 3
within 10 "its status says what was done" says 2 "was mended by the others: 1 entries came back"
check "so does its log" logged 2 "log is whole again"
check "it told first what it lacks" logged 2 "log is damaged between entries $entry and $entry"
check "the damaged file is kept" shell "on 2 ls $log | has 'segment.damaged$'"
within 10 "all have the same" same_state
check "it changes things" on 2 overlayd network create h
check "host 2 stops" "$lab" stop 2
check "its log is whole" on 2 overlayd store verify
check "it starts" "$lab" restart 2
within 15 "three vote" voters_at 2 3 3
check "nothing is mended any more" fails says 2 "was mended"

# --- Two managers, an entry each, and everything was off.
entry=$(( $(applied 1) - 4 ))
for host in 1 2 3; do "$lab" kill $host; done
check "a bit turns in entry $entry at host 2" damage 2 "$entry"
check "and in the next one at host 3" damage 3 "$((entry + 1))"
for host in 2 3; do check "host $host starts" "$lab" restart $host; done
within 20 "they mend each other, without the first" shell 'says 2 "1 entries came back" && says 3 "1 entries came back"'
within 15 "and change things" on 3 overlayd network create i
check "host 1 starts" "$lab" restart 1
within 15 "three vote" voters_at 1 3 3
within 10 "all have the same" same_state

# --- All three, the same entry: nobody has it, and it was decided.
entry=$(( $(applied 1) - 2 ))
for host in 1 2 3; do "$lab" kill $host; done
for host in 1 2 3; do on $host cp -a "$log" /run/log; damage $host "$entry"; done
for host in 1 2 3; do check "the agent of host $host starts" "$lab" restart $host; done
within 15 "host 1 says that nobody has it" says 1 "entry $entry of term [0-9]* is damaged here, and no other manager has it whole"
within 15 "so does host 3, with what to type" says 3 "overlayd restore FILE"
check "nothing is cut off" shell "for host in 1 2 3; do on \$host grep -q . $log/state-0 || exit 1; done; ! logged 1 'log is whole again'"
refused "nothing can be changed" 1 "cannot begin yet: its log in .* is damaged" on 1 overlayd network create j
check "host 1 stops" "$lab" stop 1
refused "its log has what it had" 1 "is damaged" on 1 overlayd store verify
check "a disk that has it comes back" shell "on 1 rm -rf $log && on 1 mv /run/log $log"
check "host 1 starts" "$lab" restart 1
within 20 "all vote again" voters_at 2 3 3
within 15 "all have the same" same_state
within 10 "and change things" on 2 overlayd network create j

# --- One manager alone has nobody to ask.
for host in 3 2; do check "host $host leaves" on $host overlayd leave; done
within 10 "one votes" voters_at 1 1 1
check "a network" on 1 overlayd network create k
entry=$(applied 1)
check "a network" on 1 overlayd network create l
"$lab" kill 1
check "a bit turns in entry $entry" damage 1 "$entry"
refused "the start is refused, with the file" 1 "segment is damaged (offset .*entry $entry" on 1 timeout 60 overlayd run
refused "with what to type" 1 "overlayd store repair.*overlayd restore FILE" on 1 timeout 60 overlayd run
