"""Streams over HTTP/2, over TLS and in clear text: what the seeds ask, windows, ends, bodies."""

import time

import pytest
from lib.h2 import (DATA, HEADERS, INITIAL_WINDOW_SIZE, INTERNAL_ERROR, NO_ERROR, PRIORITY_UPDATE, events_fields, frame,
                    h2_connect, h2_relay, request_fields)
from lib.origin import OK, answer
from lib.relay import grown
from lib.wire import chunk

BOTH = pytest.mark.parametrize("tls", [True, False], ids=["tls", "h2c"])


def opened(client, origin, path="/events", fields=()):
    """A live event stream: the client's stream and the origin's connection."""
    s = client.events(path, fields)
    client.pump()
    up = origin.accept()
    up.request()
    up.stream_head()
    assert s.head()[":status"] == "200"
    return s, up


@BOTH
def test_head_of_a_silent_stream_comes_at_once(rig, tls):
    """The first seed: no byte of a body, and the head is there."""
    origin = rig.origin()
    client = h2_connect(rig, h2_relay(rig, origin, tls))
    took = []
    for _ in range(3):
        s = client.events()
        up = origin.accept()
        up.request()
        sent = time.monotonic()
        up.stream_head()
        head = s.head()
        took.append(s.frames[0].time - sent)
        assert head["content-type"] == "text/event-stream" and head["x-accel-buffering"] == "no"
        assert "transfer-encoding" not in head and "connection" not in head
        assert not s.body and not s.ended
    assert min(took) < 0.05, took


@BOTH
def test_events_leave_as_they_come(rig, tls):
    origin = rig.origin()
    client = h2_connect(rig, h2_relay(rig, origin, tls, route={"heartbeat": "off"}))
    s, up = opened(client, origin)
    took = []
    for n in range(5):
        sent = time.monotonic()
        payload = up.event(f"event {n} " + "x" * 190)
        s.until(payload)
        took.append(time.monotonic() - sent)
        assert s.frames[-1].kind == DATA and s.frames[-1].payload == payload, "an event is a frame"
    assert min(took) < 0.05, took
    client.silence(0.3)
    up.part(b"data: half")
    s.until(b"half")
    up.part(b" an event\n\n")
    up.finish()
    assert s.over() is None
    assert bytes(s.body).endswith(b"data: half an event\n\n")


@BOTH
def test_many_streams_on_one_connection(rig, tls):
    """Each its own upstream, slot and record; what is one's never comes to another."""
    origin = rig.origin()
    relay = h2_relay(rig, origin, tls, route={"heartbeat": "off"})
    client = h2_connect(rig, relay)
    pairs = [opened(client, origin, f"/s{n}") for n in range(30)]
    for n, (_, up) in enumerate(pairs):
        up.event(f"for {n}")
    for n, (s, _) in enumerate(pairs):
        s.until(b"data: for %d\n\n" % n)
        assert bytes(s.body) == b"data: for %d\n\n" % n
    assert len({id(up) for _, up in pairs}) == 30
    for _, up in pairs:
        up.finish()
    for s, _ in pairs:
        assert s.over() is None
    records = [relay.wait_log(n + 1, event="end") for n in range(30)]
    assert all(r["ended_by"] == "complete" for r in records)
    assert client.alive()


