"""Requests that are odd but right, and must be carried: what a strict relay must not refuse or change."""

import time

import pytest
from lib.origin import OK, answer
from lib.wire import LAST_CHUNK, chunk, event_request, request


def forwarded(rig, data, relay_args=None):
    """Sends one request; returns the head that the origin saw, and the client's answer."""
    origin = rig.origin()
    relay = rig.relay(origin, **(relay_args or {}))
    client = rig.connect(relay.addr)
    client.send(data)
    up = origin.accept()
    req = up.request()
    up.send(OK)
    head, payload = client.response()
    assert head.status == 200 and payload == b"ok"
    return req, client, up


def test_content_length_with_a_leading_zero(rig):
    """A10: ten, never octal eight; or refused."""
    origin = rig.origin(answer())
    relay = rig.relay(origin)
    head, _ = relay.get(request("POST", body=b"0123456789", fields=(("Content-Length", "010"),)))
    assert head.status in (200, 400)
    if head.status == 200:
        seen = origin.conns[0].requests[0]
        assert seen.payload == b"0123456789" and seen.get("content-length") == "10"
    else:
        assert origin.bytes_received() == 0


def test_extra_byte_behind_a_chunked_request(rig):
    """A30: the first request is unaffected, the next one gets 400."""
    req, client, _ = forwarded(
        rig, request("POST", fields=(("Transfer-Encoding", "chunked"),)) + chunk(b"hello") + LAST_CHUNK + b"\x01"
    )
    assert req.payload == b"hello"
    head = client.final_head()
    assert head.status == 400
    client.response_body(head).to_end()
    client.wait_end(1.0)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE", "POST"])
def test_request_inside_a_body(rig, method):
    """A31: a body is a body; bytes in it are never parsed as a request."""
    inner = b"GET /evil HTTP/1.1\r\nHost: test.example\r\n\r\n"
    origin = rig.origin()
    relay = rig.relay(origin)
    client = rig.connect(relay.addr)
    client.send(request(method, body=inner))
    up = origin.accept()
    req = up.request()
    assert req.method == method.encode() and req.payload == inner
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert client.response(method)[0].status == 200
    client.expect_silence(0.05)
    assert up.log.count(b"GET /evil") == 1 and not up.buf
    origin.no_connection()


def test_junk_behind_connection_close(rig):
    """A32: the request is served, and what is pipelined behind it is ignored."""
    origin = rig.origin(answer())
    client = rig.connect(rig.relay(origin).addr)
    client.send(request(fields=(("Connection", "close"),)) + b"\x16\x03junk\r\n\r\n")
    head, payload = client.response()
    assert head.status == 200 and payload == b"ok"
    client.wait_end(1.0)
    assert not client.buf
    assert len(origin.conns[0].requests) == 1


@pytest.mark.parametrize("length", [5, 0])
def test_expect_continue_with_the_body_at_once(rig, length):
    """A33: framing intact whether or not 100 is waited for, and with an empty body."""
    fields = (("Expect", "100-continue"), ("Content-Length", str(length)))
    origin = rig.origin(answer())
    client = rig.connect(rig.relay(origin).addr)
    client.send(request("POST", fields=fields, body=b"hello"[:length]))
    head, payload = client.response()
    assert head.status == 200 and payload == b"ok"
    assert origin.conns[0].requests[0].payload == b"hello"[:length]
    client.send(request(target="/next"))
    assert client.response()[0].status == 200


def test_post_without_framing(rig):
    """A39: no body."""
    req, _, _ = forwarded(rig, b"POST /x HTTP/1.1\r\nHost: a\r\n\r\n")
    assert req.payload == b""
    assert req.get("content-length") in (None, "0") and not req.all("transfer-encoding")


def test_bytes_behind_an_event_request(rig):
    """A37, A38: what a client sends behind the GET of a stream does not reach the upstream while it streams."""
    origin = rig.origin()
    client, body, up = rig.stream(rig.relay(origin), origin)
    before = len(up.log)
    client.send(request(target="/evil") + request(target="/evil2"))
    sent = up.event("still here")
    try:
        body.until(sent)
        up.expect_silence(0.1)
    except AssertionError:
        assert len(up.log) == before  # closing after the first is allowed, forwarding is not
    assert len(up.log) == before
    origin.no_connection(0.02)


