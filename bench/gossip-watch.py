#!/usr/bin/env python3
"""What real agents say of each other in their logs, overlayd's and serf's read the same way, and what comes of it.

gossip-watch.py record LAB PEER OUT     follows host*/agent.log of one lab and host*/serf.log of another until it is
                                        ended; writes "SECONDS SIDE OBSERVER EVENT SUBJECT", hosts by their number
gossip-watch.py kill OUT SIDE HOST PID  SIGKILL, and a line "SECONDS mark kill SIDE HOST" in such a file
gossip-watch.py deaths OUT NODES        from each kill to "dead" at every other observer
gossip-watch.py joins OUT SIDE NODES    from the marks "join SIDE HOST" to all seeing all

Seconds are those of the wall clock, when a line was seen; logs are looked at every 5 ms. A dead agent on a host
that is up is "agent-down" to overlayd: that is its word for what serf calls failed.
"""
import collections
import glob
import math
import os
import re
import signal
import sys
import time

OURS = re.compile(r"Node \S+ \((\S+)\) is (alive|agent-down|dead|left), was (\S+)")
SELF = re.compile(r"(?:Joined|Back in) cluster \S+ as node (\S+)|begins with this node, (\S+)")
SERF = re.compile(r"serf: EventMember(Join|Failed|Leave): \D*(\d+) ")
WORDS = {"Join": "alive", "Failed": "dead", "Leave": "left", "agent-down": "dead"}


def record(lab, peer, out):
    """One file at a time is short; the folder is looked at again each half second."""
    follows = {}
    ids = {}
    waiting = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with open(out, "a", buffering=1) as sink:
        def say(seconds, observer, event, member):
            if member in ids:
                sink.write(f"{seconds:.3f} ours {observer} {event} {ids[member]}\n")
            else:
                waiting.append((seconds, observer, event, member))

        looked = 0
        while True:
            now = time.time()
            if now - looked > 0.5:
                looked = now
                for side, path in [("ours", p) for p in glob.glob(f"{lab}/host*/agent.log")] + \
                                  [("serf", p) for p in glob.glob(f"{peer}/host*/serf.log")]:
                    if path not in follows:
                        host = int(re.search(r"host(\d+)/", path).group(1))
                        follows[path] = [side, host, os.open(path, os.O_RDONLY), b""]
            for follow in follows.values():
                new = os.read(follow[2], 1 << 20)
                if not new:
                    continue
                now = time.time()
                *lines, follow[3] = (follow[3] + new).split(b"\n")
                side, host = follow[:2]
                for line in lines:
                    text = line.decode(errors="replace")
                    if side == "serf":
                        if found := SERF.search(text):
                            sink.write(f"{now:.3f} serf {host} {WORDS[found[1]]} {int(found[2])}\n")
                    elif found := SELF.search(text):
                        ids[found[1] or found[2]] = host
                        known = [w for w in waiting if w[3] in ids]
                        waiting[:] = [w for w in waiting if w[3] not in ids]
                        for entry in known:
                            say(*entry)
                    elif found := OURS.search(text):
                        say(now, host, WORDS.get(found[2], found[2]), found[1])
            time.sleep(0.005)


def read(path):
    with open(path) as lines:
        entries = [line.split() for line in lines if line.endswith("\n")]
    marks = [(float(e[0]), e[2:]) for e in entries if e[1] == "mark"]
    events = [(float(e[0]), e[1], int(e[2]), e[3], int(e[4])) for e in entries if e[1] != "mark"]
    return marks, sorted(events)


def quantile(values, share):
    """The smallest value that is not below the given share of all."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else float("nan")


def deaths(path, nodes):
    marks, events = read(path)
    for side in ("ours", "serf"):
        kills = [(t, int(w[2])) for t, w in marks if w[0] == "kill" and w[1] == side]
        if not kills:
            continue
        delays, spreads, missing = [], [], 0
        for killed, victim in kills:
            first = {}
            for t, s, observer, event, subject in events:
                if s == side and event == "dead" and subject == victim and observer != victim and killed < t < killed + 60:
                    first.setdefault(observer, t - killed)
            delays += first.values()
            missing += nodes - 1 - len(first)
            if first:
                spreads.append(max(first.values()) - min(first.values()))
        false = sum(1 for t, s, observer, event, subject in events
                    if s == side and event == "dead" and not any(v == subject and k < t < k + 60 for k, v in kills))
        spans = collections.defaultdict(list)
        for t, words in marks:
            if words[0] == "bytes" and words[1] == side:
                spans[words[2]].append((t, int(words[3])))
        print(f"{side} p50 s {quantile(delays, 0.5):.2f}")
        print(f"{side} p99 s {quantile(delays, 0.99):.2f}")
        print(f"{side} first_to_last s {quantile(spreads, 0.5):.3f}")
        print(f"{side} first_to_last_max s {max(spreads, default=float('nan')):.3f}")
        print(f"{side} unseen count {missing}")
        print(f"{side} false_deaths count {false}")
        for name, samples in spans.items():
            pairs = list(zip(samples[::2], samples[1::2]))
            rate = sum(b[1] - a[1] for a, b in pairs) / sum(b[0] - a[0] for a, b in pairs) / nodes
            print(f"{side} bytes_{name} B/node/s {rate:.0f}")


def joins(path, side, nodes):
    """A node is there from its join on; a pair of nodes, from the later one's."""
    marks, events = read(path)
    began = {int(w[2]): t for t, w in marks if w[0] == "join" and w[1] == side}
    seen = {}
    for t, s, observer, event, subject in events:
        if s == side and event == "alive" and observer != subject:
            seen.setdefault((observer, subject), t)
    pairs = [(a, b) for a in range(1, nodes + 1) for b in range(1, nodes + 1) if a != b]
    missing = [p for p in pairs if p not in seen]
    delays = [max(0, seen[p] - max(began.get(p[0], 0), began.get(p[1], 0))) for p in pairs if p in seen]
    last = max(seen.values(), default=float("nan"))
    returned = [t for t, w in marks if w[0] == "joined" and w[1] == side]
    print(f"{side} from_first_join s {last - min(began.values()):.2f}")
    print(f"{side} from_last_join s {last - max(began.values()):.2f}")
    if returned:
        print(f"{side} from_last_answer s {max(0.0, last - max(returned)):.2f}")
    print(f"{side} pair_p50 s {quantile(delays, 0.5):.3f}")
    print(f"{side} pair_p99 s {quantile(delays, 0.99):.3f}")
    print(f"{side} pair_max s {max(delays, default=float('nan')):.2f}")
    print(f"{side} unseen count {len(missing)}")


def kill(path, side, host, pid):
    began = time.time()
    os.kill(int(pid), signal.SIGKILL)
    with open(path, "a") as sink:
        sink.write(f"{began:.3f} mark kill {side} {host}\n")


verb, arguments = sys.argv[1], sys.argv[2:]
if verb == "record":
    record(*arguments)
elif verb == "kill":
    kill(*arguments)
elif verb == "deaths":
    deaths(arguments[0], int(arguments[1]))
elif verb == "joins":
    joins(arguments[0], arguments[1], int(arguments[2]))
else:
    sys.exit(f"gossip-watch.py: there is no verb '{verb}'")