@BOTH
def test_a_stalled_stream_stalls_no_other(rig, tls):
    """E8: one without a window, with a busy upstream; its memory is bounded, the others go on, and so does it later."""
    origin = rig.origin()
    relay = h2_relay(rig, origin, tls, route={"heartbeat": "off", "slow": {"policy": "block"}})
    client = h2_connect(rig, relay, settings=[(INITIAL_WINDOW_SIZE, 1000)])
    stalled, busy = opened(client, origin, "/stalled")
    other, up = opened(client, origin, "/other")
    since = relay.rss_kib()
    sent, block = 0, b"data: " + b"b" * 8000 + b"\n\n"
    stop = time.monotonic() + 0.7
    while time.monotonic() < stop and sent < 64 << 20:
        sent += busy.send_some(chunk(block))
        client.pump()
    assert len(stalled.body) == 1000 and sent < 16 << 20, "the upstream has to wait"
    assert grown(relay, since, 2048)
    for n in range(5):
        began = time.monotonic()
        other.until(up.event(n))
        assert time.monotonic() - began < 1
    client.window(stalled, 5000)
    stalled.until(6000)
    client.pump(0.1)
    assert len(stalled.body) == 6000
    client.window(stalled, 1 << 24)
    stalled.until(200000)
    whole = block * (len(stalled.body) // len(block) + 1)
    assert whole.startswith(bytes(stalled.body))


@BOTH
def test_what_came_while_the_client_read_nothing(rig, tls):
    """The relay reads no frames while its own wait in a full socket; those that it left are read behind them."""
    origin = rig.origin()
    client = h2_connect(rig, h2_relay(rig, origin, tls, route={"heartbeat": "off"}), settings=[(INITIAL_WINDOW_SIZE, 1 << 28)])
    s, up = opened(client, origin)
    sent, block = 0, chunk(b"data: " + b"b" * 8000 + b"\n\n")
    quiet = time.monotonic() + 0.3
    while time.monotonic() < quiet:
        n = up.send_some(block * 8)
        sent += n
        if n:
            quiet = time.monotonic() + 0.3
    client.ping()
    time.sleep(0.1)
    client.wait(lambda: client.pongs == 1, "the answer to a ping")
    assert len(s.body) > 100_000


@BOTH
def test_connection_window(rig, tls):
    """E9: nothing goes without it, all goes on with it."""
    origin = rig.origin()
    client = h2_connect(rig, h2_relay(rig, origin, tls, route={"heartbeat": "off"}), window=0)
    a, up_a = opened(client, origin, "/a")
    b, up_b = opened(client, origin, "/b")
    up_a.part(b"d" * 70000)
    a.until(65535)
    up_b.event("waits")
    client.silence(0.2)
    client.window(0, 70000 - 65535 + 100)
    a.until(len(a.body))
    b.until(b"waits")


def closed_in(up, since):
    up.wait_end(2)
    return up.end_time - since


@BOTH
def test_cancelled_stream_closes_its_upstream_at_once(rig, tls):
    origin = rig.origin()
    relay = h2_relay(rig, origin, tls)
    client = h2_connect(rig, relay)
    other, up_other = opened(client, origin)
    took = []
    for phase in ("head", "silent", "busy"):
        if phase == "head":
            s = client.events()
            up = origin.accept()
            up.request()
        else:
            s, up = opened(client, origin)
        if phase == "busy":
            up.event("x" * 1000)
            s.until(1000)
        took.append(closed_in(up, client.rst(s)))
    assert min(took) < 0.05 and max(took) < 1, took
    assert [relay.wait_log(n, event="end")["ended_by"] for n in (1, 2, 3)] == ["client"] * 3
    other.until(up_other.event("goes on"))
    totals = relay.admin("totals")
    assert client.goaway is None, totals


@BOTH
def test_connection_that_breaks_closes_every_upstream(rig, tls):
    origin = rig.origin()
    relay = h2_relay(rig, origin, tls)
    client = h2_connect(rig, relay)
    ups = [opened(client, origin)[1] for _ in range(5)]
    if tls:
        client.wire.sock.close()
        since = time.monotonic()
    else:
        since = client.wire.rst()
    for up in ups:
        assert closed_in(up, since) < 1
    for n in range(5):
        assert relay.wait_log(n + 1, event="end")["ended_by"] == "client"


@pytest.mark.parametrize("how", ["rst", "fin in a chunk", "fin between chunks", "bad chunk"])
def test_upstream_that_dies_is_never_a_clean_end(shared_relay, how):
    """G1, G2, G4: RST_STREAM, and what came before it came."""
    origin, client = shared_relay
    s, up = opened(client, origin)
    s.until(up.event("whole"))
    if how == "rst":
        up.rst()
    elif how == "fin in a chunk":
        up.send(b"20\r\ndata: ha")
        up.fin()
    elif how == "fin between chunks":
        up.fin()
    else:
        up.send(b"zz\r\nboo")
    assert s.over() == INTERNAL_ERROR
    assert not s.ended
    assert bytes(s.body) in (b"data: whole\n\n", b"data: whole\n\ndata: ha")
    assert client.alive()


def test_short_length_is_a_reset(shared_relay):
    """G7"""
    origin, client = shared_relay
    s = client.request()
    up = origin.accept()
    up.request()
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
    up.fin()
    assert s.over() == INTERNAL_ERROR
    assert bytes(s.body) == b"short"


@pytest.fixture(scope="module")
def shared_relay(shared):
    origin = shared.origin()
    relay = h2_relay(shared, origin, True, route={"heartbeat": "off"}, upstream={"keepalive": "off"})
    client = h2_connect(shared, relay)
    client.relay = relay
    return origin, client


def asked(client, origin, fields=None, **kw):
    s = client.request(fields, **kw)
    up = origin.accept()
    return s, up


def test_plain_answers(shared_relay):
    origin, client = shared_relay
    s, up = asked(client, origin)
    up.request()
    up.send(OK)
    assert s.over() is None and bytes(s.body) == b"ok"
    assert s.head()["content-length"] == "2"
    assert s.frames[-1].payload == b"ok", "END_STREAM comes with the last bytes"


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(shared_relay, status):
    origin, client = shared_relay
    s, up = asked(client, origin)
    up.request()
    up.send(b"HTTP/1.1 %d X\r\nETag: x\r\n\r\n" % status)
    assert s.over() is None
    assert s.status == status and [f.kind for f in s.frames] == [HEADERS]


def test_head_requests(shared_relay):
    origin, client = shared_relay
    s, up = asked(client, origin, request_fields(method="HEAD"))
    assert up.request().method == b"HEAD"
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    assert s.over() is None
    assert s.head()["content-length"] == "1000" and [f.kind for f in s.frames] == [HEADERS]


def test_interim_heads(shared_relay):
    origin, client = shared_relay
    s, up = asked(client, origin)
    up.request()
    up.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
    client.wait(lambda: s.heads, "103")
    assert dict(s.heads[0]) == {":status": "103", "link": "</x>"} and not s.ended
    up.send(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)
    assert s.over() is None
    assert [dict(h)[":status"] for h in s.heads] == ["103", "100", "200"]


def test_chunked_body_with_trailers_ends_clean(shared_relay):
    origin, client = shared_relay
    s, up = asked(client, origin)
    up.request()
    up.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"a") * 3 + b"0\r\nX-Sum: 1\r\n\r\n")
    assert s.over() is None and bytes(s.body) == b"aaa"