def test_garbage_behind_an_event_request(rig):
    """A37: not HTTP at all; the stream goes on or closes, and nothing goes upstream."""
    origin = rig.origin()
    client, _, up = rig.stream(rig.relay(origin), origin)
    before = len(up.log)
    client.send(b"\0\xff" * 2000)
    up.fill(0.1)
    assert len(up.log) == before
    origin.no_connection(0.02)


def test_obs_text_passes(rig):
    """B9: bytes 0x80 to 0xff in a value, as they came."""
    value = bytes(range(0x80, 0x100))
    req, _, _ = forwarded(rig, b"GET / HTTP/1.1\r\nHost: a\r\nX-Obs: " + value + b"\r\n\r\n")
    assert req.all("x-obs") == [value]


@pytest.mark.parametrize("names", ["Host", "content-length, transfer-encoding", "Host, Content-Length, X-Gone"])
def test_connection_names_framing(rig, names):
    """B13: Connection cannot take Host or the framing away."""
    fields = (("Connection", names), ("X-Gone", "1"), ("Content-Length", "5"))
    req, _, _ = forwarded(rig, request("POST", fields=fields, body=b"hello"))
    assert req.get("host") == "test.example" and req.payload == b"hello"
    assert ("X-Gone" in names) == (req.get("x-gone") is None)


def test_last_event_id_passes(rig):
    """B17: byte-exact, twice if it came twice."""
    req, _, _ = forwarded(
        rig, b"GET / HTTP/1.1\r\nHost: a\r\nLast-Event-ID: a  b\xe2\x82\xac\r\nlast-event-id: 2\r\n\r\n"
    )
    assert req.all("last-event-id") == [b"a  b\xe2\x82\xac", b"2"]


def test_white_space_round_values(rig):
    """B18: trimmed."""
    req, _, _ = forwarded(rig, b"GET / HTTP/1.1\r\nHost: \t a  \r\nX-A:\t b  c \t\r\nX-B:d\r\n\r\n")
    assert req.get("host") == "a"
    assert b"X-A: b  c\r\n" in req.raw and b"X-B: d\r\n" in req.raw


def test_absolute_form(rig):
    """C2: routed by the target's authority, which becomes Host."""
    req, _, _ = forwarded(rig, b"GET http://right.example/a?b=c HTTP/1.1\r\nHost: wrong.example\r\n\r\n")
    assert req.get("host") == "right.example"
    assert req.target in (b"/a?b=c", b"http://right.example/a?b=c")


def test_absolute_form_routes_by_its_authority(rig):
    """C2: the route is that of the target, not of Host."""
    right, wrong = rig.origin(answer()), rig.origin(answer())
    route = {"name": "right", "host": "right.example", "upstream": "right"}
    conf = rig.config(right, upstream={"name": "right"}, route=route)
    conf["upstreams"].append({"name": "wrong", "servers": [{"address": wrong.address}]})
    conf["routes"].append({"name": "wrong", "host": "wrong.example", "upstream": "wrong"})
    relay = rig.run(conf)
    relay.get(b"GET http://right.example/ HTTP/1.1\r\nHost: wrong.example\r\n\r\n")
    assert right.bytes_received() and not wrong.bytes_received()


@pytest.mark.parametrize(
    "target",
    ["/%00", "/%0d%0aX:y", "/a/%2e%2e/b", "/a/../b", "//x", "/?", "/a?b?c", "/a;b=c", "/~a!$&'()*+,=:@"],
)
def test_targets_pass_undecoded(rig, target):
    """C4: the same bytes go upstream."""
    req, _, _ = forwarded(rig, request(target=target))
    assert req.target == target.encode()


def test_encoded_dots_do_not_change_the_route(rig):
    """C4: routing sees the bytes that the upstream will see."""
    public, private = rig.origin(answer()), rig.origin(answer())
    conf = rig.config(public, route={"path": "/public"})
    conf["upstreams"].append({"name": "private", "servers": [{"address": private.address}]})
    conf["routes"].append({"name": "private", "path": "/private", "upstream": "private"})
    relay = rig.run(conf)
    for target in ("/public/%2e%2e/private", "/public/../private", "/%70rivate", "/PRIVATE"):
        relay.get(request(target=target))
    assert not private.bytes_received()
    assert relay.get(request(target="/private/x"))[0].status == 200
    assert relay.get(request(target="/privateer"))[0].status == 404
    assert len(private.conns[0].requests) == 1


