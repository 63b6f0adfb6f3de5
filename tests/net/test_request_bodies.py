"""Request bodies travel as they come: streamed, exact, bounded; and an answer may begin before they end."""

import random
import threading
import time

import pytest
from lib.origin import OK, answer
from lib.relay import grown
from lib.wire import LAST_CHUNK, NotInTime, chunk, event_request, request

BLOB = random.Random(11).randbytes(200_000)
CHUNKED = (("Transfer-Encoding", "chunked"),)


def echo(conn):
    """Sends every request's body back."""
    while True:
        try:
            head = conn.request(60)
        except AssertionError:
            return
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head.payload) + head.payload)


@pytest.mark.parametrize("n", [0, 1, 2, 1000, 16383, 16384, 16385, 65536, 200_000])
def test_content_length(rig, n):
    origin = rig.origin(echo)
    client = rig.connect(rig.relay(origin).addr)
    client.send(request("POST", fields=(("Content-Length", str(n)),), body=BLOB[:n]))
    assert client.response()[1] == BLOB[:n]
    seen = origin.conns[0].requests[0]
    assert seen.get("content-length") == str(n) and not seen.all("transfer-encoding")


@pytest.mark.parametrize("seed", range(4))
def test_chunked_with_random_cuts(rig, seed):
    rng = random.Random(seed)
    origin = rig.origin(echo)
    client = rig.connect(rig.relay(origin).addr)
    raw, at = bytearray(request("PUT", fields=CHUNKED)), 0
    while at < len(BLOB):
        n = rng.choice([1, 2, 100, 1460, 16384, 70000])
        raw += chunk(BLOB[at : at + n])
        at += n
    raw += LAST_CHUNK
    at = 0
    while at < len(raw):
        n = rng.choice([1, 7, 500, 4096, 40000])
        client.send(raw[at : at + n])
        at += n
    assert client.response()[1] == BLOB
    seen = origin.conns[0].requests[0]
    assert seen.tokens("transfer-encoding") == ["chunked"] and not seen.all("content-length")


def test_request_trailers_are_never_fields(rig):
    """A29: allowed trailers pass as trailers or are dropped; they do not become fields of the head."""
    origin = rig.origin(answer())
    client = rig.connect(rig.relay(origin).addr)
    client.send(request("POST", fields=CHUNKED) + chunk(b"hello") + b"0\r\nX-Sum: 42\r\nX-More: 1\r\n\r\n")
    assert client.response()[0].status == 200
    seen = origin.conns[0].requests[0]
    assert seen.payload == b"hello" and not seen.all("x-sum") and not seen.all("x-more")


def test_body_of_an_llm_call_streams_and_so_does_its_answer(rig):
    """Parts of the prompt go up, parts of the answer come down, in turns, on one exchange."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(event_request("/v1/chat", CHUNKED, "POST"))
    up = origin.accept()
    up_body = up.request_body(up.head())
    up.stream_head()
    body = client.response_body(client.final_head(0.5))
    asked = answered = b""
    for i in range(10):
        part = b"question %d " % i
        client.send(chunk(part))
        asked += part
        assert up_body.until(len(asked), 0.5) == asked
        answered += up.event(f"answer {i}")
        assert body.until(len(answered), 0.5) == answered
    client.send(LAST_CHUNK)
    up_body.to_end()
    answered += up.event("done")
    up.finish()
    assert body.to_end() == answered


def test_post_with_length_answered_by_an_event_stream(rig):
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(event_request("/v1/chat", (("Content-Type", "application/json"),), "POST", body=b'{"stream":true}'))
    up = origin.accept()
    assert up.request().payload == b'{"stream":true}'
    up.stream_head()
    body = client.response_body(client.final_head(0.5))
    sent = b""
    for i in range(20):
        sent += up.event(f"token {i}")
        body.until(len(sent), 0.5)
    up.send(chunk(b"data: [DONE]\n\n") + LAST_CHUNK)
    assert body.to_end() == sent + b"data: [DONE]\n\n"


def test_chat_with_node(rig):
    peer = rig.peer("node")
    client = rig.connect(rig.relay(peer).addr)
    client.send(event_request("/chat", CHUNKED, "POST"))
    body = client.response_body(client.final_head())
    for i in range(5):
        client.send(chunk(b"%d" % i * 100))
        while body.partial().count(b'"got":100') <= i:
            assert body.pump(0.5), "the origin saw nothing of this part"
    client.send(LAST_CHUNK)
    assert b'{"total":500}' in body.to_end()


def test_upload_of_32_mib_is_exact_and_bounded(rig):
    """The origin reads slowly: the client feels it, and the relay does not grow."""
    origin = rig.origin(rcvbuf=65536)
    relay = rig.relay(origin)
    client = rig.connect(relay.addr)
    total = 32 << 20
    client.send(request("POST", fields=(("Content-Length", str(total)),)))
    up = origin.accept()
    body = up.request_body(up.head())
    rss = relay.rss_kib()
    twice, pushed, stalled = BLOB * 2, 0, time.monotonic()
    while time.monotonic() - stalled < 0.2:
        n = client.send_some(twice[pushed % len(BLOB) :])
        pushed += n
        stalled = time.monotonic() if n else stalled
    assert pushed < 12 << 20, "an origin that does not read must hold the client"
    assert grown(relay, rss, 1024)

    def write():
        sent = pushed
        while sent < total:
            part = twice[sent % len(BLOB) :][: min(len(BLOB), total - sent)]
            client.send(part, 20)
            sent += len(part)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    got = 0
    while not body.complete:
        assert body.pump(5)
        while body.payload:
            want = twice[got % len(BLOB) :][: min(len(body.payload), len(BLOB))]
            assert body.payload[: len(want)] == want, f"wrong bytes near {got}"
            del body.payload[: len(want)]
            got += len(want)
    thread.join()
    assert got == total
    assert grown(relay, rss, 1024)
    up.send(OK)
    assert client.response()[1] == b"ok"


def test_answer_before_the_body_has_ended(rig):
    """A34: the answer goes through, then both connections end: what is left of the body is nobody's request."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(request("POST", fields=(("Content-Length", "1000"),), body=b"x" * 10))
    up = origin.accept()
    up.head()
    up.read(10)
    up.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
    head, payload = client.response()
    assert head.status == 413 and payload == b"big"
    try:
        client.send(b"x" * 990 + request(target="/evil"))
    except (OSError, NotInTime):
        pass
    client.wait_end(2.0)
    up.wait_end(2.0)
    assert b"/evil" not in up.log
    origin.no_connection()


