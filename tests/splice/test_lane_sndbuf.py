"""The client's send buffer: `auto` follows what a fast far client can take, and stays bounded; a fixed size stays fixed."""

import socket
import time

import pytest

from kit.body import chunked, events
from kit.net import Link, Namespace
from kit.stream import opened, start

RTT_US = 30_000


def far_client(rig, link_program, route, **top):
    """Everything in a namespace of its own but the client, which is 30 ms away."""
    here, there = rig._keep(Namespace()), rig._keep(Namespace())
    link = rig._keep(Link(link_program, here, there, delay_us=RTT_US // 2))
    with here.inside():
        origin = rig.origin()
        relay = start(rig, origin, route={"heartbeat": "off", **route}, listener={"listen": link.a + ":0"}, **top)
    with there.inside():
        client = rig.connect(relay.addr, timeout=5)
    s = opened(rig, relay, origin, client=client)
    s.up.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    return relay, s, link


class Pour:
    """Offers the same block again and again, as fast as it goes."""

    def __init__(self, s, block):
        self.s, self.block, self.at = s, block, 0

    def rate(self, seconds):
        """Bytes a second that came in that time."""
        began, before = time.monotonic(), self.s.come()
        while time.monotonic() - began < seconds:
            n = self.s.up.send_some(memoryview(self.block)[self.at % len(self.block) :])
            self.at += n
            self.s.client.fill(0 if n else 0.01)
        return (self.s.come() - before) / (time.monotonic() - began)

    def finish(self):
        """The rest of the block, and everything arrives."""
        rest = self.block[self.at % len(self.block) :] if self.at % len(self.block) else b""
        self.s.sent += (self.block * (self.at // len(self.block) + 1))[: self.at]
        self.s.arrive(20)
        self.s.carry(rest)
        return self.s.finish()


BLOCK = chunked(events(400, 250), 1000, last=False)


@pytest.mark.timeout(60)
def test_auto_grows_for_a_fast_far_client_and_stays_bounded(rig, link_program):
    relay, s, _ = far_client(rig, link_program, {"sndbuf": "auto", "sndbuf_max": "128KiB"})
    assert s.record()["sndbuf"] == 16384
    sizes, pour = [], Pour(s, BLOCK)
    for _ in range(6):
        rate = pour.rate(0.3)
        live = s.record()
        sizes.append(live["sndbuf"])
        assert live["sndbuf"] <= 131_072, live
    assert max(sizes) > 0.75 * 131_072, f"sizes after each look: {sizes}, {rate / 1e6:.1f} MB/s"
    assert live["sndbuf_changes"] >= 2, live
    assert pour.finish()["ended_by"] == "complete"
    print(f"sndbuf {sizes}, {rate / 1e6:.2f} MB/s at {RTT_US / 1000:.0f} ms")


@pytest.mark.timeout(60)
def test_auto_carries_more_than_a_small_fixed_buffer(rig, link_program):
    """The same client, three times: 16 KiB for good, auto, and the ceiling from the start. The default notsent_lowat is left."""
    rates = {}
    for size in ("16KiB", "auto", "256KiB"):
        relay, s, link = far_client(rig, link_program, {"sndbuf": size})
        pour = Pour(s, BLOCK)
        rates[size] = max(pour.rate(0.4) for _ in range(4))
        live = s.record()
        if size != "auto":
            assert live["sndbuf"] == int(size[:-3]) * 1024 and live["sndbuf_changes"] == 1, live
        pour.finish()
        s.client.close()
        relay.quit()
        link.close()
    told = {k: f"{v / 1e6:.2f} MB/s" for k, v in rates.items()}
    print(told)
    assert rates["auto"] > 1.5 * rates["16KiB"], told
    assert rates["auto"] > 0.4 * rates["256KiB"], told


@pytest.mark.timeout(60)
@pytest.mark.parametrize("size", ("16KiB", "40KiB", "256KiB"))
def test_a_fixed_size_stays_fixed(rig, link_program, size):
    relay, s, _ = far_client(rig, link_program, {"sndbuf": size})
    pour = Pour(s, BLOCK)
    for _ in range(2):
        pour.rate(0.4)
        live = s.record()
        assert live["sndbuf"] == int(size[:-3]) * 1024 and live["sndbuf_changes"] == 1, live
    pour.finish()


def test_auto_stays_small_for_a_client_that_stalls(rig):
    """It is not what a client leaves unread that the buffer grows for."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off", "sndbuf": "auto"})
    s = opened(rig, relay, origin, rcvbuf=4096)
    s.carry(BLOCK, take=lambda now, come: 300 if int(now * 100) % 2 else 0, timeout=20)
    live = s.record()
    assert live["sndbuf"] <= 65_536, live


def test_a_quiet_stream_never_changes_its_buffer(rig):
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off", "sndbuf": "auto"})
    s = opened(rig, relay, origin)
    for n in range(200):
        s.write(chunked(events(1, 200, first=n), 300, last=False))
        s.arrive()
    live = s.record()
    assert live["sndbuf"] == 16384 and live["sndbuf_changes"] == 1 and live["spills"] == 0, live
