"""HTTP/2 connections when the relay drains, reloads, is told to kill a stream, or loses a worker; and how many fit into its memory."""

import os
import signal
import time

import pytest
from lib.h2 import GOAWAY, NO_ERROR, SETTINGS, events_fields, frame, h2_connect, h2_relay, request_fields, tls_listener
from lib.origin import OK
from lib.proc import wait_for
from lib.relay import grown, sanitized
from lib.wire import NotInTime
from test_h2 import BOTH, opened
from test_lifecycle import reload


def goaways(client):
    return [f for f in client.frames if f.kind == GOAWAY]


@BOTH
def test_drain(rig, tls):
    """GOAWAY in two steps; a request that crosses the first is served; event streams close over the window, with `retry:`."""
    origin = rig.origin()
    relay = h2_relay(rig, origin, tls, drain="4s", route={"heartbeat": "off", "retry": "2345ms"})
    client = h2_connect(rig, relay)
    streams = [opened(client, origin) for _ in range(10)]
    for n, (s, up) in enumerate(streams):
        s.until(up.event(n))
    began = time.monotonic()
    relay.send_signal(signal.SIGTERM)
    client.wait(lambda: client.goaway, "the first GOAWAY")
    assert client.goaway.last_stream == 0x7FFFFFFF and client.goaway.code == NO_ERROR
    crossed = client.request()
    up = origin.accept()
    up.request()
    up.send(OK)
    assert crossed.over() is None and crossed.status == 200
    client.wait(lambda: len(goaways(client)) >= 2, "the second GOAWAY", 5)
    assert 0.9 < time.monotonic() - began < 3, "a second behind the first, though a request came between"
    assert client.goaway.last_stream == crossed.number
    late = client.request()
    ends = []
    for s, up in streams:
        s.over(5)
        ends.append(s.end_time - began)
        assert b"retry: 2345\n" in s.body
        assert not s.ended, "an event stream that is cut was not complete"
        up.wait_end(1)
    assert max(ends) < 5 and max(ends) - min(ends) > 0.5, ends
    client.closed(5)
    assert not late.heads
    assert relay.wait(5) == 0
    origin.no_connection()
    assert len(relay.log(event="end", ended_by="drain")) == 10


def test_idle_connection_drains_at_once(rig):
    relay = h2_relay(rig, rig.origin(), False, drain="5s")
    client = h2_connect(rig, relay)
    began = time.monotonic()
    relay.send_signal(signal.SIGTERM)
    assert client.closed(3) == NO_ERROR
    assert relay.wait(5) == 0 and time.monotonic() - began < 4


def test_downloads_finish_in_a_drain(rig):
    origin = rig.origin()
    relay = h2_relay(rig, origin, True, drain="3s")
    client = h2_connect(rig, relay)
    s = client.request()
    up = origin.accept()
    up.request()
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
    s.until(5)
    relay.send_signal(signal.SIGTERM)
    client.wait(lambda: client.goaway, "GOAWAY")
    up.send(b"world")
    assert s.over() is None and bytes(s.body) == b"helloworld"
    client.closed(5)
    assert relay.wait(8) == 0


@BOTH
def test_reload_touches_no_stream(rig, tls):
    """Old streams go on with their settings, new ones on the same connection get the new; limits hold for new connections."""
    one, two = rig.origin(), rig.origin()
    relay = h2_relay(rig, one, tls, route={"heartbeat": "off"})
    client = h2_connect(rig, relay)
    old, up = opened(client, one)
    conf = relay.config
    conf["upstreams"][0]["servers"] = [{"address": two.address}]
    conf["http2"] = {"max_streams": 3}
    assert reload(relay, conf).startswith("reloaded")
    new, up2 = opened(client, two)
    for n in range(3):
        old.until(up.event(f"old {n}"))
        new.until(up2.event(f"new {n}"))
    assert client.server_settings[3] == 250
    assert h2_connect(rig, relay).server_settings[3] == 3
    assert not client.goaway


def test_limits_in_force_are_told(rig):
    relay = h2_relay(rig, rig.origin(), True, http2={"max_streams": 77, "resets_per_second": 33})
    told = relay.admin("settings")["http2"]
    assert told["max_streams"] == 77 and told["resets_per_second"] == 33 and told["memory_bytes"] == 2 << 20


def test_operator_kills_one_stream(rig):
    origin = rig.origin()
    relay = h2_relay(rig, origin, True, route={"heartbeat": "off"})
    client = h2_connect(rig, relay)
    a, up_a = opened(client, origin, "/a")
    b, up_b = opened(client, origin, "/b")
    victim = relay.wait_log(1, event="open", path="/a")["id"]
    assert relay.admin(f"kill {victim}")["ok"]
    a.over()
    assert not a.ended
    up_a.wait_end()
    b.until(up_b.event("goes on"))
    assert relay.wait_log(1, event="end")["ended_by"] == "admin"