def test_early_answer_and_unread_upload(rig):
    """The origin answers and stops reading; a client in the middle of a long upload still gets the answer."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(request("POST", fields=(("Content-Length", "50000000"),)))
    up = origin.accept()
    up.head()
    up.send(b"HTTP/1.1 401 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline and not client.buf:
        try:
            client.send_some(b"x" * 65536)
        except OSError:
            break
        client.fill(0.001)
    head, payload = client.response()
    assert head.status == 401 and payload == b"no"


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_body_over_the_limit(rig, framing):
    """413; by its length before anything goes upstream, by its chunks when the limit is passed."""
    origin = rig.origin()
    relay = rig.relay(origin, route={"max_body": "1KiB"})
    client = rig.connect(relay.addr)
    if framing == "length":
        client.send(request("POST", fields=(("Content-Length", "1025"),), body=b"x" * 1025))
    else:
        client.send(request("POST", fields=CHUNKED) + chunk(b"x" * 1000))
        up = origin.accept()
        body = up.request_body(up.head())
        client.send(chunk(b"x" * 25))
    head = client.final_head()
    assert head.status == 413 and "close" in head.tokens("connection")
    client.wait_end(1.5)
    if framing == "length":
        origin.no_connection()
    else:
        up.wait_end(1.0)
        while body.pump(0):
            pass
        assert not body.complete
    assert relay.wait_log(event="end", ended_by="refused")["reason"] == "body_too_large"


def test_body_at_the_limit(rig):
    origin = rig.origin(echo)
    relay = rig.relay(origin, route={"max_body": "1KiB"})
    assert relay.get(request("POST", body=b"x" * 1024))[1] == b"x" * 1024
    data = request("POST", fields=CHUNKED) + chunk(b"y" * 1000) + chunk(b"z" * 24) + LAST_CHUNK
    assert relay.get(data)[1] == b"y" * 1000 + b"z" * 24


def test_client_gives_up_in_its_body(rig):
    """The upstream sees a body that broke off, not one that ended."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin).addr)
    client.send(request("POST", fields=CHUNKED) + chunk(b"part"))
    up = origin.accept()
    body = up.request_body(up.head())
    body.until(b"part")
    client.close()
    up.wait_end(1.0)
    while body.pump(0):
        pass
    assert not body.complete


def test_curl_posts_with_expect(rig, tmp_path):
    """curl waits for 100 with a large body."""
    import subprocess

    (tmp_path / "blob").write_bytes(BLOB * 10)
    origin = rig.origin(continue_and_echo)
    relay = rig.relay(origin)
    out = subprocess.run(
        ["curl", "-sS", "-m", "10", "-H", "Expect: 100-continue", "--data-binary", f"@{tmp_path}/blob", relay.url],
        capture_output=True, check=False,
    )  # fmt: skip
    assert out.returncode == 0, out.stderr
    assert out.stdout == BLOB * 10


def continue_and_echo(conn):
    head = conn.head(60)
    if head.tokens("expect"):
        conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    payload = conn.request_body(head).to_end(20)
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(payload) + payload, 20)
