"""Trailers of an answer over HTTP/2, over TLS and in clear text: behind the body, whole, or not at all."""

import pytest
from lib.h2 import DATA, HEADERS, INITIAL_WINDOW_SIZE, INTERNAL_ERROR, h2_connect, h2_relay
from lib.wire import chunk

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"


def trailed(s, trailers):
    """The stream ended by itself, with a head and these trailers, and with one END_STREAM, the last frame's."""
    assert s.over() is None
    assert [f.ends for f in s.frames] == [False] * (len(s.frames) - 1) + [True]
    assert s.frames[-1].kind == HEADERS and len(s.heads) == 2
    assert s.heads[1] == trailers


def asked(client, origin):
    s = client.request()
    return s, origin.accept()


@pytest.fixture(params=[True, False], ids=["tls", "h2c"])
def trailer_relay(rig, request):
    origin = rig.origin()
    relay = h2_relay(rig, origin, request.param, route={"heartbeat": "off"})
    client = h2_connect(rig, relay)
    client.relay = relay
    return origin, client


@pytest.fixture(scope="module")
def shared_relay(shared):
    origin = shared.origin()
    relay = h2_relay(shared, origin, True, route={"heartbeat": "off"}, upstream={"keepalive": "off"})
    return origin, h2_connect(shared, relay)


SECTION = b"X-Sum: 42 \r\nx-other:a b\r\nX-Empty:\r\nX-Obs: \xe4\r\nX-Sum: 43\r\n\r\n"
FIELDS = [("x-sum", "42"), ("x-other", "a b"), ("x-empty", ""), ("x-obs", "\xe4"), ("x-sum", "43")]


def test_trailers_follow_the_body(trailer_relay):
    """At once with the body, behind it, in pieces of every size; the upstream's connection stays in use."""
    origin, client = trailer_relay
    s, up = asked(client, origin)
    up.request()
    up.send(CHUNKED + chunk(b"a") * 3 + b"0\r\n" + SECTION)
    trailed(s, FIELDS)
    assert bytes(s.body) == b"aaa" and dict(s.heads[0])["trailer"] == "X-Sum"
    for cut in range(len(SECTION)):
        s = client.request()
        up.request()
        up.send(CHUNKED + chunk(b"body") + b"0\r\n" + SECTION[:cut])
        s.until(b"body")
        up.send(SECTION[cut:])
        trailed(s, FIELDS)
        assert bytes(s.body) == b"body"
    # byte by byte, the last chunk's line too
    s = client.request()
    up.request()
    up.send(CHUNKED + chunk(b"body"))
    for byte in b"0\r\nX-Sum: 1\r\n\r\n":
        up.send(bytes((byte,)))
        client.pump(0.002)
    trailed(s, [("x-sum", "1")])
    assert client.relay.wait_log(event="end")["ended_by"] == "complete"
    assert client.alive()


def test_trailers_of_an_empty_body(trailer_relay):
    """No DATA at all; and a stream whose head went long before."""
    origin, client = trailer_relay
    s, up = asked(client, origin)
    up.request()
    up.send(CHUNKED + b"0\r\n" + SECTION)
    trailed(s, FIELDS)
    assert [f.kind for f in s.frames] == [HEADERS, HEADERS]
    s = client.events()
    up.request()
    up.stream_head()
    s.head()
    up.send(b"0\r\nX-Sum: 1\r\n\r\n")
    trailed(s, [("x-sum", "1")])
    assert not s.body


def test_no_trailers(trailer_relay):
    """The end stays on the last DATA, however the final empty line comes."""
    origin, client = trailer_relay
    s, up = asked(client, origin)
    up.request()
    up.send(CHUNKED + chunk(b"a") + b"0\r\n\r\n")
    assert s.over() is None
    assert [(f.kind, f.ends) for f in s.frames] == [(HEADERS, False), (DATA, True)]
    for last in (b"0", b"0\r", b"0\r\n", b"0\r\n\r"):
        s = client.request()
        up.request()
        up.send(CHUNKED + chunk(b"a") + last)
        s.until(b"a")
        client.silence(0.05)
        up.send(b"0\r\n\r\n"[len(last) :])
        assert s.over() is None and len(s.heads) == 1 and bytes(s.body) == b"a"
        assert s.frames[-1].kind == DATA


def test_trailers_wait_for_the_body(rig):
    """Behind all that a closed window holds back, here and in the relay's own buffers; and other streams go on."""
    origin = rig.origin()
    relay = h2_relay(rig, origin, False, route={"heartbeat": "off"}, upstream={"keepalive": "off"})
    client = h2_connect(rig, relay, settings=[(INITIAL_WINDOW_SIZE, 1000)])
    blob = bytes(range(256)) * 400
    for size in (500, 1000, 1001, 9000, len(blob)):
        s = client.request()
        up = origin.accept()
        up.request()
        up.send(CHUNKED + chunk(blob[:size]) + b"0\r\n" + SECTION)
        s.until(min(size, 1000))
        if size > 1000:
            client.silence(0.1)
            assert len(s.body) == 1000 and not s.ended
            other = client.request()
            up2 = origin.accept()
            up2.request()
            up2.send(CHUNKED + b"0\r\nX-Sum: other\r\n\r\n")
            trailed(other, [("x-sum", "other")])
            up2.close()
            client.window(s, 3)
            s.until(min(size, 1003))
            client.window(s, 1 << 24)
        trailed(s, FIELDS)
        assert bytes(s.body) == blob[:size]
        up.close()


FORBIDDEN = [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Host: x", b"Authorization: x", b"Set-Cookie: a=b",
             b"Connection: close", b"Keep-Alive: 1", b"Upgrade: x", b"TE: x", b"Trailer: x", b"content_length: 5",
             b"Content-Type: x", b":status: 200", b"X-A: a\0b", b"X-A", b"X-A : b", b" X-A: b", b"X-A: a\nb",
             b"".join(b"X-%d: yyyy\r\n" % i for i in range(1000)), b"\r\n".join([b"a:"] * 300)]  # fmt: skip


@pytest.mark.parametrize("section", FORBIDDEN, ids=[repr(f[:20]) for f in FORBIDDEN])
def test_trailers_that_must_not_be(shared_relay, section):
    """G20: as in HTTP/1 the whole section is bad, not the one field; the stream breaks off, its body stands. Fields that
    the chunk reader allows and that are more than a head may have end so too."""
    origin, client = shared_relay
    s, up = asked(client, origin)
    up.request()
    up.send(CHUNKED + chunk(b"body") + b"0\r\nX-Good: 1\r\n" + section + b"\r\n\r\n")
    assert s.over() == INTERNAL_ERROR
    assert bytes(s.body) == b"body" and len(s.heads) == 1 and not s.ended
    assert client.alive()
    up.close()


@pytest.mark.parametrize("part", [b"0\r\n", b"0\r\nX-Sum: 1", b"0\r\nX-Sum: 1\r\n", b"0\r\nX-Sum: 1\r\n\r"], ids=repr)
def test_trailers_that_break_off(shared_relay, part):
    """Half a section is no end: nothing of it is passed."""
    origin, client = shared_relay
    s, up = asked(client, origin)
    up.request()
    up.send(CHUNKED + chunk(b"body") + part)
    s.until(b"body")
    up.close()
    assert s.over() == INTERNAL_ERROR
    assert len(s.heads) == 1 and not s.ended
