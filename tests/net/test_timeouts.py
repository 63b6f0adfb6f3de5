"""Rows D1 to D5 and the deadlines of http-rules.md, each with a short limit."""

import time

import pytest
from lib.origin import answer
from lib.relay import grown
from lib.wire import chunk, event_request, request

HEAD = {"client": {"head_timeout": "400ms"}}


def timed(wire, limit=3.0):
    """Seconds until the peer ends the connection."""
    began = time.monotonic()
    wire.wait_end(limit)
    return wire.end_time - began


def test_slow_head(rig):
    """D1, slowloris: a byte now and then does not stretch the limit; 408."""
    origin = rig.origin()
    relay = rig.relay(origin, **HEAD)
    client = rig.connect(relay.addr)
    began = time.monotonic()
    for byte in request(fields=(("X-A", "b" * 200),)):
        if client.fill(0.02):
            break
        client.send(bytes([byte]))
    head = client.final_head()
    assert head.status == 408 and "close" in head.tokens("connection")
    assert 0.3 < time.monotonic() - began < 1.5
    client.wait_end(1.5)
    origin.no_connection()
    assert relay.wait_log(event="end")["ended_by"] == "timeout"


def test_many_slow_heads_do_not_hold_up_a_good_client(rig):
    origin = rig.origin(answer())
    relay = rig.relay(origin, **HEAD)
    slow = [rig.connect(relay.addr) for _ in range(200)]
    for wire in slow:
        wire.send(b"GET / HTTP/1.1\r\nX: ")
    began = time.monotonic()
    assert relay.get(request())[0].status == 200
    assert time.monotonic() - began < 0.25
    for wire in slow:
        assert wire.final_head().status == 408


def test_slow_body(rig):
    """D2: the body's silence is limited; the slot and the upstream are freed."""
    origin = rig.origin()
    relay = rig.relay(origin, route={"timeouts": {"request_body": "300ms"}})
    client = rig.connect(relay.addr)
    client.send(request("POST", fields=(("Content-Length", "1000"),), body=b"x" * 10))
    up = origin.accept()
    body = up.request_body(up.head())
    body.until(b"x" * 10)
    began = time.monotonic()
    assert client.final_head().status == 408
    assert 0.2 < time.monotonic() - began < 1.5
    client.wait_end(1.5)
    up.wait_end(1.0)
    assert not body.complete
    assert relay.admin("totals")["streams_now"] == 0


def test_body_that_trickles_is_not_cut(rig):
    """The limit is on silence, not on the whole body."""
    origin = rig.origin(answer())
    relay = rig.relay(origin, route={"timeouts": {"request_body": "300ms"}})
    client = rig.connect(relay.addr)
    client.send(request("POST", fields=(("Content-Length", "12"),)))
    for _ in range(12):
        time.sleep(0.06)
        client.send(b"x")
    assert client.response()[0].status == 200


def test_nothing_sent(rig):
    """D3: a connection that says nothing is closed within the head timeout."""
    relay = rig.relay(rig.origin(), **HEAD)
    client = rig.connect(relay.addr)
    assert timed(client) < 1.5
    assert client.log == b"" or client.log.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("hello", [b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
def test_stalled_tls_hello_on_a_plain_port(rig, hello):
    """D4, as far as it goes without TLS: refused on sight, not after a handshake's time."""
    client = rig.connect(rig.relay(rig.origin()).addr)
    client.send(hello)
    assert client.final_head(1.0).status == 400
    client.wait_end(1.0)


def test_tiny_window_reader(rig):
    """D5: a reader of a few bytes at a time costs bounded memory, and is cut when it stalls."""
    origin = rig.origin()
    relay = rig.relay(origin, route={"timeouts": {"stall": "500ms"}})
    rss = relay.rss_kib()
    client, _, up = rig.stream(relay, origin, rcvbuf=2048)
    block = chunk(b"data: " + b"x" * 30000 + b"\n\n")
    sent, stop = 0, time.monotonic() + 1.0
    while time.monotonic() < stop:
        sent += up.send_some(block[sent % len(block) :])
        client.fill(0, most=10)
        time.sleep(0.002)
    assert grown(relay, rss, 512)
    stop = time.monotonic() + 4
    while not up.end and time.monotonic() < stop:
        up.send_some(block[sent % len(block) :])
        up.fill(0.02)
    assert up.end, "a reader that stopped is cut"
    assert relay.wait_log(event="end")["ended_by"] == "slow_client"


def test_event_stream_may_be_silent_for_its_own_limit(rig):
    origin = rig.origin()
    route = {"timeouts": {"idle": "600ms", "body_idle": "100ms"}, "heartbeat": "off"}
    relay = rig.relay(origin, route=route)
    client, body, up = rig.stream(relay, origin)
    body.until(up.event("x"))
    assert 0.5 < timed(client) < 2.0
    assert not body.complete
    up.wait_end(1.0)
    record = relay.wait_log(event="end")
    assert record["ended_by"] == "timeout" and record["truncated"] is True, record


def test_heartbeats_do_not_hide_an_upstream_that_died(rig):
    """The idle limit is on the upstream's silence: our own comments are not its life."""
    origin = rig.origin()
    route = {"timeouts": {"idle": "500ms"}, "heartbeat": "100ms"}
    client, body, up = rig.stream(rig.relay(origin, route=route), origin)
    body.until(up.event("x"))
    assert 0.4 < timed(client) < 2.0


def test_other_responses_have_the_shorter_limit(rig):
    origin = rig.origin()
    relay = rig.relay(origin, route={"timeouts": {"idle": "1h", "body_idle": "300ms"}})
    client = rig.connect(relay.addr)
    client.send(request())
    up = origin.accept()
    up.request()
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    client.final_head()
    assert 0.2 < timed(client) < 1.5
    up.wait_end(1.0)


def test_no_limit_on_a_streams_life_by_default(rig):
    """And one with jitter where it is configured."""
    origin = rig.origin()
    relay = rig.relay(origin)
    client, body, up = rig.stream(relay, origin)
    for i in range(10):
        body.until(up.event(i))
        time.sleep(0.02)
    assert not client.end


def test_max_age_has_jitter(rig):
    origin = rig.origin()
    relay = rig.relay(origin, route={"timeouts": {"max_age": "800ms"}})
    streams = [rig.stream(relay, origin) for _ in range(12)]
    for client, _, _ in streams:
        client.wait_end(3.0)
    ages = [r["age_ms"] for r in (relay.wait_log(i + 1, event="end") for i in range(12))]
    assert min(ages) > 700 and max(ages) < 1100, ages
    assert max(ages) - min(ages) > 15, "streams that began together do not end together"
    record = relay.log(event="end")[0]
    assert record["ended_by"] == "timeout" and record["reason"] == "max_age", record


def test_heads_limit_does_not_run_while_a_stream_is_open(rig):
    origin = rig.origin()
    relay = rig.relay(origin, client={"head_timeout": "200ms", "keepalive": "200ms"}, route={"timeouts": {"head": "200ms"}})
    client, body, up = rig.stream(relay, origin)
    time.sleep(0.6)
    body.until(up.event("still here"))
    up.finish()
    body.to_end()
    client.send(event_request("/2"))
    assert up.request().target == b"/2"
