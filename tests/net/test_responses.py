"""Responses of every framing reach the client with every byte as it was, in the framing that the client can read."""

import os
import random
import time

import pytest
from lib.origin import OK, STREAM_HEAD, answer
from lib.relay import grown
from lib.wire import LAST_CHUNK, chunk, event_request, request

BLOB = random.Random(7).randbytes(300_000)
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOSED = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"


def ask(rig, data=None, **kw):
    """Client and origin connections with one request on its way."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin, **kw).addr)
    client.send(data or request())
    up = origin.accept()
    up.request()
    return client, up, origin


def test_content_length(rig):
    client, up, _ = ask(rig)
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BLOB) + BLOB)
    head, payload = client.response()
    assert payload == BLOB and head.get("content-length") == str(len(BLOB)) and not head.all("transfer-encoding")


@pytest.mark.parametrize("seed", range(4))
def test_chunked_with_random_cuts(rig, seed):
    """Chunks of any size, written in pieces that respect no boundary."""
    rng = random.Random(seed)
    client, up, _ = ask(rig)
    raw, at = bytearray(CHUNKED), 0
    while at < len(BLOB):
        n = rng.choice([1, 2, 3, 100, 1460, 16384, 70000])
        raw += chunk(BLOB[at : at + n])
        at += n
    raw += LAST_CHUNK
    at = 0
    while at < len(raw):
        n = rng.choice([1, 7, 500, 4096, 40000])
        up.send(raw[at : at + n])
        client.fill(0)
        at += n
    head, payload = client.response()
    assert payload == BLOB and head.tokens("transfer-encoding") == ["chunked"] and not head.all("content-length")


def test_close_delimited(rig):
    client, up, _ = ask(rig)
    up.send(CLOSED + BLOB)
    up.close()
    head = client.final_head()
    body = client.response_body(head)
    assert body.to_end() == BLOB and body.complete
    if body.framing == "close":
        assert "close" in head.tokens("connection")


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_http10_client(rig, framing):
    """An HTTP/1.0 client can read a length or the close, and nothing else."""
    client, up, _ = ask(rig, b"GET / HTTP/1.0\r\n\r\n")
    reply = {
        "length": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BLOB) + BLOB,
        "chunked": CHUNKED + chunk(BLOB[:1000]) + chunk(BLOB[1000:]) + b"0\r\nX-Trailer: 1\r\n\r\n",
        "close": CLOSED + BLOB,
    }[framing]
    up.send(reply)
    if framing == "close":
        up.close()
    head = client.final_head()
    assert not head.all("transfer-encoding"), head.raw
    assert "close" in head.tokens("connection") or "keep-alive" not in head.tokens("connection")
    body = client.response_body(head)
    assert body.to_end() == BLOB
    assert client.wait_end() == "fin" and not client.buf


def test_http10_event_stream_ends_with_the_connection(rig):
    client, up, _ = ask(rig, b"GET /events HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n")
    up.stream_head()
    head = client.final_head()
    assert not head.all("transfer-encoding") and not head.all("content-length")
    body = client.response_body(head)
    for i in range(5):
        sent = up.event(i)
        body.until(len(body.payload) + len(sent), 0.5)
    up.finish()
    body.to_end()
    assert client.end == "fin"


def test_http10_event_stream_that_breaks_off_looks_broken(rig):
    """Nothing but a reset can say so to an HTTP/1.0 client."""
    client, up, _ = ask(rig, b"GET /events HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n")
    up.stream_head()
    body = client.response_body(client.final_head())
    sent = up.event("whole")
    body.until(sent)
    up.send(chunk(b"data: half"))
    body.until(sent + b"data: half")
    up.rst()
    assert client.wait_end() == "rst"


def test_http10_keep_alive(rig):
    """A client that asks for it gets it, when the length is known."""
    origin = rig.origin(answer())
    client = rig.connect(rig.relay(origin).addr)
    for _ in range(3):
        client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        head, payload = client.response()
        assert payload == b"ok" and "keep-alive" in head.tokens("connection")


@pytest.mark.parametrize("status", [200, 404, 500])
@pytest.mark.parametrize("fields", [b"Content-Length: 5000\r\n", b"Transfer-Encoding: chunked\r\n", b""])
def test_head_has_no_body(rig, status, fields):
    client, up, _ = ask(rig, request("HEAD"))
    up.send(b"HTTP/1.1 %d X\r\n" % status + fields + b"\r\n")
    head, payload = client.response("HEAD")
    assert head.status == status and payload == b""
    if b"Length" in fields:
        assert head.get("content-length") == "5000"
    client.send(request(target="/next"))
    client.expect_silence(0.02)


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("fields", [b"", b"ETag: \"x\"\r\n"])
def test_no_content(rig, status, fields):
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(request())
    up = origin.accept()
    up.request()
    up.send(b"HTTP/1.1 %d X\r\n" % status + fields + b"\r\n")
    head, payload = client.response()
    assert head.status == status and payload == b""
    assert not head.all("transfer-encoding")
    client.send(request(target="/next"))
    assert up.request().target == b"/next", "both connections are still in step"
    up.send(OK)
    assert client.response()[1] == b"ok"


def test_204_to_an_event_request_means_stop(rig):
    client, up, _ = ask(rig, event_request())
    up.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert client.response()[0].status == 204


def test_trailers_are_forwarded(rig):
    client, up, _ = ask(rig)
    up.send(CHUNKED[:-2] + b"Trailer: X-Sum\r\n\r\n" + chunk(b"hello") + b"0\r\nX-Sum: 42\r\nx-other: a b\r\n\r\n")
    head = client.final_head()
    body = client.response_body(head)
    assert body.to_end() == b"hello"
    assert body.trailers == [(b"X-Sum", b"42"), (b"x-other", b"a b")]


def test_trailers_of_node(rig):
    peer = rig.peer("node")
    client = rig.connect(rig.relay(peer).addr)
    client.send(request(target="/trailers", fields=(("TE", "trailers"),)))
    head = client.final_head()
    body = client.response_body(head)
    assert body.to_end() == b"hello world" and body.trailers == [(b"X-Sum", b"42")]


def test_early_hints(rig):
    """103 goes through at once, and is not the answer."""
    client, up, _ = ask(rig)
    up.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
    hints = client.head(0.25)
    assert hints.status == 103 and hints.get("link") == "</a.css>; rel=preload"
    assert not hints.all("content-length") and not hints.all("transfer-encoding")
    up.send(b"HTTP/1.1 102 Processing\r\n\r\n")
    assert client.head(0.25).status == 102
    up.send(OK)
    assert client.response()[1] == b"ok"


def test_early_hints_and_answer_in_one_segment(rig):
    client, up, _ = ask(rig)
    up.send(b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK)
    assert client.head().status == 103
    assert client.head().status == 100
    assert client.response()[1] == b"ok"


def test_interim_heads_are_not_for_http10(rig):
    client, up, _ = ask(rig, b"GET / HTTP/1.0\r\n\r\n")
    up.send(b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" + OK)
    assert client.head().status == 200


def test_continue_is_forwarded(rig):
    """The client waits for 100 before it sends its body; the origin's own 100 is what it gets."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(request("POST", fields=(("Expect", "100-continue"), ("Content-Length", "5"))))
    up = origin.accept()
    head = up.head()
    assert head.tokens("expect") in (["100-continue"], [])
    if head.tokens("expect"):
        client.expect_silence(0.05)
        up.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert client.head().status == 100
    client.send(b"hello")
    assert up.request_body(head).to_end() == b"hello"
    up.send(OK)
    assert client.response()[1] == b"ok"


