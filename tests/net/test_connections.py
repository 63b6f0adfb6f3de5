"""Keep-alive and pipelining on the client's side, reuse on the upstream's."""

import time

import pytest
from lib.origin import OK, answer
from lib.wire import LAST_CHUNK, chunk, request


def test_keep_alive_and_reuse(rig):
    """A hundred requests, one connection on either side."""
    origin = rig.origin(answer())
    client = rig.connect(rig.relay(origin).addr)
    for i in range(100):
        client.send(request(target=f"/{i}"))
        head, payload = client.response()
        assert head.status == 200 and payload == b"ok" and "close" not in head.tokens("connection")
    assert len(origin.conns) == 1 and len(origin.conns[0].requests) == 100


def test_upstream_connection_is_shared_between_clients(rig):
    origin = rig.origin(answer())
    relay = rig.relay(origin)
    for i in range(20):
        relay.get(request(target=f"/{i}"))
    assert len(origin.conns) == 1


def test_reuse_can_be_off(rig):
    origin = rig.origin(answer())
    relay = rig.relay(origin, upstream={"keepalive": "off"})
    for i in range(3):
        relay.get(request(target=f"/{i}"))
    assert len(origin.conns) == 3


def test_idle_upstream_connections_are_closed_in_time(rig):
    origin = rig.origin(answer())
    relay = rig.relay(origin, upstream={"keepalive_timeout": "200ms"})
    relay.get(request())
    began = time.monotonic()
    up = origin.conns[0]
    while not up.end and time.monotonic() - began < 2:
        time.sleep(0.005)
    assert up.end == "fin" and 0.1 < up.end_time - began < 1.2


def test_pipelining(rig):
    """Answers in order, one request upstream at a time or on connections of their own; nothing mixed."""
    origin = rig.origin(answer(lambda req: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(req.target), req.target)))
    client = rig.connect(rig.relay(origin).addr)
    client.send(b"".join(request(target=f"/number/{i}") for i in range(50)))
    for i in range(50):
        head, payload = client.response()
        assert payload == b"/number/%d" % i


def test_pipelined_posts_with_bodies(rig):
    origin = rig.origin(answer(lambda req: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(req.payload), req.payload)))
    client = rig.connect(rig.relay(origin).addr)
    out = b""
    for i in range(20):
        body = b"body %d " % i * (i * 50 + 1)
        if i % 2:
            out += request("POST", body=body)
        else:
            out += request("POST", fields=(("Transfer-Encoding", "chunked"),)) + chunk(body) + LAST_CHUNK
    client.send(out)
    for i in range(20):
        assert client.response()[1] == b"body %d " % i * (i * 50 + 1)


def test_a_thousand_pipelined_requests_in_one_write(rig):
    origin = rig.origin(answer())
    client = rig.connect(rig.relay(origin).addr)
    client.send(request() * 1000)
    for _ in range(1000):
        assert client.response()[1] == b"ok"


