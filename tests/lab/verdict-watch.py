"""Watches, inside a host, how names, forwarding entries and `node ls` take a node: prints after how many seconds each
said what was waited for, as `names 1.52 fdb 1.50 node 1.61`. Samples every 20 ms. With VERDICT_ABSOLUTE=1 times are
those of the monotonic clock.

Usage: verdict-watch.py down|up NAMESPACE HOSTNAME NAME SANDBOX VTEP
"""
import ctypes
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time

goal, space, hostname, name, sandbox, vtep = sys.argv[1:7]
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
began = time.monotonic()
origin = 0 if os.environ.get("VERDICT_ABSOLUTE") else began
seen = {}
limit = 35


def enter(path):
    with open(path, "rb") as f:
        if libc.setns(f.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns " + path)


def resolves(sock):
    query = struct.pack(">HHHHHH", random.randrange(65536), 0x0100, 1, 0, 0, 0)
    query += bytes([len(name)]) + name.encode() + b"\0" + struct.pack(">HH", 1, 1)
    sock.sendto(query, ("127.0.0.11", 53))
    while True:
        answer = sock.recv(2048)
        if answer[:2] == query[:2]:
            return struct.unpack(">H", answer[6:8])[0] > 0


def names():
    enter("/run/netns/" + sandbox)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(1)

    def look():
        try:
            return resolves(sock)
        except OSError:
            return None

    return look


def fdb():
    enter("/run/netns/" + space)

    def look():
        shown = subprocess.run(["bridge", "fdb", "show", "dev", "vxlan0"], capture_output=True, text=True).stdout
        return f"dst {vtep} " in shown + " "

    return look


def node():
    def look():
        shown = subprocess.run(["overlayd", "node", "ls", "--format", "json"], capture_output=True, text=True).stdout
        compact = shown.replace(" ", "").replace("\n", "")
        at = compact.find(f'"hostname":"{hostname}"')
        if at < 0:
            return None
        status = compact[compact.find('"status":"', at) + 10:]
        return {"dead": False, "alive": True}.get(status[: status.find('"')])

    return look


def watch(what, make):
    look = make()
    while time.monotonic() - began < limit:
        if look() is (goal == "up"):
            seen[what] = time.monotonic() - origin
            return
        time.sleep(0.02)


threads = [threading.Thread(target=watch, args=a) for a in (("names", names), ("fdb", fdb), ("node", node))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(" ".join(f"{what} {seen[what]:.3f}" for what in ("names", "fdb", "node") if what in seen))
