"""Networks that a test makes itself: namespaces without a name (nothing is left of them), TUN devices, and links with faults."""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import struct
import subprocess
import threading

_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000


def _check(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Namespace:
    """A network namespace, alive while this object, or a process or socket in it, is."""

    def __init__(self):
        made = []

        def make():
            try:
                _check(_libc.unshare(CLONE_NEWNET))
                made.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
            except OSError as e:
                made.append(e)

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if isinstance(made[0], OSError):
            raise made[0]
        self.fd = made[0]
        self.run("ip", "link", "set", "lo", "up")

    @contextlib.contextmanager
    def inside(self):
        """Sockets that are made and programs that are started in here belong to the namespace."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(_libc.setns(self.fd, CLONE_NEWNET))
            try:
                yield self
            finally:
                _check(_libc.setns(own, CLONE_NEWNET))
        finally:
            os.close(own)

    def run(self, *argv):
        with self.inside():
            subprocess.run(argv, check=True, timeout=10)

    def tun(self, address, route=()):
        """A TUN device with this address ("10.7.0.1/30"), for packets of 1,500 bytes; returns its fd (non-blocking)."""
        with self.inside():
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            name = fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"tun%d", IFF_TUN | IFF_NO_PI))[:16].rstrip(b"\0").decode()
        self.run("ip", "addr", "add", address, "dev", name)
        self.run("ip", "link", "set", name, "mtu", "1500", "txqueuelen", "10000", "up")
        # retransmissions after 20 ms instead of 200: these networks are as short as their delay
        net = address.rsplit(".", 1)[0] + ".0/" + address.split("/")[1]
        self.run("ip", "route", "replace", net, "dev", name, "rto_min", "20ms", *route)
        return fd

    def close(self):
        os.close(self.fd)


class Link:
    """Two namespaces and the program between them. `a` and `b` are their addresses."""

    def __init__(self, program, one, other, net=7, delay_us=0, loss=0, reorder=0, reorder_us=3000, duplicate=0, seed=1):
        self.a, self.b = f"10.{net}.0.1", f"10.{net}.0.2"
        self.stats = None
        fds = [one.tun(self.a + "/30"), other.tun(self.b + "/30")]
        argv = [program, *(str(x) for x in (*fds, delay_us, loss, reorder, reorder_us, duplicate, seed))]
        self.proc = subprocess.Popen(argv, pass_fds=fds, stdout=subprocess.PIPE)
        for fd in fds:
            os.close(fd)

    def finish(self):
        """Ends it; returns what it did: lists of two, from a to b and from b to a."""
        if self.stats is None:
            self.proc.send_signal(signal.SIGTERM)
            out, _ = self.proc.communicate(timeout=5)
            self.stats = json.loads(out or b"{}")
        return self.stats

    def close(self):
        self.finish()
