"""Table G: an upstream that breaks the rules. Malformed heads give 502 and never reuse the connection; a body that
breaks off looks broken to the client: its bytes are a prefix of the upstream's, and it never looks complete."""

import time

import pytest
from lib.origin import OK, STREAM_HEAD
from lib.relay import grown
from lib.wire import Ended, NotInTime, chunk, event_request, request

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def reply(fields=b"", body=b"", line=b"HTTP/1.1 200 OK"):
    return line + b"\r\n" + fields + b"\r\n" + body


HEADS = [
    ("G9 two CL that differ", reply(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello!")),
    ("G9 CL list that differs", reply(b"Content-Length: 5, 6\r\n", b"hello!")),
    ("G11 negative CL", reply(b"Content-Length: -5\r\n", b"hello")),
    ("G11 CL with a plus", reply(b"Content-Length: +5\r\n", b"hello")),
    ("G11 CL of hex", reply(b"Content-Length: 0x5\r\n", b"hello")),
    ("G11 CL empty", reply(b"Content-Length:\r\n", b"hello")),
    ("G11 CL 2^64", reply(b"Content-Length: 18446744073709551616\r\n", b"hello")),
    ("G11 TE gzip only", reply(b"Transfer-Encoding: gzip\r\n", b"hello")),
    ("G11 TE chunked, gzip", reply(b"Transfer-Encoding: chunked, gzip\r\n", b"hello")),
    ("G11 two TE", reply(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n")),
    ("G12 NUL in a value", reply(b"X-A: a\0b\r\nContent-Length: 0\r\n")),
    ("G12 CTL in a value", reply(b"X-A: a\x01b\r\nContent-Length: 0\r\n")),
    ("G13 bad name", reply(b"X(A): b\r\nContent-Length: 0\r\n")),
    ("G13 SP before the colon", reply(b"X-A : b\r\nContent-Length: 0\r\n")),
    ("G13 SP before the colon of CL", reply(b"Content-Length : 5\r\n", b"hello")),
    ("G13 bare CR", reply(b"X-A: a\rb\r\nContent-Length: 0\r\n")),
    ("G13 fold", reply(b"X-A: a\r\n b\r\nContent-Length: 0\r\n")),
    ("G13 no colon", reply(b"X-A\r\nContent-Length: 0\r\n")),
    ("G13 empty name", reply(b": a\r\nContent-Length: 0\r\n")),
    ("G14 LF ends every line", b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"),
    ("G14 LF ends one line", b"HTTP/1.1 200 OK\r\nX: y\nContent-Length: 5\r\n\r\nhello"),
    ("G15 field of 200 KB", reply(b"X-A: " + b"a" * 200_000 + b"\r\nContent-Length: 0\r\n")),
    ("G15 5,000 fields", reply(b"".join(b"X-%d: y\r\n" % i for i in range(5000)) + b"Content-Length: 0\r\n")),
    ("G16 status 99", reply(b"Content-Length: 0\r\n", line=b"HTTP/1.1 99 Low")),
    ("G16 status 600", reply(b"Content-Length: 0\r\n", line=b"HTTP/1.1 600 High")),
    ("G16 status 2000", reply(b"Content-Length: 0\r\n", line=b"HTTP/1.1 2000 Long")),
    ("G16 status abc", reply(b"Content-Length: 0\r\n", line=b"HTTP/1.1 abc Words")),
    ("G16 HTTP/0.9 text", b"<html>hello</html>\r\n\r\n"),
    ("G16 HTTP/2.0 text", reply(b"Content-Length: 0\r\n", line=b"HTTP/2.0 200 OK")),
    ("G16 ICY", reply(b"Content-Length: 0\r\n", line=b"ICY 200 OK")),
    ("G16 TLS alert", bytes.fromhex("15030100020246") + b"\r\n\r\n"),
    ("G18 unasked 101", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nbytes"),
]


@pytest.mark.parametrize("what, data", HEADS, ids=[h[0] for h in HEADS])
@pytest.mark.parametrize("stay", [True, False], ids=["stays open", "closes"])
def test_bad_heads_give_502(rig, what, data, stay):
    origin = rig.origin()
    relay = rig.relay(origin)
    client = rig.connect(relay.addr)
    client.send(request())
    up = origin.accept()
    up.request()
    try:
        up.send(data)
        if not stay:
            up.fin()
    except OSError:
        pass  # refused before the last of it was sent
    head, payload = client.response()
    assert head.status == 502, head.raw
    assert b"hello" not in payload and b"bytes" not in payload and b"html>hello" not in payload
    up.wait_end(1.0)
    record = relay.wait_log(event="end", status=502)
    assert record["ended_by"] in ("bad_response", "no_upstream") and record["reason"], record
    if stay:
        assert record["ended_by"] == "bad_response", record
    # the client's own connection and the next request are not harmed
    client.send(request(target="/next"))
    if client.fill(0.05) or client.end:
        client = rig.connect(relay.addr)
        client.send(request(target="/next"))
    up = origin.accept()
    assert up.request().target == b"/next"
    up.send(OK)
    assert client.response()[1] == b"ok"


def test_length_and_chunked_together(rig):
    """G10: chunked wins and the connection ends, or 502; never both fields to the client."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(request())
    up = origin.accept()
    up.request()
    up.send(reply(b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", chunk(b"hello") + b"0\r\n\r\n"))
    head, payload = client.response()
    assert head.status == 502 or payload == b"hello"
    up.wait_end(1.0)


# -- bodies that break off: what the upstream sends behind a good chunk, and how its connection ends --
GOOD = chunk(b"data: good\n\n")
BREAKS = [
    ("G1 FIN inside a chunk", b"20\r\ndata: half", "fin"),
    ("G1 FIN behind events", b"", "fin"),
    ("G1 FIN inside a size", b"2", "fin"),
    ("G1 FIN behind the last size", b"0\r\n", "fin"),
    ("G2 RST inside an event", b"20\r\ndata: half", "rst"),
    ("G2 RST behind events", b"", "rst"),
    ("G4 size zz", b"zz\r\nhello\r\n0\r\n\r\n", "open"),
    ("G4 size 0x5", b"0x5\r\nhello\r\n0\r\n\r\n", "open"),
    ("G4 size of 17 f", b"f" * 17 + b"\r\nhello\r\n", "open"),
    ("G4 size -1", b"-1\r\nhello\r\n0\r\n\r\n", "open"),
    ("G5 LF behind the size", b"5\nhello\n0\n\n", "open"),
    ("G5 LF behind the data", b"5\r\nhello\n0\r\n\r\n", "open"),
    ("G6 no CRLF behind the data", b"5\r\nhelloXX0\r\n\r\n", "open"),
    ("G20 trailer with CL", b"0\r\nContent-Length: 5\r\n\r\n", "open"),
    ("G20 trailer with NUL", b"0\r\nX-A: a\0b\r\n\r\n", "open"),
    ("G20 trailer without colon", b"0\r\nX-A\r\n\r\n", "open"),
    ("G20 trailers without end", b"0\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(5000)), "open"),
]


@pytest.mark.parametrize("what, data, end", BREAKS, ids=[b[0] for b in BREAKS])
@pytest.mark.parametrize("how", ["apart", "at once"])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_broken_bodies_look_broken(rig, what, data, end, how, version):
    origin = rig.origin()
    relay = rig.relay(origin)
    client = rig.connect(relay.addr)
    client.send(event_request(version=f"HTTP/{version}"))
    up = origin.accept()
    up.request()
    up.chunked = True
    if how == "at once":
        up.send(STREAM_HEAD + GOOD + data)
        head = client.final_head()
        body = client.response_body(head)
    else:
        up.send(STREAM_HEAD + GOOD)
        head = client.final_head()
        body = client.response_body(head)
        body.until(b"data: good\n\n")
        up.send(data)
    if end == "fin":
        up.close()
    elif end == "rst":
        # what was sent before a reset may be thrown away with it; let the relay read it first
        time.sleep(0.05)
        up.rst()
    try:
        body.to_end(2.0)
    except (Ended, AssertionError) as e:
        assert not isinstance(e, NotInTime), e
    assert head.status == 200 and "content-length" not in [n.lower().decode() for n, _ in head.fields]
    if body.framing == "chunked":
        assert not body.complete, f"a clean end for {what}: {bytes(client.log)!r}"
    else:
        assert client.end == "rst", "nothing but a reset can say it to an HTTP/1.0 client"
    got = body.partial()
    assert got.startswith(b"data: good\n\n")
    whole = b"data: good\n\ndata: half" if b"half" in data else b"data: good\n\nhello"
    assert whole.startswith(got), f"client got {got!r}"
    if b"half" in data and end == "fin" and version == "1.1":
        assert got == whole, "bytes received before the end are delivered"
    if end == "open":
        up.wait_end(1.0)
    record = relay.wait_log(event="end")
    assert record["truncated"] is True, record
    assert record["ended_by"] == ("bad_response" if end == "open" else "upstream"), record


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_short_content_length(rig, version):
    """G7: 100 promised, 10 sent."""
    origin = rig.origin()
    relay = rig.relay(origin)
    client = rig.connect(relay.addr)
    client.send(request(version=f"HTTP/{version}"))
    up = origin.accept()
    up.request()
    up.send(reply(b"Content-Length: 100\r\n", b"0123456789"))
    up.close()
    head = client.final_head()
    body = client.response_body(head)
    body.to_end()
    assert head.get("content-length") == "100" and not body.complete and bytes(body.payload) == b"0123456789"
    assert relay.wait_log(event="end")["truncated"] is True


@pytest.mark.parametrize("end", ["fin", "rst"])
@pytest.mark.parametrize("when", ["at once", "in the status line", "in the fields"])
def test_end_before_the_head_is_whole(rig, end, when):
    """G3: 502; a GET may be tried once more on a fresh connection, and gets no third chance."""
    origin = rig.origin()
    relay = rig.relay(origin)
    client = rig.connect(relay.addr)
    client.send(request())
    for n in range(4):
        try:
            up = origin.accept(0.3 if n else 2)
        except NotInTime:
            break
        up.request()
        if when != "at once":
            up.send(b"HTTP/1.1 2" if when == "in the status line" else b"HTTP/1.1 200 OK\r\nContent-Le")
            time.sleep(0.02)
        up.close() if end == "fin" else up.rst()
    else:
        raise AssertionError("tried more than three times")
    assert client.response()[0].status == 502
    assert relay.wait_log(event="end")["ended_by"] in ("no_upstream", "bad_response")


def test_post_is_not_tried_again(rig):
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(request("POST", body=b"pay 10"))
    up = origin.accept()
    up.request()
    up.close()
    assert client.response()[0].status == 502
    origin.no_connection(0.05)


def test_bytes_behind_the_end_are_for_nobody(rig):
    """G8: a second response behind the first is thrown away with its connection."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(request(target="/1"))
    up = origin.accept()
    up.request()
    up.send(CHUNKED + chunk(b"one") + b"0\r\n\r\n" + reply(b"Content-Length: 4\r\n", b"evil"))
    assert client.response()[1] == b"one"
    up.wait_end(1.0)
    client.send(request(target="/2"))
    up = origin.accept()
    up.request()
    up.send(OK)
    assert client.response()[1] == b"ok"


def test_second_stream_behind_an_event_stream(rig):
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(event_request())
    up = origin.accept()
    up.request()
    up.send(STREAM_HEAD + GOOD + b"0\r\n\r\n" + b"data: evil\n\n" * 10)
    assert client.response()[1] == b"data: good\n\n"
    up.wait_end(1.0)
    assert b"evil" not in client.log


@pytest.mark.parametrize("n, statuses", [(20, (200,)), (50, (200, 502)), (20_000, (502,))])
def test_many_interim_heads(rig, n, statuses):
    """G17: forwarded or dropped, with a finite cap."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(request())
    up = origin.accept()
    up.request()
    try:
        up.send(b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" * n + OK)
    except OSError:
        pass
    head = client.final_head()
    assert head.status in statuses
    if head.status == 502:
        up.wait_end(1.0)


@pytest.mark.parametrize(
    "method, line, fields",
    [
        ("GET", b"HTTP/1.1 204 No Content", b""),
        ("GET", b"HTTP/1.1 204 No Content", b"Content-Length: 4\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified", b"Content-Length: 4\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK", b"Content-Length: 4\r\n"),
    ],
)
def test_bodies_where_none_may_be(rig, method, line, fields):
    """G19: no body to the client, and the connection is not used again."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(request(method, "/1"))
    up = origin.accept()
    up.request()
    up.send(reply(fields, b"evil", line))
    head, payload = client.response(method)
    assert head.status == int(line.split()[1]) and payload == b""
    up.wait_end(1.0)
    client.send(request(target="/2"))
    up = origin.accept()
    up.request()
    up.send(OK)
    assert client.response()[1] == b"ok" and b"evil" not in client.log


def test_head_that_never_ends(rig):
    """G22: one byte now and then does not stretch the head timeout."""
    origin = rig.origin()
    relay = rig.relay(origin, route={"timeouts": {"head": "500ms"}})
    client = rig.connect(relay.addr)
    client.send(request())
    up = origin.accept()
    up.request()
    up.send(b"HTTP/1.1 200 OK\r\nX-A: ")
    began = time.monotonic()
    while not client.fill(0.05) and time.monotonic() - began < 3:
        try:
            up.send(b"a")
        except OSError:
            break
    head = client.final_head()
    assert head.status == 504 and 0.3 < time.monotonic() - began < 2
    up.wait_end(1.0)


def test_flood_to_a_client_that_does_not_read(rig):
    """G23: the upstream is paused and the memory bounded (http-rules.md: always bounded in bytes)."""
    origin = rig.origin()
    relay = rig.relay(origin)
    client, _, up = rig.stream(relay, origin, rcvbuf=4096)
    rss, pushed, stalled = relay.rss_kib(), 0, time.monotonic()
    block = chunk(b"data: " + b"x" * 65000 + b"\n\n")
    while time.monotonic() - stalled < 0.3:
        n = up.send_some(block[pushed % len(block) :])
        pushed += n
        stalled = time.monotonic() if n else stalled
        assert pushed < 24 << 20
    assert grown(relay, rss, 256)
    assert not client.end


def test_truncation_is_seen_within_10_ms(rig):
    """Faults 1 and 2: best of three."""
    for end in ("fin", "rst"):
        took = []
        for _ in range(3):
            origin = rig.origin()
            client, body, up = rig.stream(rig.relay(origin), origin)
            sent = up.event("x")
            body.until(sent)
            left = up.close() if end == "fin" else up.rst()
            client.wait_end(1.0)
            took.append(client.end_time - left)
        assert min(took) < 0.010, (end, took)
