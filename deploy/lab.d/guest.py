#!/usr/bin/python3 -IS
"""Runs commands in a guest of the lab as nsenter(1) runs them in a namespace: arguments, environment, standard input and
output, signals and exit status are those of a command that runs here. From a terminal, the command has a terminal.

Usage: guest.py serve DEVICE ADDRESS/BITS   first process of a guest; DEVICE leaves the guest's own network for it
       guest.py run ADDRESS CMD...          on this machine; OVERLAYD_LAB_PATIENCE: seconds to wait for the guest (30)

One connection is one command. A frame is a letter, a length of four octets, and as many octets: `c` command, `i` input (none:
its end) and `s` signal go to the guest; `o` output, `e` error output, `w` so much input was taken, and `x` exit status come
back. A command is its terminal's rows and columns (0: no terminal), the number of its arguments, and then these and the
environment, each ending with NUL. Modules are few: a guest takes a second for what `json` needs.
"""
import ctypes
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import sys
import termios
import threading
import time
import tty

PORT = 5000
CHUNK = 65536
WINDOW = 4 * CHUNK  # octets of input under way; a signal never waits behind more
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
CLONE_NEWNET = 0x40000000


def receive(connection, length):
    data = b""
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise ConnectionError("the connection ended")
        data += part
    return data


def receive_frame(connection):
    kind, length = struct.unpack(">cI", receive(connection, 5))
    return kind, receive(connection, length)


def send_frame(connection, kind, data=b""):
    connection.sendall(struct.pack(">cI", kind, len(data)) + data)


# --- In the guest.

def listen_apart(device, address):
    """A listening socket in a network namespace that has nothing but the device: the guest's own network shows neither."""
    libc = ctypes.CDLL(None, use_errno=True)

    def check(result):
        if result != 0:
            raise OSError(ctypes.get_errno(), "a network namespace for the channel")

    def ip(*arguments):
        if os.spawnv(os.P_WAIT, "/sbin/ip", ("ip", *arguments)) != 0:
            raise OSError(f"ip {' '.join(arguments)}")

    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    check(libc.unshare(CLONE_NEWNET))
    apart = os.open("/proc/self/ns/net", os.O_RDONLY)
    check(libc.setns(own, CLONE_NEWNET))
    ip("link", "set", device, "netns", f"/proc/1/fd/{apart}")
    check(libc.setns(apart, CLONE_NEWNET))
    ip("address", "add", address, "dev", device)
    ip("link", "set", device, "up")
    listener = socket.create_server(("", PORT), backlog=128)
    check(libc.setns(own, CLONE_NEWNET))
    os.close(apart)
    os.close(own)
    return listener


def reap(*_):
    """The first process inherits what others leave."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] > 0:
            pass
    except ChildProcessError:
        pass


def serve(device, address):
    listener = listen_apart(device, address)
    signal.signal(signal.SIGCHLD, reap)
    while True:
        connection, _ = listener.accept()
        if os.fork() > 0:
            connection.close()
            continue
        listener.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            Session(connection).run()
        except OSError as error:
            print(f"guest.py: a command's connection: {error}", flush=True)
        finally:
            os._exit(0)


class Session:
    """One command: it leads no process group, so that setsid(1) does not fork; its group is the session's."""

    def __init__(self, connection):
        self.connection = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        kind, data = receive_frame(connection)
        rows, columns, count = struct.unpack(">HHI", data[:8])
        words = data[8:].split(b"\0")[:-1]
        self.terminal = (rows, columns) if rows else None
        self.arguments = words[:count]
        self.environment = dict(word.split(b"=", 1) for word in words[count:])
        self.pending = b""
        self.input_ended = False

    def run(self):
        os.setsid()
        self.child, self.input, outputs = self.start_on_terminal() if self.terminal else self.start()
        group = self.child if self.terminal else 0
        if not self.terminal:
            for number in FORWARDED:
                signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        exited = os.pidfd_open(self.child)
        poll = select.poll()
        poll.register(exited, select.POLLIN)
        poll.register(self.connection, select.POLLIN)
        for descriptor in outputs:
            poll.register(descriptor, select.POLLIN)
        watches_input = False
        while True:
            if (self.input is not None and self.pending != b"") != watches_input:
                watches_input = not watches_input
                if watches_input:
                    poll.register(self.input, select.POLLOUT)
                else:
                    poll.unregister(self.input)
            ready = dict(poll.poll())
            if watches_input and self.input in ready:
                if not self.feed():
                    poll.unregister(self.input)
                    watches_input = False
                    self.close_input()
            for descriptor in [d for d in outputs if d in ready]:
                data = read(descriptor)
                if data:
                    send_frame(self.connection, outputs[descriptor], data)
                else:
                    poll.unregister(descriptor)
                    del outputs[descriptor]
            if self.connection.fileno() in ready:
                try:
                    self.take(group)
                except OSError:
                    # Who waited has gone: a terminal that hangs up, and pipes that break.
                    os.killpg(group, signal.SIGHUP)
                    return
            if self.pending == b"" and self.input_ended:
                if watches_input:
                    poll.unregister(self.input)
                    watches_input = False
                self.close_input()
            if exited in ready:
                break
        self.end(outputs)

    def take(self, group):
        kind, data = receive_frame(self.connection)
        if kind == b"s":
            os.killpg(group, data[0])
        elif data:
            self.pending += data
        else:
            self.input_ended = True

    def feed(self):
        """Gives the command input; false when it takes no more."""
        try:
            count = os.write(self.input, self.pending[:CHUNK])
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.pending = self.pending[count:]
        send_frame(self.connection, b"w", struct.pack(">I", count))
        return True

    def close_input(self):
        if self.input is not None and not self.terminal:
            os.close(self.input)
        self.input = None
        self.pending = b""

    def end(self, outputs):
        _, status = os.waitpid(self.child, 0)
        for descriptor, kind in outputs.items():
            os.set_blocking(descriptor, False)
            while data := read(descriptor):
                send_frame(self.connection, kind, data)
        send_frame(self.connection, b"x", struct.pack(">i", os.waitstatus_to_exitcode(status)))
        self.connection.close()
        # What the command left running may go on to write.
        for descriptor in outputs if not self.terminal else []:
            os.set_blocking(descriptor, True)
            while read(descriptor):
                pass

    def start(self):
        (theirs_in, ours_in), (ours_out, theirs_out), (ours_error, theirs_error) = os.pipe(), os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            self.execute(theirs_in, theirs_out, theirs_error)
        for descriptor in (theirs_in, theirs_out, theirs_error):
            os.close(descriptor)
        os.set_blocking(ours_in, False)
        return child, ours_in, {ours_out: b"o", ours_error: b"e"}

    def start_on_terminal(self):
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *self.terminal, 0, 0))
        child = os.fork()
        if child == 0:
            os.setsid()
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
            self.execute(theirs, theirs, theirs)
        os.close(theirs)
        os.set_blocking(ours, False)
        return child, ours, {ours: b"o"}

    def execute(self, *descriptors):
        try:
            for target, descriptor in enumerate(descriptors):
                os.dup2(descriptor, target)
            os.closerange(3, 64)
            for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
                signal.signal(number, signal.SIG_DFL)
            os.chdir("/")
            os.execvpe(self.arguments[0], self.arguments, self.environment)
        except OSError as error:
            os.write(2, self.arguments[0] + f": {error.strerror}\n".encode())
        finally:
            os._exit(127)


