"""Upgrades: a tunnel when the route allows it, nothing of the kind otherwise."""

import asyncio
import os
import time

import pytest
from lib.origin import OK
from lib.relay import grown
from lib.wire import request

UPGRADE = (("Connection", "Upgrade"), ("Upgrade", "chat"))
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
ALLOWED = {"upgrade": "on"}


def tunnel(rig, route=None):
    origin = rig.origin()
    relay = rig.relay(origin, route={**ALLOWED, **(route or {})})
    client = rig.connect(relay.addr)
    client.send(request(fields=UPGRADE))
    up = origin.accept()
    req = up.request()
    assert req.tokens("upgrade") == ["chat"] and "upgrade" in req.tokens("connection")
    up.send(SWITCH)
    head = client.head()
    assert head.status == 101 and head.tokens("upgrade") == ["chat"] and "upgrade" in head.tokens("connection")
    return relay, client, up


def test_both_ways(rig):
    _, client, up = tunnel(rig)
    for i in range(20):
        client.send(b"ping %d\0\r\n" % i)
        up.expect(b"ping %d\0\r\n" % i)
        up.send(b"\xffpong %d" % i)
        client.expect(b"\xffpong %d" % i)


def test_large_transfers_both_ways_at_once(rig):
    _, client, up = tunnel(rig)
    blob = os.urandom(1 << 20)
    for a, b in ((client, up), (up, client)):
        sent = 0
        while len(b.buf) < len(blob):
            sent += a.send_some(blob[sent:]) if sent < len(blob) else 0
            b.fill(0.01)
        assert b.read(len(blob)) == blob


def test_half_close_passes(rig):
    """One side may end while the other still talks."""
    _, client, up = tunnel(rig)
    client.send(b"that is all")
    client.fin()
    up.expect(b"that is all")
    assert up.wait_end(1.0) == "fin"
    up.send(b"I still have something")
    up.fin()
    client.expect(b"I still have something")
    assert client.wait_end(1.0) == "fin"


@pytest.mark.parametrize("who", ["client", "upstream"])
def test_reset_passes_at_once(rig, who):
    took = []
    for _ in range(3):
        _, client, up = tunnel(rig)
        a, b = (client, up) if who == "client" else (up, client)
        left = a.rst()
        assert b.wait_end(1.0) == "rst", "a cut must not look like an end"
        took.append(b.end_time - left)
    assert min(took) < 0.050, took


def test_bytes_in_the_segment_of_the_101(rig):
    origin = rig.origin()
    client = rig.connect(rig.relay(origin, route=ALLOWED).addr)
    client.send(request(fields=UPGRADE))
    up = origin.accept()
    up.request()
    up.send(SWITCH + b"first words")
    assert client.head().status == 101
    client.expect(b"first words")


def test_bytes_before_the_101_wait_for_it(rig):
    """A36: not forwarded until 101."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin, route=ALLOWED).addr)
    client.send(request(fields=UPGRADE) + b"hasty words")
    up = origin.accept()
    up.request()
    up.expect_silence(0.05)
    up.send(SWITCH)
    assert client.head().status == 101
    up.expect(b"hasty words")


def test_bytes_before_a_refused_upgrade_are_a_request_or_nothing(rig):
    """A36: a non-101 ends tunnel mode; what came behind is the next request, judged like any other."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin, route=ALLOWED).addr)
    client.send(request(fields=UPGRADE) + b"\0\1\2 not a request")
    up = origin.accept()
    up.request()
    before = len(up.log)
    up.send(OK)
    assert client.response()[1] == b"ok"
    client.wait_end(1.0)
    up.fill(0.05)
    assert len(up.log) == before
    origin.no_connection()


def test_refused_upgrade_leaves_a_usable_connection(rig):
    origin = rig.origin()
    client = rig.connect(rig.relay(origin, route=ALLOWED).addr)
    client.send(request(fields=UPGRADE))
    up = origin.accept()
    up.request()
    up.send(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
    assert client.response()[0].status == 426
    client.send(request(target="/next"))
    up.fill(0.2)
    if not up.log.count(b"/next"):
        up = origin.accept()
    assert b"/next" in up.head().target
    up.send(OK)
    assert client.response()[1] == b"ok"


def test_route_that_does_not_allow_it(rig):
    """The default: Upgrade ends here, and a 101 that comes all the same is a lie."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(request(fields=UPGRADE))
    up = origin.accept()
    req = up.request()
    assert not req.all("upgrade") and "upgrade" not in req.tokens("connection")
    up.send(SWITCH)
    assert client.response()[0].status == 502
    up.wait_end(1.0)


def test_upgrade_with_a_body_is_no_upgrade(rig):
    """A35: Upgrade is stripped, or the request refused; the upstream connection is not left out of step."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin, route=ALLOWED).addr)
    inner = b"GET /evil HTTP/1.1\r\nHost: x\r\n\r\n"
    client.send(request("POST", fields=UPGRADE, body=inner))
    try:
        up = origin.accept(0.5)
    except AssertionError:
        assert client.final_head().status == 400
        return
    req = up.request()
    assert not req.all("upgrade") and req.payload == inner
    up.send(OK)
    assert client.response()[1] == b"ok"
    assert up.log.count(b"/evil") == 1


def test_node_echoes_through_a_tunnel(rig):
    peer = rig.peer("node")
    client = rig.connect(rig.relay(peer, route=ALLOWED).addr)
    client.send(request(target="/socket", fields=UPGRADE))
    assert client.head().status == 101
    client.send(b"hello node")
    client.expect(b"hello node")
    client.close()
    peer.wait_record("tunnel-closed")


def test_real_websocket(rig):
    """Debian's python3-websockets on both ends."""
    websockets = pytest.importorskip("websockets", reason="python3-websockets is not installed")

    async def main():
        async def serve(ws, *_):
            async for message in ws:
                await ws.send(message[::-1])

        async with websockets.serve(serve, "127.0.0.1", 0, max_size=None) as server:
            port = server.sockets[0].getsockname()[1]
            relay = await asyncio.to_thread(rig.relay, f"127.0.0.1:{port}", route=ALLOWED)
            async with websockets.connect(f"ws://{relay.addr[0]}:{relay.addr[1]}/chat", max_size=None) as ws:
                for message in ("hello", "x" * 100_000, "ü" * 70_000):
                    await ws.send(message)
                    assert await ws.recv() == message[::-1]
                pong = await ws.ping()
                await asyncio.wait_for(pong, 2)
        return relay

    relay = asyncio.run(main())
    record = relay.wait_log(event="end")
    assert record["status"] == 101 and record["lane"] == "tunnel"


def test_idle_tunnel_is_closed_in_time(rig):
    _, client, up = tunnel(rig, {"timeouts": {"body_idle": "300ms"}})
    began = time.monotonic()
    client.wait_end(2.0)
    up.wait_end(1.0)
    assert 0.2 < client.end_time - began < 1.5


def test_reader_that_stalls_holds_the_writer(rig):
    """Backpressure through the tunnel: bounded by socket buffers, not by the relay's memory."""
    relay, client, up = tunnel(rig)
    rss = relay.rss_kib()
    pushed, stalled = 0, time.monotonic()
    while time.monotonic() - stalled < 0.2:
        n = up.send_some(b"x" * 65536)
        pushed += n
        stalled = time.monotonic() if n else stalled
    assert pushed < 24 << 20
    assert grown(relay, rss, 1024)