def test_no_answer_of_the_upstream(shared_relay):
    """G3: 502, on its own stream."""
    origin, client = shared_relay
    s, up = asked(client, origin, request_fields(method="POST"))
    up.request()
    up.rst()
    assert s.over() is None and s.status == 502
    assert client.alive()


def test_request_as_the_upstream_sees_it(shared_relay):
    origin, client = shared_relay
    crumbs = [("cookie", "a=1"), ("x-order", "1"), ("cookie", "b=2"), ("te", "trailers"), ("last-event-id", "7\xe4"),
              ("x-order", "2"), ("host", "TEST.example"), ("priority", "u=1")]  # fmt: skip
    s, up = asked(client, origin, events_fields("/a%0d?q=%00", crumbs))
    head = up.request()
    assert head.line == b"GET /a%0d?q=%00 HTTP/1.1"
    assert head.all("host") == [b"test.example"]
    assert head.all("cookie") == [b"a=1; b=2"]
    assert head.all("x-order") == [b"1", b"2"]
    assert head.all("last-event-id") == [b"7\xe4"]
    assert head.all("te") == [] and head.all("connection") == [] and head.all("transfer-encoding") == []
    assert head.get("via") == "2.0 sluice" and head.get("x-forwarded-proto") == "https"
    assert not [n for n, _ in head.fields if n.startswith(b":")]
    up.send(OK)
    assert s.over() is None