def read(descriptor):
    """What there is to read; nothing at its end, and when there is nothing yet."""
    try:
        return os.read(descriptor, CHUNK)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EIO):  # a terminal that nobody has open any more says EIO
            return b""
        raise


# --- On this machine.

def connect(address, patience):
    end = time.monotonic() + patience
    while True:
        try:
            connection = socket.create_connection((address, PORT), timeout=1)
            connection.settimeout(None)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        except OSError as error:
            if time.monotonic() > end:
                sys.exit(f"deploy/lab: the guest at {address} does not answer: {error}")
            time.sleep(0.05)


class Input(threading.Thread):
    """Passes standard input on, as much as the command takes."""

    def __init__(self, send):
        super().__init__(daemon=True)
        self.send = send
        self.under_way = 0
        self.taken = threading.Condition()

    def run(self):
        data = None
        while data != b"":
            with self.taken:
                self.taken.wait_for(lambda: self.under_way < WINDOW)
            try:
                data = os.read(0, CHUNK)
            except OSError:
                data = b""  # closed, or the terminal of somebody else
            with self.taken:
                self.under_way += len(data)
            try:
                self.send(b"i", data)
            except OSError:
                return  # the main thread tells

    def take(self, count):
        with self.taken:
            self.under_way -= count
            self.taken.notify()


def run(address, arguments):
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # or the connection would take the place of one that is closed
    patience = float(os.environ.pop("OVERLAYD_LAB_PATIENCE", 30))
    end = time.monotonic() + patience
    connection = connect(address, patience)
    gate = threading.Lock()

    def send(kind, data=b""):
        with gate:
            send_frame(connection, kind, data)

    terminal = os.isatty(0) and os.isatty(1)
    rows, columns = struct.unpack("HHHH", fcntl.ioctl(1, termios.TIOCGWINSZ, bytes(8)))[:2] if terminal else (0, 0)
    words = [os.fsencode(argument) for argument in arguments] + [name + b"=" + value for name, value in os.environb.items()]
    command = struct.pack(">HHI", rows or 24 * terminal, columns, len(arguments)) + b"".join(word + b"\0" for word in words)
    while True:
        try:
            send(b"c", command)
            break
        except OSError:
            # A guest that just comes up may be lost again between the two.
            if time.monotonic() > end:
                raise
            connection = connect(address, patience)
    received = []

    def forward(number, _):
        if number in received:
            leave(-number)  # the guest did not listen the first time
        received.append(number)
        threading.Thread(target=send, args=(b"s", bytes([number])), daemon=True).start()

    for number in FORWARDED:
        signal.signal(number, forward)
    signal.signal(signal.SIGTTIN, signal.SIG_IGN)  # in the background, input has ended
    before = termios.tcgetattr(0) if terminal else None
    if terminal:
        tty.setraw(0)
    try:
        status = pump(connection, send)
    finally:
        if before:
            termios.tcsetattr(0, termios.TCSADRAIN, before)
    leave(status)


def pump(connection, send):
    """Passes everything on until the command has ended, and gives its status: minus a signal, or its exit code."""
    source = Input(send)
    source.start()
    while True:
        try:
            kind, data = receive_frame(connection)
        except OSError as error:
            print(f"deploy/lab: the guest is gone: {error}", file=sys.stderr)
            return 255
        if kind == b"x":
            return struct.unpack(">i", data)[0]
        if kind == b"w":
            source.take(struct.unpack(">I", data)[0])
            continue
        try:
            while data:
                data = data[os.write(1 if kind == b"o" else 2, data):]
        except BrokenPipeError:
            return -signal.SIGPIPE


def leave(status):
    """Ends as the command ended."""
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "serve":
        serve(sys.argv[2], sys.argv[3])
    if len(sys.argv) > 3 and sys.argv[1] == "run":
        run(sys.argv[2], sys.argv[3:])
    sys.exit(__doc__)
