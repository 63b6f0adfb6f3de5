"""Connections that live on behind a spliced response, on both sides, and requests that come while one is carried."""

import time

import pytest
from lib.wire import Ended, chunk, event_request, request

from kit.body import assert_same, chunked, count_events, events
from kit.stream import Carried, ends, opened, start


def test_two_hundred_responses_on_one_pair_of_connections(rig):
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off"})
    client = up = None
    for n in range(200):
        s = opened(rig, relay, origin, client=client, up=up)
        client, up = s.client, s.up
        text = events(1 + n % 7, 50 + n, first=n)
        s.write(chunked(text, 20 + n % 97, last=False))
        if n % 3:
            s.arrive()
        s.write(b"0\r\n\r\n")
        s.body.to_end()
        assert s.body.complete
        assert_same(bytes(s.body.payload), text, f"response {n}")
        assert not client.buf, f"bytes behind response {n}: {bytes(client.buf)!r}"
    assert len(origin.conns) == 1, "one upstream connection"
    log = ends(relay, 200)
    assert len(log) == 200 and len({r["client"] for r in log}) == 1
    assert {(r["lane"], r["ended_by"], r["truncated"]) for r in log} == {("splice", "complete", False)}
    assert [r["events"] for r in log] == [1 + n % 7 for n in range(200)]
    totals = relay.admin("totals")
    assert totals["connections"] == 1 and totals["requests"] == 200, totals


def test_spliced_and_copied_responses_in_turn(rig):
    """The client's socket comes out of the map plain: a copied response behind a spliced one, and back."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off"})
    client = up = None
    for n in range(30):
        s = opened(rig, relay, origin, client=client, up=up)
        client, up = s.client, s.up
        s.write(chunk(b"data: %d\n\n" % n))
        s.arrive()
        s.finish()
        client.send(request(target=f"/page/{n}"))
        up.request()
        page = b"<p>%d</p>" % n * (n * 50 + 1)
        up.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page))
        head, got = client.response()
        assert_same(got, page)
    assert len(origin.conns) == 1
    assert [r["lane"] for r in ends(relay, 60)] == ["splice", "copy"] * 30


def test_upstream_connections_change_clients(rig):
    """One upstream connection serves client after client; no byte of one is left for the next."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off"})
    up = None
    for n in range(40):
        s = opened(rig, relay, origin, up=up, rcvbuf=4096 if n % 4 == 3 else None)
        up = s.up
        text = events(40, 200, first=n * 1000)
        s.carry(chunked(text, 300, last=False), take=(lambda now, come: 1500) if n % 4 == 3 else None)
        s.finish()
        assert_same(bytes(s.body.payload), text)
        s.client.close()
    assert len(origin.conns) == 1


def test_clients_change_upstreams(rig):
    """One client connection, an upstream connection for each response (the origin closes its own)."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off"})
    client = None
    for n in range(40):
        s = opened(rig, relay, origin, client=client)
        client = s.client
        s.write(chunk(b"data: %d\n\n" % n))
        s.arrive()
        s.finish()
        s.up.close()
        time.sleep(0.003)
    assert len(origin.conns) == 40


@pytest.mark.parametrize("behind", ("in one write with the first", "while it streams", "a byte at a time", "half of it"))
def test_a_second_request_waits_for_the_first_to_end(rig, behind):
    """A37, A38: nothing that a client sends during a spliced stream reaches the upstream before its end, and then it is a
    request like any other."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off"})
    second = event_request("/second")
    first = event_request("/first")
    s = opened(rig, relay, origin, data=first + second if behind.startswith("in one") else first)
    before = len(s.up.log)
    if behind == "while it streams":
        s.client.send(second)
    elif behind == "a byte at a time":
        for byte in second:
            s.client.send(bytes((byte,)))
    elif behind == "half of it":
        s.client.send(second[:-7])
    for n in range(20):
        s.write(chunk(b"data: %d\n\n" % n))
        s.arrive()
    assert s.record()["lane"] == "splice"
    s.up.fill(0.05)
    assert len(s.up.log) == before, f"reached the upstream: {bytes(s.up.log[before:])!r}"
    origin.no_connection()
    s.finish()
    if behind == "half of it":
        s.up.fill(0.05)
        assert len(s.up.log) == before
        s.client.send(second[-7:])
    assert s.up.request().target == b"/second"
    s.up.stream_head()
    n = Carried(relay, s.client, s.up, s.client.final_head())
    n.on("splice")
    n.write(chunk(b"data: second\n\n"))
    n.arrive()
    end = n.finish()
    assert end["lane"] == "splice" and end["path"] == "/second" and end["events"] == 1, end


@pytest.mark.parametrize("junk", (b"\0" * 100, b"x" * 70_000, b"GET /evil HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"\r\n\r\n\r\n"),
                         ids=("NUL", "long line", "two hosts", "empty lines"))
def test_junk_of_the_client_during_the_stream(rig, junk):
    """A37: not a request at all. The stream is not touched by it, and nothing of it goes upstream."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off"})
    s = opened(rig, relay, origin)
    before = len(s.up.log)
    s.client.sock.setblocking(False)
    s.client.send_some(junk)
    text = events(200, 100)
    s.carry(chunked(text, 500, last=False))
    end = s.finish()
    assert end["ended_by"] == "complete" and end["events"] == count_events(text), end
    try:
        assert 400 <= s.client.final_head().status < 500
    except Ended:
        pass
    s.up.fill(0.05)
    assert len(s.up.log) == before
    origin.no_connection()


def test_forty_pipelined_requests(rig):
    """Forty heads in one write: one response after the other, each spliced, in order."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off"})
    client = rig.connect(relay.addr)
    client.send(b"".join(event_request(f"/{n}") for n in range(40)))
    up = origin.accept()
    for n in range(40):
        assert up.request().target == b"/%d" % n
        up.stream_head()
        s = Carried(relay, client, up, client.final_head())
        if n % 5 == 0:
            s.on("splice")
        s.write(chunk(b"data: %d\n\n" % n) + b"0\r\n\r\n")
        s.body.to_end()
        assert_same(bytes(s.body.payload), b"data: %d\n\n" % n)
    assert len(origin.conns) == 1 and len(ends(relay, 40)) == 40
