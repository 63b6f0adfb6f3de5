"""Whoever leaves, the other side learns it within 50 ms (best of three against the noise of a shared machine)."""

import time

import pytest
from lib.relay import LANES
from lib.wire import chunk, event_request, request

NOTICE = 0.050
PHASES = ["before the head", "silent head", "after events", "in an event", "in a chunk"]


def best_of_three(attempt):
    took = [attempt() for _ in range(3)]
    assert min(took) < NOTICE, [f"{t * 1000:.1f} ms" for t in took]


def stream_in(origin, relay, phase, rig):
    client = rig.connect(relay.addr)
    client.send(event_request())
    up = origin.accept()
    up.request()
    if phase != "before the head":
        up.stream_head()
        body = client.response_body(client.final_head())
    if phase == "after events":
        body.until(up.event("x"))
    elif phase == "in an event":
        up.part(b"data: ha")
        body.until(b"data: ha")
    elif phase == "in a chunk":
        up.send(b"20\r\ndata: ha")
        client.until(b"data: ha")
    return client, up


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("how", ["fin", "rst"])
def test_client_leaves(rig, phase, how):
    origin = rig.origin()
    relay = rig.relay(origin)

    def attempt():
        client, up = stream_in(origin, relay, phase, rig)
        left = client.close() if how == "fin" else client.rst()
        up.wait_end(1.0)
        return up.end_time - left

    best_of_three(attempt)
    record = relay.wait_log(3, event="end")
    assert record["ended_by"] == "client", record
    assert record["phase"] in (("read_head",) if phase == "before the head" else LANES), record


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("how", ["fin", "rst"])
def test_upstream_leaves(rig, phase, how):
    origin = rig.origin()
    relay = rig.relay(origin)

    def attempt():
        client, up = stream_in(origin, relay, phase, rig)
        left = up.close() if how == "fin" else up.rst()
        if phase == "before the head":
            # a GET may be tried again: refuse that as well
            try:
                while True:
                    again = origin.accept(0.03)
                    left = again.rst()
            except AssertionError:
                pass
            client.head()
            return client.last_time - left
        client.wait_end(1.0)
        return client.end_time - left

    best_of_three(attempt)


def test_client_leaves_in_its_request_body(rig):
    origin = rig.origin()
    relay = rig.relay(origin)

    def attempt():
        client = rig.connect(relay.addr)
        client.send(request("POST", fields=(("Transfer-Encoding", "chunked"),)) + chunk(b"part"))
        up = origin.accept()
        up.request_body(up.head()).until(b"part")
        left = client.close()
        up.wait_end(1.0)
        return up.end_time - left

    best_of_three(attempt)


def test_client_leaves_while_it_is_dialled_for(rig):
    """The upstream's accept queue is full: nothing is connected yet, and the slot is given back all the same."""
    import socket

    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    fillers = []
    for _ in range(4):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(full.getsockname())
        fillers.append(s)
    try:
        relay = rig.relay(f"127.0.0.1:{full.getsockname()[1]}", route={"timeouts": {"connect": "30s"}})
        client = rig.connect(relay.addr)
        client.send(event_request())
        time.sleep(0.1)
        before = relay.fds()
        client.close()
        record = relay.wait_log(event="end", timeout=1.0)
        assert record["ended_by"] == "client" and record["phase"] == "dial", record
        stop = time.monotonic() + 1
        while relay.fds() > before - 2 and time.monotonic() < stop:
            time.sleep(0.01)
        assert relay.fds() == before - 2
    finally:
        for s in fillers:
            s.close()
        full.close()


def test_client_that_lags_leaves(rig):
    """Bytes are queued for it: its reset is seen all the same."""
    origin = rig.origin()
    relay = rig.relay(origin)

    def attempt():
        client, _, up = rig.stream(relay, origin, rcvbuf=4096)
        stalled, block = time.monotonic(), chunk(b"data: " + b"x" * 30000 + b"\n\n")
        sent = 0
        while time.monotonic() - stalled < 0.1:
            n = up.send_some(block[sent % len(block) :])
            sent += n
            stalled = time.monotonic() if n else stalled
        left = client.rst()
        up.wait_end(1.0)
        return up.end_time - left

    best_of_three(attempt)


def test_client_fin_behind_unread_bytes(rig):
    """A client that closes with our bytes unread resets; one that shuts its side while it lags has left too."""
    origin = rig.origin()
    relay = rig.relay(origin)
    client, _, up = rig.stream(relay, origin, rcvbuf=4096)
    stalled, block, sent = time.monotonic(), chunk(b"data: " + b"x" * 30000 + b"\n\n"), 0
    while time.monotonic() - stalled < 0.1:
        n = up.send_some(block[sent % len(block) :])
        sent += n
        stalled = time.monotonic() if n else stalled
    client.fin()
    up.wait_end(1.0)


def test_leaving_releases_everything(rig):
    """Descriptors are back to where they were after 200 streams came and went in every phase."""
    origin = rig.origin()
    relay = rig.relay(origin)
    client, up = stream_in(origin, relay, "after events", rig)
    client.close()
    up.wait_end()
    time.sleep(0.05)
    before = relay.fds()
    for n in range(40):
        for phase in PHASES:
            client, up = stream_in(origin, relay, phase, rig)
            client.rst() if n % 2 else client.close()
            up.wait_end()
            up.close()
    stop = time.monotonic() + 2
    while relay.fds() != before and time.monotonic() < stop:
        time.sleep(0.01)
    assert relay.fds() == before


def test_node_sees_aborted_uploads(rig):
    """A real origin: `close` without `finished`."""
    peer = rig.peer("node")
    client = rig.connect(rig.relay(peer).addr)
    client.send(event_request("/events?n=100&gap=20"))
    client.response_body(client.final_head()).until(b"data")
    client.close()
    assert peer.wait_record("close")["finished"] is False