def test_worker_that_is_killed(rig):
    """Its connections break, and new ones are served."""
    origin = rig.origin()
    relay = h2_relay(rig, origin, True)
    relay.expect_deaths = True
    client = h2_connect(rig, relay)
    s, up = opened(client, origin)
    os.kill(relay.workers()[0], signal.SIGKILL)
    client.closed()
    assert not s.ended
    up.wait_end()

    def again():
        try:
            return h2_connect(rig, relay)
        except (OSError, AssertionError):
            return None

    opened(wait_for(again, 5, why="a worker"), origin)


def test_idle_connection_is_closed_in_time(rig):
    """`keepalive` between requests, `head_timeout` before the first."""
    origin = rig.origin()
    relay = h2_relay(rig, origin, False, client={"keepalive": "400ms", "head_timeout": "300ms"})
    client = h2_connect(rig, relay)
    began = time.monotonic()
    s, up = opened(client, origin)
    time.sleep(0.6)
    s.until(up.event("a stream keeps it"))
    up.finish()
    assert s.over() is None
    assert client.closed(3) == NO_ERROR
    assert time.monotonic() - began > 0.9
    idle = h2_connect(rig, relay)
    assert idle.closed(3) == NO_ERROR


def test_memory_per_stream(rig):
    """What 1,000 silent streams on 5 connections hold in the workers."""
    origin = rig.origin(lambda c: (c.request(60), c.stream_head()))
    relay = h2_relay(rig, origin, False, route={"heartbeat": "off"})
    warm = h2_connect(rig, relay)
    warm.events().head()
    since = relay.rss_kib()
    clients = [h2_connect(rig, relay) for _ in range(5)]
    for client in clients:
        for s in [client.events() for _ in range(200)]:
            s.head(10)
    each = (relay.rss_kib() - since) / 1000
    print(f"{each:.2f} KiB per silent HTTP/2 stream")
    assert sanitized() or each < 8, each


def test_settings_timeout_is_no_matter(rig):
    """A client that never acknowledges is served all the same."""
    origin = rig.origin()
    client = h2_connect(rig, h2_relay(rig, origin, True), acks=False)
    s, up = opened(client, origin)
    s.until(up.event("x"))


@pytest.mark.parametrize("n", [1, 3])
def test_requests_in_pieces(rig, n):
    """D8: byte by byte, over TLS too, a request is a request."""
    origin = rig.origin()
    client = h2_connect(rig, h2_relay(rig, origin, n == 3), hello=False)
    from lib.h2 import PREFACE, literal

    s = client.new()
    data = PREFACE + frame(SETTINGS) + frame(1, 5, s.number, literal(events_fields()))
    for i in range(0, len(data), n):
        client.wire.send(data[i : i + n])
    up = origin.accept()
    up.request()
    up.stream_head()
    s.head()
    s.until(up.event("x"))


def test_many_short_requests(rig):
    """A connection is used again and again: 2,000 requests, nothing grows."""
    from lib.origin import answer

    relay = h2_relay(rig, rig.origin(answer()), True)
    client = h2_connect(rig, relay)
    since = None
    for turn in range(40):
        streams = [client.request(request_fields(f"/{n}")) for n in range(50)]
        for s in streams:
            assert s.over(10) is None and bytes(s.body) == b"ok"
            del client.streams[s.number]
        client.frames.clear()
        if turn == 5:
            since = relay.rss_kib()
    assert grown(relay, since, 512)


def test_http1_listener_next_to_it(rig):
    """One relay, three ways in: clear text with either version, and TLS by ALPN."""
    origin = rig.origin()
    conf = rig.config(origin, route={"heartbeat": "off"})
    conf["listeners"].append({"listen": "127.0.0.1:0", **tls_listener(rig)})
    relay = rig.run(conf)
    from lib.h2 import H2Client, TlsWire
    from lib.wire import event_request

    tls1 = TlsWire(rig.connect(relay.addrs[1]), alpn=("http/1.1",))
    assert tls1.alpn == "http/1.1"
    tls1.send(event_request())
    up = origin.accept()
    up.request()
    up.stream_head()
    body = tls1.response_body(tls1.final_head())
    body.until(up.event("over TLS"))
    both = TlsWire(rig.connect(relay.addrs[1]), alpn=("h2", "http/1.1"))
    assert both.alpn == "h2"
    s, up = opened(H2Client(both), origin)
    s.until(up.event("over h2"))
    with pytest.raises(NotInTime):
        origin.accept(0.05)
    tls1.close()
    both.close()