def test_bodies_up(shared_relay):
    origin, client = shared_relay
    # of a known length
    s, up = asked(client, origin, request_fields(method="POST", fields=[("content-length", "5")]), body=b"hello")
    head = up.request()
    assert head.payload == b"hello" and head.get("content-length") == "5" and not head.all("transfer-encoding")
    up.send(OK)
    assert s.over() is None
    # of none: chunked, and streamed as it comes
    s, up = asked(client, origin, request_fields(method="POST"), end=False)
    head = up.head()
    assert head.tokens("transfer-encoding") == ["chunked"]
    body = up.request_body(head)
    for piece in (b"one", b"two"):
        client.data(s, piece)
        body.until(piece)
    client.data(s, end=True)
    assert body.to_end() == b"onetwo" and body.complete
    up.send(OK)
    assert s.over() is None
    # trailers are dropped, and end it
    s, up = asked(client, origin, request_fields(method="POST"), end=False)
    client.data(s, b"x")
    client.send(frame(HEADERS, 0x5, s.number, b"\0\1x\1y"))
    head = up.request()
    assert head.payload == b"x" and not head.body.trailers
    up.send(OK)
    assert s.over() is None


@BOTH
def test_upload_that_nobody_takes(rig, tls):
    """Backpressure: no more than the window comes in, memory is bounded, other streams go on; then all of it arrives."""
    origin = rig.origin(rcvbuf=4096)
    relay = h2_relay(rig, origin, tls, route={"heartbeat": "off", "timeouts": {"request_body": "40s"}})
    client = h2_connect(rig, relay)
    s = client.request(request_fields(method="POST"), end=False)
    up = origin.accept()
    head = up.head()
    since = relay.rss_kib()
    total, window, sent = 8 << 20, 65535, 0
    piece = bytes(range(256)) * 64
    window = client.server_settings.get(INITIAL_WINDOW_SIZE, 65535)
    granted = lambda: window + sum(int.from_bytes(f.payload, "big") for f in client.frames if f.kind == 8 and f.stream == s.number)
    stop = time.monotonic() + 1
    while time.monotonic() < stop:
        while sent + len(piece) <= min(granted(), total):
            client.data(s, piece)
            sent += len(piece)
        client.pump(0.05)
    assert sent < total // 2, "an upstream that takes nothing lets the window close"
    assert grown(relay, since, 1024)
    other, up2 = opened(client, origin)
    other.until(up2.event("goes on"))
    body = up.request_body(head)
    stop = time.monotonic() + 40
    while not body.complete and time.monotonic() < stop:
        while sent < total and sent + len(piece) <= granted():
            client.data(s, piece, end=sent + len(piece) == total)
            sent += len(piece)
        client.pump(0.001)
        body.pump(0.005)
    assert body.complete and bytes(body.payload) == piece * (total // len(piece))


def test_early_answer(shared_relay):
    """A34: the answer is whole before the request is; the rest is not wanted, and the connection goes on."""
    origin, client = shared_relay
    s, up = asked(client, origin, request_fields(method="POST"), end=False)
    client.data(s, b"begin")
    up.head()
    up.send(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
    client.wait(lambda: s.ended, "the answer")
    assert s.status == 403 and bytes(s.body) == b"no"
    client.wait(lambda: s.reset is not None, "RST_STREAM")
    assert s.reset == NO_ERROR
    client.data(s, b"late")
    assert client.alive()


def test_too_large_a_body(rig):
    origin = rig.origin()
    client = h2_connect(rig, h2_relay(rig, origin, False, route={"max_body": "1KiB"}))
    s = client.request(request_fields(method="POST", fields=[("content-length", "2000")]), end=False)
    client.wait(lambda: s.heads, "413")
    assert s.status == 413
    s = client.request(request_fields(method="POST"), end=False)
    up = origin.accept()
    up.head()
    client.data(s, b"b" * 2000)
    client.wait(lambda: s.heads or s.reset is not None, "413")
    assert s.status == 413
    assert client.alive()


@BOTH
def test_heartbeats(rig, tls):
    origin = rig.origin()
    client = h2_connect(rig, h2_relay(rig, origin, tls, route={"heartbeat": "150ms"}))
    s, up = opened(client, origin)
    s.until(up.event("x"))
    s.until(b": heartbeat\n\n: heartbeat\n\n")
    assert all(f.payload == b": heartbeat\n\n" for f in s.frames if f.kind == DATA and b"heart" in f.payload)
    up.part(b"data: half")
    s.until(b"half")
    before = len(s.body)
    client.pump(0.4)
    assert len(s.body) == before, "not inside a line"


@pytest.mark.parametrize("policy", ["block", "drop", "close"])
def test_slow_policies(rig, policy):
    slow = {"policy": policy, **({"bytes": "32KiB"} if policy != "block" else {})}
    if policy == "close":
        slow["time"] = "off"
    origin = rig.origin()
    relay = h2_relay(rig, origin, True, route={"heartbeat": "off", "slow": slow, "timeouts": {"stall": "10s"}})
    client = h2_connect(rig, relay, settings=[(INITIAL_WINDOW_SIZE, 2000)])
    s, up = opened(client, origin)
    other, up2 = opened(client, origin)
    events = [b"data: %06d %s\n\n" % (n, b"e" * 480) for n in range(4000)]
    sent = 0
    stop = time.monotonic() + 1
    wire = b"".join(chunk(e) for e in events)
    while sent < len(wire) and time.monotonic() < stop:
        n = up.send_some(wire[sent : sent + 65536])
        sent += n
        client.pump(0 if n else 0.01)
        if up.end or s.reset is not None:
            break
    if policy == "block":
        s.until(2000)
        assert s.reset is None and len(s.body) == 2000
        return
    other.until(up2.event("goes on"))
    if policy == "close":
        assert s.over(10) is not None and not s.ended
        up.wait_end()
        assert relay.wait_log(1, event="end")["ended_by"] == "slow_client"
        return
    assert sent == len(wire), "drop: the upstream never waits"
    client.window(s, 1 << 24)
    up.event("last")
    text = s.until(b"data: last\n\n")
    assert b": dropped " in text
    rest = [e for e in text.replace(b"\n\n", b"\n\n\0").split(b"\0") if e.startswith(b"data: 0")]
    assert all(e in events for e in rest[:-1]), "whole events only"
    assert rest == sorted(rest)


def test_dropped_events_are_no_clean_end(rig):
    """An answer that ended upstream while events waited to be dropped does not look whole."""
    origin = rig.origin()
    relay = h2_relay(rig, origin, False, route={"heartbeat": "off", "slow": {"policy": "drop", "bytes": "32KiB"}})
    client = h2_connect(rig, relay, settings=[(INITIAL_WINDOW_SIZE, 100)])
    s, up = opened(client, origin)
    for n in range(200):
        up.event(f"{n:06d} " + "e" * 500)
    up.finish()
    relay.wait_log(1, event="open")
    time.sleep(0.2)
    client.window(s, 1 << 24)
    assert s.over(5) is not None and not s.ended


def test_stalled_stream_is_cut(rig):
    """E8: no window for as long as `stall`; only that stream goes."""
    origin = rig.origin()
    relay = h2_relay(rig, origin, False, route={"heartbeat": "off", "timeouts": {"stall": "400ms"}})
    client = h2_connect(rig, relay, settings=[(INITIAL_WINDOW_SIZE, 100)])
    s, up = opened(client, origin)
    other, up2 = opened(client, origin)
    up.part(b"x" * 100000)
    assert s.over(5) is not None and not s.ended
    up.wait_end()
    assert relay.wait_log(1, event="end")["ended_by"] in ("slow_client", "timeout")
    other.until(up2.event("goes on"))


@BOTH
def test_client_that_reads_nothing(rig, tls):
    """E9: not a window but the socket is full. Memory is bounded, and after `stall` every stream of it goes."""
    origin = rig.origin()
    relay = h2_relay(rig, origin, tls, route={"heartbeat": "off", "timeouts": {"stall": "1500ms"}})
    client = h2_connect(rig, relay, rcvbuf=4096, settings=[(INITIAL_WINDOW_SIZE, 1 << 30)])
    pairs = [opened(client, origin, f"/{n}") for n in range(3)]
    since = relay.rss_kib()
    block, sent = chunk(b"data: " + b"b" * 8000 + b"\n\n") * 8, 0
    stop = time.monotonic() + 1
    while time.monotonic() < stop:
        sent += sum(up.send_some(block) for _, up in pairs)
        time.sleep(0.001)
    assert grown(relay, since, 2048)
    for _, up in pairs:
        up.wait_end(5)
    for n in range(3):
        assert relay.wait_log(n + 1, event="end")["ended_by"] in ("slow_client", "timeout", "client")
    other = h2_connect(rig, relay)
    opened(other, origin)


@BOTH
def test_connection_window_that_never_opens(rig, tls):
    """E9: after `stall` its streams are cut, and their upstreams told."""
    origin = rig.origin()
    relay = h2_relay(rig, origin, tls, route={"heartbeat": "off", "timeouts": {"stall": "400ms"}})
    client = h2_connect(rig, relay, window=0)
    pairs = [opened(client, origin, f"/{n}") for n in range(2)]
    for _, up in pairs:
        up.part(b"d" * 150000)  # more than the windows and what waits in front of them
    for s, up in pairs:
        assert s.over(5) is not None and not s.ended
        up.wait_end(2)
    assert client.alive()


@pytest.mark.parametrize("ends", [False, True], ids=["goes on", "whole"])
def test_a_few_bytes_that_are_not_taken(rig, ends):
    """E8 again: what fits the relay's own buffer counts as well, of a stream and of an answer that is whole upstream."""
    origin = rig.origin()
    relay = h2_relay(rig, origin, False, route={"heartbeat": "off", "timeouts": {"stall": "400ms"}})
    client = h2_connect(rig, relay, settings=[(INITIAL_WINDOW_SIZE, 10)])
    s, up = opened(client, origin)
    up.part(b"x" * 100)
    if ends:
        up.finish()
    assert s.over(5) is not None and not s.ended and len(s.body) == 10
    if not ends:
        up.wait_end()
    assert client.alive()


def test_priorities(shared_relay):
    """RFC 9218: read, and no reason to hold back anything."""
    origin, client = shared_relay
    a, up_a = opened(client, origin, "/a", [("priority", "u=7")])
    b, up_b = opened(client, origin, "/b", [("priority", "u=0, i")])
    client.send(frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0" + bytes((a.number,)) + b"u=0"))
    a.until(up_a.event("a"))
    b.until(up_b.event("b"))


def test_download_holds_up_no_events(rig):
    """Equals are served in turns: an event comes through in the middle of a download on the same connection."""
    origin = rig.origin()
    client = h2_connect(rig, h2_relay(rig, origin, True, route={"heartbeat": "off"}), settings=[(INITIAL_WINDOW_SIZE, 1 << 27)])
    big = client.request()
    up = origin.accept()
    up.request()
    up.send(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n" % (64 << 20))
    s, up2 = opened(client, origin)
    block, sent, worst = b"v" * 65536, 0, 0
    for n in range(10):
        stop = time.monotonic() + 0.05
        while time.monotonic() < stop:
            sent += up.send_some(block)
            client.pump()
        began = time.monotonic()
        payload = up2.event(n)
        while payload not in s.body:
            sent += up.send_some(block)
            client.pump(0.001)
            assert time.monotonic() - began < 2
        worst = max(worst, time.monotonic() - began)
    assert len(big.body) > 1 << 20
    assert worst < 1


def test_http_settings_of_a_listener(rig):
    """`http: 1.1` refuses the preface, `http: 2` anything else, auto takes both."""
    origin = rig.origin(answer())
    one = rig.relay(origin, listener={"http": "1.1"})
    wire = one.connect()
    wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert wire.final_head().status == 505
    wire.close()
    both = rig.relay(origin)
    head, payload = both.get(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert head.status == 200 and payload == b"ok"
    client = h2_connect(rig, both)
    s = client.request()
    assert s.over() is None and bytes(s.body) == b"ok"
    two = rig.relay(origin, listener={"http": "2"})
    wire = two.connect()
    wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wire.wait_end()
    assert not bytes(wire.log).startswith(b"HTTP/1.1 200")
    wire.close()


def test_route_limits_answer_on_their_stream(rig):
    origin = rig.origin()
    client = h2_connect(rig, h2_relay(rig, origin, False, route={"max_streams": 1}))
    opened(client, origin)
    s = client.events()
    assert s.over() is None and s.status == 503
    assert client.alive()
