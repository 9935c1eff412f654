# tcp|udp ADDRESS PORT: who answered, and as whom they saw us. bulk ADDRESS PORT: a megabyte there and back.
# each tcp|udp PORT COUNT ADDRESS...: so many times for each address, one after the other; a line for each answer or failure.
# twins PORT ADDRESS ADDRESS: two connections from one port of ours. hold-tcp|hold-udp ADDRESS PORT FILE: goes on until FILE.end.
# idle ADDRESS PORT SECONDS: whether a connection that was silent so long is "there" or "gone".
# load FILE PORT ADDRESS...: a request to each in turn until FILE.end; failures go to FILE.
import os, socket, sys, time
what = sys.argv[1]
def connect(address, port, kind=socket.SOCK_STREAM, source=None):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    s.settimeout(3)
    if source:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("", source))
    s.connect((address, port))
    if kind == socket.SOCK_DGRAM: s.send(b"who")
    return s
try:
    if what == "load":
        done = 0
        with open(sys.argv[2], "w", buffering=1) as log:
            while not os.path.exists(sys.argv[2] + ".end"):
                for address in sys.argv[4:]:
                    begun = time.time()
                    try:
                        with connect(address, int(sys.argv[3])) as s:
                            if not s.recv(100): raise ConnectionResetError("nothing came")
                    except OSError as e:
                        print(f"failed {address} {e} after {time.time() - begun:.2f} s", file=log)
                    done += 1
                    time.sleep(0.005)
            print(f"done {done}", file=log)
    elif what == "each":
        kind = socket.SOCK_STREAM if sys.argv[2] == "tcp" else socket.SOCK_DGRAM
        for address in sys.argv[5:] * int(sys.argv[4]):
            try:
                with connect(address, int(sys.argv[3]), kind) as s: print(s.recv(1000).decode().strip())
            except OSError as e:
                print("refused" if isinstance(e, ConnectionRefusedError) else "nobody answered")
    elif what == "twins":
        socks = [connect(a, int(sys.argv[2]), source=40404) for a in sys.argv[3:]]
        said = [s.recv(100).decode().split()[1] for s in socks]
        for n, s in enumerate(socks):
            s.sendall(b"%d" % n)
            said.append(s.recv(100).decode())
        print(*said)
    elif what == "idle":
        s = connect(sys.argv[2], int(sys.argv[3]))
        s.recv(100)
        time.sleep(float(sys.argv[4]))
        try:
            s.sendall(b"x")
            print("there" if s.recv(1) == b"x" else "gone")
        except OSError:
            print("gone")
    elif what == "bulk":
        s = connect(sys.argv[2], int(sys.argv[3]))
        s.recv(100)
        for _ in range(64):
            s.sendall(bytes(16384))
            left = 16384
            while left: left -= len(s.recv(left))
        print("1 MiB")
    else:
        s = connect(sys.argv[2], int(sys.argv[3]), socket.SOCK_STREAM if "tcp" in what else socket.SOCK_DGRAM)
        print(s.recv(1000).decode().strip(), flush=True)
        if what.startswith("hold"):
            s.settimeout(1)
            with open(sys.argv[4], "w", buffering=1) as log:
                print("held", file=log)
                while not os.path.exists(sys.argv[4] + ".end"):
                    try:
                        s.send(b"x")
                        if not s.recv(100): raise ConnectionResetError
                    except OSError:
                        print("broken" if "tcp" in what else "silent", file=log)
                        break
                    time.sleep(0.02)
                print("end", file=log)
except ConnectionRefusedError:
    sys.exit("refused")
except TimeoutError:
    sys.exit("nobody answered")
