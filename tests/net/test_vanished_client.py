"""A client that vanishes without a word (its host lost the network): found by keepalive and by TCP_USER_TIMEOUT.

Needs a network namespace of its own for the client, so that its link can be cut.
"""

import ctypes
import os
import shutil
import socket
import subprocess
import threading
import time

import pytest
from lib.origin import chunk
from lib.wire import Wire, event_request

CLONE_NEWNET = 0x40000000


def ip(*args):
    subprocess.run(["ip", *args], check=True, capture_output=True, timeout=10)


class FarHost:
    """A namespace behind a veth pair; connect() makes a client socket in it."""

    def __init__(self):
        tag = f"{os.getpid() % 100000}{threading.get_ident() % 97:02d}"
        self.name, self.near, self.far = f"sl{tag}", f"sn{tag}", f"sf{tag}"
        net = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
        self.near_ip, self.far_ip = f"{net}.1", f"{net}.2"
        ip("netns", "add", self.name)
        try:
            ip("link", "add", self.near, "type", "veth", "peer", "name", self.far, "netns", self.name)
            ip("addr", "add", f"{self.near_ip}/30", "dev", self.near)
            ip("link", "set", self.near, "up")
            ip("-n", self.name, "addr", "add", f"{self.far_ip}/30", "dev", self.far)
            ip("-n", self.name, "link", "set", self.far, "up")
        except BaseException:
            self.close()
            raise

    def connect(self, addr):
        """A socket belongs to the namespace that its thread was in."""
        out = {}

        def work():
            libc = ctypes.CDLL(None, use_errno=True)
            fd = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
            try:
                if libc.setns(fd, CLONE_NEWNET):
                    out["error"] = OSError(ctypes.get_errno(), "setns")
                    return
                out["sock"] = socket.create_connection(addr, 5)
            except OSError as e:
                out["error"] = e
            finally:
                os.close(fd)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if "error" in out:
            raise out["error"]
        return Wire(out["sock"])

    def vanish(self):
        """Nothing comes or goes any more, and no side is told."""
        ip("-n", self.name, "link", "set", self.far, "down")

    def close(self):
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", self.near], check=False, capture_output=True)


@pytest.fixture
def far(rig):
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("a network namespace takes root and iproute2")
    try:
        host = FarHost()
    except subprocess.CalledProcessError as e:
        pytest.skip(f"no network namespace can be made here: {e.stderr.decode().strip()}")
    return rig._keep(host)


def opened(rig, far, **client):
    origin = rig.origin()
    relay = rig.relay(origin, listener={"listen": f"{far.near_ip}:0"}, client=client, route={"heartbeat": "off"})
    wire = rig._keep(far.connect(relay.addr))
    wire.send(event_request())
    up = origin.accept()
    up.request()
    up.stream_head()
    body = wire.response_body(wire.final_head())
    body.until(up.event("x"))
    return relay, up


def test_while_the_stream_is_silent(rig, far):
    """Fault 6: keepalive probes go unanswered; beside a user timeout the kernel waits for that, not for a count of probes."""
    relay, up = opened(rig, far, tcp_keepalive="1s", user_timeout="3s")
    far.vanish()
    began = time.monotonic()
    up.wait_end(20)
    assert 0.9 < up.end_time - began < 10
    assert relay.wait_log(event="end")["ended_by"] == "client"


def test_while_events_flow(rig, far):
    """Fault 7: unacknowledged bytes of a certain age; a send that succeeds proves nothing."""
    relay, up = opened(rig, far, user_timeout="1500ms", tcp_keepalive="1h")
    far.vanish()
    began = time.monotonic()
    while not up.end and time.monotonic() - began < 20:
        up.send_some(chunk(b"data: tick\n\n"))
        up.fill(0.1)
    assert up.end and 1.0 < up.end_time - began < 10
    assert relay.wait_log(event="end")["ended_by"] == "client"