@pytest.mark.parametrize("version", ["HTTP/1.2", "HTTP/1.9"])
def test_later_minor_versions(rig, version):
    """C5: served as 1.1, or 505; never passed on as they are."""
    origin = rig.origin(answer())
    head, _ = rig.relay(origin).get(request(version=version))
    assert head.status in (200, 505)
    if head.status == 200:
        assert origin.conns[0].requests[0].version == b"HTTP/1.1"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT", "M-SEARCH"])
def test_other_methods(rig, method):
    req, _, _ = forwarded(rig, request(method))
    assert req.method == method.encode()


def test_options_asterisk(rig):
    req, _, _ = forwarded(rig, request("OPTIONS", "*"))
    assert req.target == b"*"


def test_target_of_8000_octets(rig):
    """C8: must work (RFC 9112 3)."""
    target = "/" + "a" * 7999
    req, _, _ = forwarded(rig, request(target=target))
    assert req.target == target.encode()


def test_head_of_60_kib(rig):
    fields = tuple((f"X-{i}", "v" * 800) for i in range(70))
    req, _, _ = forwarded(rig, request(fields=fields))
    assert [v for n, v in req.fields if n.startswith(b"X-") and n[2:].isdigit()] == [b"v" * 800] * 70


def test_one_empty_line_before_a_request(rig):
    """C10: one is tolerated, before the first request and between two."""
    req, client, up = forwarded(rig, b"\r\n" + request(target="/1"))
    assert req.target == b"/1" and up.log.startswith(b"GET /1 ")
    client.send(b"\r\n" + request(target="/2"))
    assert up.request().target == b"/2"
    up.send(OK)
    assert client.response()[0].status == 200


@pytest.mark.parametrize("what", ["get", "post", "chunked"])
def test_one_byte_segments(rig, what):
    """D8: served normally."""
    data = {
        "get": request(target="/slow", fields=(("X-A", "b"),)),
        "post": request("POST", body=b"hello world"),
        "chunked": request("POST", fields=(("Transfer-Encoding", "chunked"),))
        + b"5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n",
    }[what]
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    for i in range(len(data)):
        client.send(data[i : i + 1])
        if i % 8 == 0:
            time.sleep(0.0005)
    up = origin.accept()
    req = up.request()
    assert req.payload == (b"" if what == "get" else b"hello world")
    up.send(OK)
    assert client.response()[1] == b"ok"


def test_http10_request_without_host(rig):
    origin = rig.origin(answer())
    head, payload = rig.relay(origin).get(b"GET / HTTP/1.0\r\n\r\n")
    assert head.status == 200 and payload == b"ok"
    assert origin.conns[0].requests[0].version == b"HTTP/1.1"


def test_chunk_extensions_and_capital_hex(rig):
    data = b'A;x=y;z="q;\\"r"\r\n0123456789\r\n00b\r\n0123456789a\r\n000\r\n\r\n'
    req, _, _ = forwarded(rig, request("POST", fields=(("Transfer-Encoding", "chunked"),)) + data)
    assert req.payload == b"01234567890123456789a"


def test_transfer_encoding_in_capitals(rig):
    req, _, _ = forwarded(rig, request("POST", fields=(("TRANSFER-encoding", "CHUNKED"),)) + chunk(b"x") + LAST_CHUNK)
    assert req.payload == b"x"


def test_accept_encoding_is_kept_for_other_requests(rig):
    """B16: stripped on event requests only."""
    origin = rig.origin(answer())
    relay = rig.relay(origin)
    relay.get(request(fields=(("Accept-Encoding", "gzip"),)))
    relay.get(event_request(fields=(("Accept-Encoding", "gzip"),)))
    heads = [r for c in origin.conns for r in c.requests]
    assert [h.all("accept-encoding") for h in heads] == [[b"gzip"], []]


def test_accept_encoding_can_be_kept_for_event_requests(rig):
    origin = rig.origin(answer())
    relay = rig.relay(origin, route={"accept_encoding": "pass"})
    relay.get(event_request(fields=(("Accept-Encoding", "gzip"),)))
    assert origin.conns[0].requests[0].all("accept-encoding") == [b"gzip"]