def test_second_request_waits_for_the_first(rig):
    """It is not sent upstream on the busy connection."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(request(target="/1") + request(target="/2"))
    up = origin.accept()
    assert up.request().target == b"/1"
    up.expect_silence(0.05)
    up.send(OK)
    assert client.response()[1] == b"ok"
    assert up.request().target == b"/2"
    up.send(OK)
    assert client.response()[1] == b"ok"


def test_connection_close_is_obeyed_and_said(rig):
    origin = rig.origin(answer())
    client = rig.connect(rig.relay(origin).addr)
    client.send(request(fields=(("Connection", "close"),)))
    head, _ = client.response()
    assert "close" in head.tokens("connection")
    assert client.wait_end(1.0) == "fin"


def test_upstream_that_closes_is_not_reused(rig):
    origin = rig.origin(answer(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")))
    client = rig.connect(rig.relay(origin).addr)
    for _ in range(3):
        client.send(request())
        head, _ = client.response()
        assert "close" not in head.tokens("connection"), "the client's connection is not the upstream's"
    assert len(origin.conns) == 3


def test_http10_upstream_is_not_reused(rig):
    origin = rig.origin(answer(OK.replace(b"HTTP/1.1", b"HTTP/1.0")))
    relay = rig.relay(origin)
    relay.get(request())
    relay.get(request())
    assert len(origin.conns) == 2


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_stale_pooled_connection_is_replaced_for_a_get(rig, how):
    """The origin closes between two requests: the client does not notice."""
    origin = rig.origin()
    relay = rig.relay(origin)
    client = rig.connect(relay.addr)
    client.send(request(target="/1"))
    up = origin.accept()
    up.request()
    up.send(OK)
    assert client.response()[1] == b"ok"
    up.close() if how == "fin" else up.rst()
    client.send(request(target="/2"))
    up = origin.accept()
    assert up.request().target == b"/2"
    up.send(OK)
    assert client.response()[0].status == 200


def test_connection_lost_in_reuse_is_retried_for_a_get(rig):
    """Closed on sight of the second request, before any response byte: a fresh connection is tried, once."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(request(target="/1"))
    up = origin.accept()
    up.request()
    up.send(OK)
    client.response()
    client.send(request(target="/2"))
    up.request()
    up.close()
    up = origin.accept()
    assert up.request().target == b"/2"
    up.send(OK)
    assert client.response()[0].status == 200


def test_a_post_is_never_sent_twice(rig):
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(request(target="/1"))
    up = origin.accept()
    up.request()
    up.send(OK)
    client.response()
    client.send(request("POST", "/2", body=b"pay 10"))
    if not up.fill(0.1):
        up = origin.accept()  # nothing that must not be repeated goes on a kept connection
    up.request()
    up.close()
    assert client.response()[0].status == 502
    origin.no_connection(0.05)


def test_bytes_behind_a_response_are_never_for_anybody(rig):
    """G8: five bytes are five bytes; what follows is thrown away with its connection."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(request(target="/1"))
    up = origin.accept()
    up.request()
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloEXTRA" + OK)
    assert client.response()[1] == b"hello"
    up.wait_end(1.0)
    client.send(request(target="/2"))
    up = origin.accept()
    assert up.request().target == b"/2"
    up.send(OK)
    assert client.response()[1] == b"ok" and not client.buf


def test_unasked_bytes_on_an_idle_connection(rig):
    """A response that nobody asked for must not become the next client's."""
    origin = rig.origin()
    relay = rig.relay(origin)
    client = rig.connect(relay.addr)
    client.send(request(target="/1"))
    up = origin.accept()
    up.request()
    up.send(OK)
    client.response()
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    up.wait_end(1.0)
    client.send(request(target="/2"))
    up = origin.accept()
    assert up.request().target == b"/2"
    up.send(OK)
    assert client.response()[1] == b"ok"


def test_idle_client_connection_is_closed_in_time(rig):
    origin = rig.origin(answer())
    client = rig.connect(rig.relay(origin, client={"keepalive": "200ms"}).addr)
    client.send(request())
    client.response()
    began = time.monotonic()
    assert client.wait_end(2.0) == "fin"
    assert 0.1 < client.end_time - began < 1.0


def test_half_closed_client_between_requests(rig):
    """A FIN behind an answered request ends the connection."""
    origin = rig.origin(answer())
    client = rig.connect(rig.relay(origin).addr)
    client.send(request())
    client.response()
    client.fin()
    assert client.wait_end(1.0) == "fin"


def test_half_close_right_behind_a_request(rig):
    """Fault 5: a browser never does it; sluice takes it for the client having left, or answers. Never a hang."""
    origin = rig.origin(answer())
    client = rig.connect(rig.relay(origin).addr)
    client.send(request())
    client.fin()
    assert client.wait_end(1.0) in ("fin", "rst")
