#!/usr/bin/env python3
"""Real managers under faults: tests/nemesis.py [--managers 3] [--minutes 3] [--seed 1] [--history FILE]

Clients create and remove networks through every manager while agents are killed and stopped, hosts are cut off one way
and both, packets are lost, disks run full, and managers are demoted and promoted. In the end every manager must hold the
same networks; everything acknowledged must be there, no VNI and no subnet given twice, and what each client was told must
be linearizable (Wing and Gong; Lowe's memoized search), each name being a register that is present or absent.
Ends with "N passed, N failed, N skipped".
"""
import argparse
import collections
import ipaddress
import json
import os
import random
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LAB = os.path.join(TOP, "deploy/lab")
STATE = "/var/lib/overlayd"
UNKNOWN = "not known whether"
BROKEN = "closed the connection"
REFUSED = ("was not made", "cannot answer yet", "was not created")


def lab(*words, check=True, timeout=300):
    done = subprocess.run([LAB, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout)
    if check and done.returncode != 0:
        raise RuntimeError(f"deploy/lab {' '.join(map(str, words))}: {done.stderr.strip()}")
    return done


class Cluster:
    def __init__(self, size):
        self.size = size
        lab("up", size, "--bare")
        for host in self.hosts:
            lab("exec", host, "mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", STATE)
            lab("restart", host)
        lab("exec", 1, "overlayd", "init", "-q", "--advertise-addr", "eth0")
        token = lab("exec", 1, "overlayd", "token", "show", "-q", "manager").stdout.strip()
        for host in self.hosts[1:]:
            os.environ["OVERLAYD_JOIN_TOKEN"] = token
            lab("exec", host, "overlayd", "join", "--advertise-addr", f"192.168.50.{host}", "192.168.50.1:2377")

    @property
    def hosts(self):
        return list(range(1, self.size + 1))

    def pid(self, host):
        agents = dict(line.split() for line in lab("agents").stdout.splitlines())
        return agents.get(f"host{host}", "stopped")

    def running(self, host):
        return self.pid(host) != "stopped"

    def kill(self, host):
        pid = self.pid(host)
        if pid == "stopped":
            return
        lab("exec", host, "kill", "-KILL", pid, check=False)
        ends = time.monotonic() + 30
        while self.pid(host) == pid:
            if time.monotonic() > ends:
                raise RuntimeError(f"the agent of host {host} (pid {pid}) does not end by SIGKILL")
            time.sleep(0.05)

    def leader(self, via):
        shown = lab("exec", via, "timeout", "5", "overlayd", "status", "--format", "json", check=False)
        try:
            name = json.loads(shown.stdout)["managers"]["leader"]
        except (ValueError, KeyError):
            return None
        return int(name[4:]) if name.startswith("host") else None

    def networks(self, host):
        shown = lab("exec", host, "overlayd", "network", "ls", "--format", "json", check=False)
        return {n["network"]["name"]: n["network"] for n in json.loads(shown.stdout)} if shown.returncode == 0 else None


class Client(threading.Thread):
    """One operation at a time, through any manager."""

    def __init__(self, number, cluster, names, seed, ending, history):
        super().__init__(daemon=True)
        self.number, self.cluster, self.names = number, cluster, names
        self.random = random.Random(seed)
        self.ending, self.history = ending, history

    def run(self):
        while not self.ending.is_set():
            name = self.random.choice(self.names)
            verb = self.random.choice(("create", "create", "rm"))
            host = self.random.choice(self.cluster.hosts)
            begun = time.monotonic()
            try:
                done = lab("exec", host, "overlayd", "--timeout", "12s", "network", verb, name, check=False, timeout=40)
                code, text = done.returncode, done.stderr.strip()
            except subprocess.TimeoutExpired:
                code, text = -1, UNKNOWN
            self.history.append({
                "client": self.number, "host": host, "op": verb, "key": name, "invoke": begun, "return": time.monotonic(),
                "outcome": outcome_of(verb, code, text), "code": code, "text": text[-300:],
            })
            self.random.random() < 0.3 and time.sleep(self.random.random() * 0.3)


def outcome_of(verb, code, text):
    """ok; present or absent: refused because of what was there; no: not made, whatever was there; unknown."""
    if code == 0:
        return "ok"
    if verb == "create" and code == 9 and "has that name" in text:
        return "present"
    if verb == "rm" and code == 8:
        return "absent"
    if BROKEN in text:
        # An agent that dies in the middle of a call may have passed it on.
        return "unknown"
    if UNKNOWN not in text and (code in (3, 4) or any(words in text for words in REFUSED)):
        return "no"
    return "unknown"


class Nemesis:
    def __init__(self, cluster, seed):
        self.cluster, self.random = cluster, random.Random(seed)
        self.done = collections.Counter()
        self.died = []

    def victims(self):
        """A minority, the leader among them half of the time."""
        count = self.random.randint(1, (self.cluster.size - 1) // 2)
        hosts = self.random.sample(self.cluster.hosts, count)
        leader = self.cluster.leader(self.random.choice([h for h in self.cluster.hosts if h not in hosts]))
        if leader and leader not in hosts and self.random.random() < 0.5:
            hosts[0] = leader
        return hosts

    def step(self):
        fault = self.random.choice((self.kill, self.kill, self.freeze, self.isolate, self.deafen, self.loss, self.fill, self.change, self.all_die))
        self.done[fault.__name__] += 1
        print(f"{time.strftime('%H:%M:%S')} {fault.__name__}", flush=True)
        fault()
        time.sleep(self.random.random() * 3)
        self.revive()

    def revive(self):
        """A write that failed may end an agent a while after its disk was full; nothing else may."""
        for host in self.cluster.hosts:
            if not self.cluster.running(host):
                last = lab("logs", host, 25, check=False).stdout
                if "No space left" not in last and "is full" not in last:
                    self.died.append((host, last[-1500:]))
                lab("restart", host)

    def kill(self):
        hosts = self.victims()
        for host in hosts:
            self.cluster.kill(host)
        time.sleep(self.random.random() * 4)
        for host in hosts:
            lab("restart", host)

    def all_die(self):
        for host in self.cluster.hosts:
            self.cluster.kill(host)
        for host in self.cluster.hosts:
            lab("restart", host)

    def freeze(self):
        """Longer than an election takes: who wakes up believes that it leads."""
        hosts = self.victims()
        for host in hosts:
            lab("exec", host, "kill", "-STOP", self.cluster.pid(host), check=False)
        time.sleep(2 + self.random.random() * 4)
        for host in hosts:
            lab("exec", host, "kill", "-CONT", self.cluster.pid(host), check=False)

    def isolate(self):
        for host in self.victims():
            lab("isolate", host)
        time.sleep(1 + self.random.random() * 6)
        lab("heal")

    def deafen(self):
        for host in self.victims():
            for other in self.cluster.hosts:
                if other != host and self.random.random() < 0.7:
                    lab("deafen", *((host, other) if self.random.random() < 0.5 else (other, host)))
        time.sleep(1 + self.random.random() * 6)
        lab("heal")

    def loss(self):
        lab("loss", "all", self.random.choice((5, 20, 40)))
        time.sleep(1 + self.random.random() * 5)
        lab("heal")

    def fill(self):
        host = self.victims()[0]
        lab("exec", host, "bash", "-c", f"cat /dev/zero >{STATE}/ballast 2>/dev/null", check=False)
        time.sleep(1 + self.random.random() * 3)
        lab("exec", host, "rm", "-f", f"{STATE}/ballast")
        if not self.cluster.running(host):
            # A write that failed ended it, as it must.
            lab("restart", host)

    def change(self):
        """A manager becomes a worker and comes back, while one of the others dies."""
        via, target, other = self.random.sample(self.cluster.hosts, 3)
        demoting = subprocess.Popen(
            [LAB, "exec", str(via), "overlayd", "--timeout", "20s", "node", "demote", f"host{target}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if self.random.random() < 0.5:
            self.cluster.kill(other)
            time.sleep(1)
            lab("restart", other)
        demoting.wait()
        self.restore_managers()

    def restore_managers(self, limit=90):
        ends = time.monotonic() + limit
        while time.monotonic() < ends:
            missing = 0
            for host in self.cluster.hosts:
                via = self.random.choice(self.cluster.hosts)
                shown = lab("exec", via, "overlayd", "--timeout", "20s", "node", "promote", f"host{host}", check=False)
                missing += shown.returncode != 0
            if not missing:
                return True
            time.sleep(0.5)
        return False


def linearizable(operations):
    """Whether the operations on one name can have happened one after the other. Unknown ones may have, at any time after."""
    ops = sorted(operations, key=lambda o: o["invoke"])
    ends = [float("inf") if o["outcome"] == "unknown" else o["return"] for o in ops]
    sure = sum(1 << i for i, o in enumerate(ops) if o["outcome"] != "unknown")
    stack, seen = [(0, False)], {(0, False)}
    while stack:
        taken, present = stack.pop()
        if taken & sure == sure:
            return True
        limit = min(ends[i] for i in range(len(ops)) if not taken >> i & 1)
        for i, op in enumerate(ops):
            if op["invoke"] > limit:
                break
            if taken >> i & 1:
                continue
            state = after(op, present)
            if state is not None and (taken | 1 << i, state) not in seen:
                seen.add((taken | 1 << i, state))
                stack.append((taken | 1 << i, state))
    return False


def after(op, present):
    """The register after the operation; None: it cannot have happened now."""
    creates = op["op"] == "create"
    match op["outcome"]:
        case "ok":
            return creates if present != creates else None
        case "present" | "absent":
            return present if present == creates else None
        case _:
            return creates


def self_test():
    """A checker that cannot say no is worth nothing."""
    def op(kind, outcome, begin, end):
        return {"op": kind, "outcome": outcome, "invoke": begin, "return": end}
    assert linearizable([op("create", "ok", 0, 1), op("rm", "ok", 2, 3), op("create", "ok", 4, 5)])
    assert not linearizable([op("create", "ok", 0, 1), op("create", "ok", 2, 3)])
    assert not linearizable([op("create", "ok", 0, 1), op("rm", "absent", 2, 3)])
    assert linearizable([op("create", "unknown", 0, 1), op("create", "present", 9, 10)])
    assert linearizable([op("create", "ok", 0, 5), op("rm", "absent", 1, 2)])
    assert not linearizable([op("rm", "ok", 0, 1)])


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, holds, detail=""):
        self.passed += bool(holds)
        self.failed += not holds
        print(f"{'ok' if holds else 'not ok'} {name}{'' if holds else ': ' + str(detail)[:600]}", flush=True)


def judge(report, cluster, history):
    views = {}
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        views = {host: cluster.networks(host) for host in cluster.hosts}
        if all(v is not None and v.keys() == views[1].keys() for v in views.values()):
            break
        time.sleep(0.5)
    final = views[1] or {}
    report.check("every manager holds the same networks", all(
        v is not None and {n: d["id"] for n, d in v.items()} == {n: d["id"] for n, d in final.items()} for v in views.values()), views)
    by_key = collections.defaultdict(list)
    for op in history:
        if op["outcome"] != "no":
            by_key[op["key"]].append(op)
    now = time.monotonic()
    for name, ops in by_key.items():
        # What is there in the end was read by everybody.
        ops.append({"op": "create", "key": name, "invoke": now, "return": now + 1, "outcome": "present"} if name in final
                   else {"op": "rm", "key": name, "invoke": now, "return": now + 1, "outcome": "absent"})
    broken = [name for name, ops in by_key.items() if not linearizable(ops)]
    report.check(f"linearizable over {sum(map(len, by_key.values()))} operations on {len(by_key)} names, nothing acknowledged lost", not broken,
                 [by_key[name] for name in broken[:1]])
    vnis = [s["vni"] for n in final.values() for s in n["segments"]]
    report.check("no VNI is given twice", len(vnis) == len(set(vnis)), vnis)
    subnets = sorted(ipaddress.ip_network(s["ipv4"]["subnet"]) for n in final.values() for s in n["segments"])
    report.check("no subnet is given twice", not any(a.overlaps(b) for a, b in zip(subnets, subnets[1:])), subnets)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--managers", type=int, default=3, choices=(3, 5))
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--history", help="keep what clients did, a JSON object in each line")
    options = parser.parse_args()
    if os.geteuid() != 0:
        os.execvp("sudo", ["sudo", "--preserve-env=OVERLAYD,PATH", *sys.orig_argv])
    self_test()
    os.environ["OVERLAYD_LAB"] = f"t-nemesis-{os.getpid()}"
    report, history, ending = Report(), [], threading.Event()
    try:
        cluster = Cluster(options.managers)
        nemesis = Nemesis(cluster, options.seed)
        names = [f"n{i}" for i in range(24)]
        clients = [Client(i, cluster, names, options.seed * 1000 + i, ending, history) for i in range(options.clients)]
        for client in clients:
            client.start()
        ends = time.monotonic() + options.minutes * 60
        while time.monotonic() < ends:
            nemesis.step()
        lab("heal")
        for host in cluster.hosts:
            if not cluster.running(host):
                lab("restart", host)
        report.check("all managers vote again after the faults", nemesis.restore_managers())
        time.sleep(3)
        ending.set()
        for client in clients:
            client.join()
        if options.history:
            with open(options.history, "w", encoding="utf-8") as file:
                file.writelines(json.dumps(op) + "\n" for op in sorted(history, key=lambda o: o["invoke"]))
        outcomes = collections.Counter(op["outcome"] for op in history)
        print(f"# seed {options.seed}: {dict(nemesis.done)}; {len(history)} operations: {dict(outcomes)}")
        report.check("something was acknowledged, and something refused", outcomes["ok"] and outcomes["present"] + outcomes["absent"], outcomes)
        judge(report, cluster, history)
        said = "\n".join(lab("logs", host, 100000).stdout for host in cluster.hosts)
        report.check("no agent ended by itself, but where its disk was full", not nemesis.died, nemesis.died[:1])
        report.check("no store differs from another", "is not the leader's after entry" not in said)
        report.check("nothing was broken that should hold", "InvariantException" not in said,
                     [line for line in said.splitlines() if "InvariantException" in line][:3])
        if report.failed:
            for host in cluster.hosts:
                print(f"--- log of host {host}\n" + lab("logs", host, 40).stdout)
    finally:
        ending.set()
        lab("down", check=False)
    print(f"{report.passed} passed, {report.failed} failed, 0 skipped")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