def test_final_answer_in_place_of_continue(rig):
    """417 or 413 instead of 100: the body was never sent, so neither connection may be used again."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(request("POST", fields=(("Expect", "100-continue"), ("Content-Length", "5"))))
    up = origin.accept()
    up.head()
    up.send(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
    head, payload = client.response()
    assert head.status == 403 and payload == b"no"
    client.send(b"hello" + request(target="/next"))
    client.wait_end(1.5)
    up.wait_end(1.5)
    assert b"/next" not in up.log
    origin.no_connection()


def test_head_comes_before_any_body_byte_for_any_response(rig):
    client, up, _ = ask(rig)
    up.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n")
    head = client.final_head(0.25)
    body = client.response_body(head)
    client.expect_silence(0.02)
    for i in range(5):
        up.send(b"%d" % i)
        assert body.until(i + 1, 0.25) == b"01234"[: i + 1]
    assert body.complete


def test_head_in_one_byte_segments(rig):
    client, up, _ = ask(rig)
    data = CHUNKED + chunk(b"hello") + LAST_CHUNK
    for i in range(len(data)):
        up.send(data[i : i + 1])
        if i % 8 == 0:
            time.sleep(0.0005)
    assert client.response()[1] == b"hello"


def test_empty_reason_and_odd_status(rig):
    client, up, _ = ask(rig)
    up.send(b"HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n")
    assert client.response()[0].status == 299


def test_status_line_without_reason(rig):
    """RFC 9112 4: the space is required, and recipients live without it; carried or 502, never passed on raw."""
    client, up, _ = ask(rig)
    up.send(b"HTTP/1.1 299\r\nContent-Length: 0\r\n\r\n")
    assert client.response()[0].status in (299, 502)


BODIES = {
    "crlf": b"data: a\r\n\r\ndata: b\r\n\r\n",
    "cr": b"data: a\r\rdata: b\r\r",
    "bom": b"\xef\xbb\xbfdata: a\n\n",
    "comment only": b": x\n\n",
    "no end": b"data: a\n\ndata: never ended",
    "invalid utf-8": b"data: \xff\xfe\x80\n\n",
    "NUL": b"data: a\0b\n\n",
    "no blank line": b"data: a\ndata: b\n",
    "odd fields": b"foo\nbar: x\nid\nretry: x\nevent:\n\n",
    "not a stream at all": bytes(range(256)) * 40,
}


@pytest.mark.parametrize("what", BODIES)
@pytest.mark.parametrize("cut", ["whole", "bytes"])
def test_event_stream_bodies_are_byte_exact(rig, what, cut):
    """G24: nothing in a body is parsed so that it breaks."""
    body, (client, up, _) = BODIES[what], ask(rig, event_request())
    up.send(STREAM_HEAD)
    step = len(body) if cut == "whole" else max(1, len(body) // 400)
    for at in range(0, len(body), step):
        up.send(chunk(body[at : at + step]))
        if at % 8 == 0:
            time.sleep(0.0002)
    up.send(LAST_CHUNK)
    assert client.response()[1] == body


def test_an_event_line_of_20_mb(rig):
    """G24: one line without end; no buffer grows with it."""
    origin = rig.origin()
    relay = rig.relay(origin)
    client, body, up = rig.stream(relay, origin)
    before = relay.rss_kib()
    block, n = chunk(b"x" * 65536), 0
    up.part(b"data: ")
    for _ in range(320):
        rest = block
        while rest:
            rest = rest[up.send_some(rest) :]
            body.pump(0)
            n += len(body.payload)
            body.payload.clear()
    up.part(b"\n\n")
    up.finish()
    n += len(body.to_end())
    assert body.complete and n == 6 + 320 * 65536 + 2
    assert grown(relay, before, 1024)


def test_a_download_of_64_mib_is_exact_and_bounded(rig):
    """Backpressure both ways, with a reader that is slower than the writer."""
    import hashlib
    import threading

    origin = rig.origin()
    relay = rig.relay(origin)
    client = rig.connect(relay.addr)
    client.send(request())
    up = origin.accept()
    up.request()
    total, seed = 64 << 20, os.urandom(1 << 20)
    want, got = hashlib.sha256(), hashlib.sha256()

    def write():
        up.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        for i in range(64):
            block = seed[i:] + seed[:i]
            want.update(block)
            up.send(block, 20)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    body = client.response_body(client.final_head())
    n, most = 0, 0
    while not body.complete:
        assert body.pump(5)
        n += len(body.payload)
        got.update(body.payload)
        body.payload.clear()
        most = max(most, relay.rss_kib()) if n % 16 == 0 else most
    thread.join()
    assert n == total and got.digest() == want.digest()
    assert most < 64 << 10


def test_bodies_in_sequence_on_one_connection(rig):
    """Each framing behind each other, both connections kept: none loses step."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    replies = [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
        (CHUNKED + chunk(b"de") + chunk(b"f") + LAST_CHUNK, b"def"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (STREAM_HEAD + chunk(b"data: x\n\n") + LAST_CHUNK, b"data: x\n\n"),
        (b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (CHUNKED + LAST_CHUNK, b""),
    ]
    up = None
    for n, (raw, want) in enumerate(replies * 3):
        client.send(request(target=f"/{n}"))
        up = up or origin.accept()
        assert up.request().target == b"/%d" % n
        up.send(raw)
        assert client.response()[1] == want
    origin.no_connection()
