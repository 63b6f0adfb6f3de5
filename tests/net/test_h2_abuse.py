"""Table E: what HTTP/2 clients try. The upstream's byte log is the oracle: of a bad request nothing reaches it; of a storm, little does.
Every row is followed by a good request on a connection of its own."""

import socket
import struct
import time

import pytest
from lib.h2 import (ACK, CANCEL, COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR,
                    FRAME_SIZE_ERROR, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, PADDED, PING, PREFACE, PRIORITY,
                    PRIORITY_UPDATE, PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM, RST_STREAM, SETTINGS, WINDOW_UPDATE, H2Client,
                    events_fields, frame, h2_connect, h2_relay, integer, literal, request_fields)
from lib.origin import OK
from lib.relay import grown, sanitized
from lib.wire import NotInTime


class Gate:
    """One relay with a TLS and a clear-text listener, and a recording origin, for all rows."""

    def __init__(self, rig):
        from lib.h2 import tls_listener

        self.rig = rig
        self.origin = rig.origin(self.serve)
        conf = rig.config(self.origin, route={"heartbeat": "off"})
        conf["listeners"].append({"listen": "127.0.0.1:0", **tls_listener(rig)})
        self.relay = rig.run(conf)
        self.n = 0

    @staticmethod
    def serve(conn):
        while True:
            try:
                conn.request(60)
            except AssertionError:
                return
            conn.send(OK)

    def connect(self, **kw):
        return h2_connect(self.rig, self.relay, tls=False, **kw)

    def upstream(self):
        return self.origin.log_of_all()

    def requests(self):
        return self.upstream().count(b" HTTP/1.1\r\n")

    def sentinel(self):
        """A good request on a new connection: all that was sent before has had its chance, and the relay serves."""
        self.n += 1
        client = self.connect()
        s = client.request(request_fields(f"/sentinel-{self.n}"))
        assert s.over() is None and s.status == 200
        client.close()
        return 1

    def ended(self):
        return self.relay.admin("totals")["h2_ended"]


@pytest.fixture(scope="module")
def gate(shared):
    return Gate(shared)


# ---- heads: E11, E12, E13, E14, E19
def fields(**kw):
    """A good head with some pseudo-header fields replaced, or left out (None)."""
    head = [(b":method", kw.pop("method", "GET")), (b":scheme", kw.pop("scheme", "https")),
            (b":authority", kw.pop("authority", "test.example")), (b":path", kw.pop("path", "/evil"))]  # fmt: skip
    return [(n, v) for n, v in head if v is not None] + kw.pop("more", [])


def more(*pairs):
    return fields(more=list(pairs))


SMUGGLE = "x\r\n\r\nGET /evil2 HTTP/1.1\r\nHost: a\r\n\r\n"
HEADS = {
    "E11 no :method": fields(method=None),
    "E11 no :path": fields(path=None),
    "E11 no :scheme": fields(scheme=None),
    "E11 no :authority": fields(authority=None),
    "E11 :path twice": more((":path", "/evil2")),
    "E11 :path behind a field": [*fields(path=None), ("x", "y"), (":path", "/evil")],
    "E11 unknown pseudo": more((":evil", "x")),
    "E11 :status": more((":status", "200")),
    "E11 :path empty": fields(path=""),
    "E11 :path without slash": fields(path="evil"),
    "E11 :path with a space": fields(path="/evil HTTP/1.1"),
    "E11 :path with a request behind it": fields(path="/evil HTTP/1.1\r\nHost: a\r\n\r\nGET /evil2"),
    "E11 :method with a space": fields(method="GET /evil2 HTTP/1.1\r\n"),
    "E11 :method is a line": fields(method="GET /evil2"),
    "E11 :authority is not host": more(("host", "evil.example")),
    "E11 :authority with CR LF": fields(authority="a\r\nx-evil: y"),
    "E11 :authority with a user": fields(authority="evil@test.example"),
    "E11 :scheme junk": fields(scheme="https://evil/?"),
    "E12 upper case": more(("X-Evil", "y")),
    "E12 name with CR LF": more(("x\r\nx-evil: y\r\nz", "1")),
    "E12 name with NUL": more(("x\0evil", "1")),
    "E12 name with a colon": more(("x-evil: y", "1")),
    "E12 name empty": more(("", "evil")),
    "E12 name is a space": more((" ", "evil")),
    "E12 value with a request in it": more(("x", SMUGGLE)),
    "E12 value with LF": more(("x", "a\nx-evil: b")),
    "E12 value with NUL": more(("x", "evil\0")),
    "E12 cookie with CR LF": more(("cookie", "a=b"), ("cookie", "c=d\r\nx-evil: e")),
    "E12 value begins with a space": more(("x", " evil")),
    "E12 value ends with a space": more(("x", "evil ")),
    "E13 connection": more(("connection", "x-evil")),
    "E13 transfer-encoding": more(("transfer-encoding", "chunked")),
    "E13 upgrade": more(("upgrade", "h2c")),
    "E13 keep-alive": more(("keep-alive", "evil")),
    "E13 te gzip": more(("te", "gzip")),
    "E14 a length and no body": more(("content-length", "5")),
    "E14 two lengths": more(("content-length", "0"), ("content-length", "0")),
    "E14 a length with a sign": more(("content-length", "+0")),
}
STATUSES = {
    "E4 over 64 KiB": (431, more(*[("x", "e" * 9000)] * 8)),
    "E20 4,000 tiny fields": (431, more(*[("x", "")] * 4000)),
    "E20 10,000 crumbs": (431, more(*[("cookie", "a=b")] * 10000)),
    "E19 CONNECT": (405, [(":method", "CONNECT"), (":authority", "evil:443")]),
    "E19 extended CONNECT": (405, fields(method="CONNECT", more=[(":protocol", "websocket")])),
    "TRACE": (405, fields(method="TRACE")),
    "a method in lower case": (501, fields(method="get")),
    "a long path": (414, fields(path="/" + "e" * 17000)),
    "an odd expectation": (417, more(("expect", "evil"))),
}


def block_frames(stream, block, flags=END_STREAM):
    """HEADERS and CONTINUATIONs."""
    pieces = [block[i : i + 16384] for i in range(0, len(block), 16384)] or [b""]
    out = b""
    for n, piece in enumerate(pieces):
        last = END_HEADERS if n == len(pieces) - 1 else 0
        out += frame(CONTINUATION if n else HEADERS, last | (0 if n else flags), stream, piece)
    return out


def check_refused(gate, head, judge):
    before, seen = gate.upstream(), gate.requests()
    client = gate.connect()
    s = client.new()
    client.send(block_frames(s.number, literal(head)))
    judge(client, s)
    good = client.request(request_fields("/good"))  # the connection goes on
    assert good.over() is None and good.status == 200
    client.close()
    gate.sentinel()
    assert gate.requests() == seen + 2 and b"evil" not in gate.upstream()[len(before) :], gate.upstream()[len(before) :]


@pytest.mark.parametrize("row", HEADS)
def test_malformed_heads(gate, row):
    counted = sum(gate.relay.admin("totals")["refused"].values())

    def judge(client, s):
        assert s.over() == PROTOCOL_ERROR and not s.heads

    check_refused(gate, HEADS[row], judge)
    assert sum(gate.relay.admin("totals")["refused"].values()) == counted + 1


@pytest.mark.parametrize("row", STATUSES)
def test_heads_that_get_a_status(gate, row):
    status, head = STATUSES[row]

    def judge(client, s):
        assert s.over() is None and s.status == status

    since = gate.relay.rss_kib()
    check_refused(gate, head, judge)
    assert grown(gate.relay, since, 1024)


def test_length_is_kept(gate):
    """E14: never more than was said goes up, and less is not the end of a request."""
    before = gate.upstream()
    client = gate.connect()
    post = request_fields(method="POST", fields=[("content-length", "5")])
    s = client.request(post, body=b"evil-too-long")
    assert s.over() == PROTOCOL_ERROR
    s = client.request(post, body=b"less")
    assert s.over() == PROTOCOL_ERROR
    assert client.alive()
    gate.sentinel()
    assert b"evil" not in gate.upstream()[len(before) :]


# ---- floods: each closes its connection with its own reason, others go on
def flood(gate, why, make, code=ENHANCE_YOUR_CALM, limit=3000, prepare=None, acks=True):
    """Sends what `make(i)` gives until the connection is closed; returns how many were sent."""
    counted = gate.ended()[why]
    bystander = gate.connect()
    since = gate.relay.rss_kib()
    client = gate.connect(acks=acks)
    context = prepare(client) if prepare else None
    client.pump()
    sent = 0
    try:
        while sent < limit and not client.wire.end and not client.goaway:
            client.send(b"".join(make(sent + i, context) for i in range(50)))
            sent += 50
            client.pump()
    except (OSError, NotInTime):
        pass
    assert client.closed() == code, client.frames[-3:]
    assert gate.ended()[why] == counted + 1, gate.ended()
    assert bystander.alive()
    bystander.close()
    client.close()
    gate.sentinel()
    assert grown(gate.relay, since, 2048)
    return sent


def get_block(stream):
    return frame(HEADERS, END_HEADERS | END_STREAM, stream, literal(request_fields("/storm")))


def test_rapid_reset(gate):
    """E1: few reach the upstream."""
    seen = gate.requests()
    flood(gate, "resets", lambda i, _: get_block(2 * i + 1) + frame(RST_STREAM, 0, 2 * i + 1, struct.pack(">I", CANCEL)))
    assert gate.requests() - seen <= 150


def test_rapid_reset_100000(gate):
    """E1 as it was done: as fast as it goes, on new connections again and again; the relay is itself again within a second,
    and another for a SYN that the origin's full backlog has cost."""
    seen, sent = gate.requests(), 0
    storm = {}
    stop = time.monotonic() + 30
    while sent < 100000 and time.monotonic() < stop:
        client = gate.connect()
        if not storm:
            storm[0] = b"".join(get_block(2 * i + 1) + frame(RST_STREAM, 0, 2 * i + 1, struct.pack(">I", CANCEL)) for i in range(5000))
        try:
            client.send(storm[0], timeout=1)
        except (OSError, NotInTime):
            pass
        sent += 5000
        client.close()
    assert sent == 100000
    began = time.monotonic()
    gate.sentinel()
    assert time.monotonic() - began < (5 if sanitized() else 3)
    assert gate.requests() - seen <= 20 * 150


@pytest.mark.parametrize("how", ["window overflow", "bad head", "bad body"])
def test_made_you_reset(gate, how):
    """E2: resets that the server is made to send count as the client's."""
    def make(i, _):
        n = 2 * i + 1
        if how == "window overflow":
            return get_block(n) + frame(WINDOW_UPDATE, 0, n, b"\x7f\xff\xff\xff")
        if how == "bad head":
            return frame(HEADERS, END_HEADERS | END_STREAM, n, literal(more(("X", "y"))))
        return frame(HEADERS, END_HEADERS, n, literal(request_fields(method="POST", fields=[("content-length", "1")]))) + \
            frame(DATA, 0, n, b"too much")

    seen = gate.requests()
    flood(gate, "resets", make)
    assert gate.requests() - seen <= 500


def test_cancelled_event_streams_are_no_abuse(rig):
    """A page that is closed and opened again: 400 streams that were answered are cancelled in a row."""
    origin = rig.origin(lambda c: (c.request(60), c.stream_head(), c.event("x")))
    relay = h2_relay(rig, origin, False, route={"heartbeat": "off"})
    client = h2_connect(rig, relay)
    for _ in range(8):
        streams = [client.events() for _ in range(50)]
        for s in streams:
            s.until(b"data: x\n\n")
        for s in streams:
            client.rst(s)
    assert client.alive() and not client.goaway
    assert relay.admin("totals")["h2_resets_received"]["cancel"] == 400
    # and those that were not answered are
    for _ in range(120):
        s = client.new()
        try:
            client.send(frame(HEADERS, 5, s.number, literal(events_fields())), frame(RST_STREAM, 0, s.number, b"\0\0\0\x08"))
        except OSError:
            break
    assert client.closed() == ENHANCE_YOUR_CALM


def test_ping_flood(gate):
    flood(gate, "pings", lambda i, _: frame(PING, 0, 0, b"12345678"))


def test_settings_flood(gate):
    """E5"""
    flood(gate, "settings", lambda i, _: frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, 65535 + i % 9)))


def test_settings_entries(gate):
    """E5: 2,000 entries in one frame."""
    flood(gate, "settings", lambda i, _: frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535) * 2000), limit=50)


def test_empty_data_flood(gate):
    """E7"""
    flood(gate, "empty_data", lambda i, s: frame(DATA, 0, s.number),
          prepare=lambda c: c.request(request_fields(method="POST"), end=False))  # fmt: skip


def test_padding_flood(gate):
    """E7"""
    flood(gate, "padding", lambda i, s: frame(DATA, PADDED, s.number, b"\xff" + bytes(255)),
          prepare=lambda c: c.request(request_fields(method="POST"), end=False))  # fmt: skip


def test_window_update_flood(gate):
    flood(gate, "window_updates", lambda i, _: frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1"), limit=6000)


def test_priority_flood(gate):
    """E18: deep, cyclic, on themselves; and then too many."""
    flood(gate, "priorities", lambda i, _: frame(PRIORITY, 0, 2 * i + 1, struct.pack(">IB", 2 * i + (3 if i % 2 else 1), 255)))
    flood(gate, "priorities", lambda i, _: frame(PRIORITY_UPDATE, 0, 0, struct.pack(">I", 2 * i + 1) + b"u=0"))


def test_unknown_frames(gate):
    """E15: one is ignored, a flood is not."""
    client = gate.connect()
    client.send(frame(0x42, 0xFF, 0, b"junk"), frame(0x43, 0, 1, b""))
    assert client.alive()
    flood(gate, "unknown_frames", lambda i, _: frame(0x42, 0, 0, b"junk"))


@pytest.mark.parametrize("payload", [b"", b"\0\3x-e\4evil"], ids=["empty", "fields"])
def test_continuation_flood(gate, payload):
    """E3, E7: CVE-2024-27316."""
    seen = gate.requests()
    flood(gate, "continuations", lambda i, s: frame(CONTINUATION, 0, s.number, payload),
          prepare=lambda c: (s := c.new(), c.send(frame(HEADERS, END_STREAM, s.number, literal(fields()))))[0])  # fmt: skip
    assert gate.requests() == seen + 1  # the sentinel


def test_hpack(gate):
    """E4: a bomb is a head that is too large; table size updates in a row, and junk, end the connection."""
    client = gate.connect()
    s = client.new()
    value = b"e" * 4000
    bomb = literal(fields()) + b"\x40\1x" + integer(len(value), 7) + value
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, s.number, bomb + b"\xbe" * (16384 - len(bomb))))
    assert s.over() is None and s.status == 431
    assert client.alive()
    client.close()
    flood(gate, "table_updates", lambda i, _: frame(HEADERS, END_STREAM | END_HEADERS, 2 * i + 1, b"\x20\x3f\xe1\x1f" * 1000), limit=50)
    flood(gate, "compression", lambda i, _: frame(HEADERS, END_STREAM | END_HEADERS, 2 * i + 1, b"\xff" * 8), COMPRESSION_ERROR, limit=50)


def test_dribble(gate):
    """E7: windows of one byte."""
    def serve(conn):
        conn.request(60)
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"d" * 100000)

    rig = gate.rig
    relay = h2_relay(rig, rig.origin(serve), False)
    client = h2_connect(rig, relay, settings=[(INITIAL_WINDOW_SIZE, 0)])
    s = client.request()
    s.head()
    try:
        for _ in range(300):
            client.window(s, 1)
            client.pump(0.002)
    except OSError:
        pass
    assert client.closed() == ENHANCE_YOUR_CALM
    assert relay.admin("totals")["h2_ended"]["dribble"] == 1
    assert 50 < len(s.body) < 150


def test_acks_that_nobody_reads(rig):
    """E6: pings in short reads, within their rate, on a connection whose answers are not read: bounded."""
    relay = h2_relay(rig, rig.origin(Gate.serve), False, http2={"pings_per_second": 1000000, "queued_frames": 200})
    client = h2_connect(rig, relay, rcvbuf=2048)
    client.wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
    since = relay.rss_kib()
    ping = frame(PING, 0, 0, b"12345678") * 1000
    sent, last = 0, time.monotonic()
    while time.monotonic() - last < 0.5 and not client.wire.end and sent < 64 << 20:
        n = client.wire.send_some(ping[sent % len(ping) :])
        sent += n
        last = time.monotonic() if n else last
        time.sleep(0.002)  # within the rate
    assert sent < 64 << 20, "nobody reads answers, so nobody reads pings"
    assert grown(relay, since, 1024)
    other = h2_connect(rig, relay)
    assert other.request().over() is None
    # split over reads, byte by byte
    for byte in frame(PING, 0, 0, b"12345678"):
        other.wire.send(bytes((byte,)))
    other.wait(lambda: other.pongs == 1, "PING's answer")


def test_streams_over_the_limit(rig):
    """E10: REFUSED_STREAM, and the others stay."""
    origin = rig.origin(lambda c: (c.request(60), c.stream_head(), c.event("x")))
    relay = h2_relay(rig, origin, False, route={"heartbeat": "off"}, http2={"max_streams": 20})
    client = h2_connect(rig, relay)
    assert client.server_settings[MAX_CONCURRENT_STREAMS] == 20
    streams = [client.events() for _ in range(20)]
    for s in streams:
        s.until(b"data: x\n\n")
    assert client.alive()
    over = [client.events() for _ in range(50)]
    assert {s.over() for s in over} == {REFUSED_STREAM}
    assert len(origin.conns) == 20 and client.alive()
    client.rst(streams[0])
    s = client.events()
    s.until(b"data: x\n\n")
    assert not client.goaway


def test_1000_streams_before_the_settings_are_read(rig):
    """E10: a client that does not know the limit yet is refused what is over it, and keeps the rest."""
    origin = rig.origin(lambda c: (c.request(60), c.stream_head(), c.event("x")))
    relay = h2_relay(rig, origin, False, route={"heartbeat": "off"})
    client = h2_connect(rig, relay, hello=False)
    streams = [client.new() for _ in range(1000)]
    block = literal(events_fields())
    client.send(PREFACE + frame(SETTINGS), *[frame(HEADERS, 5, s.number, block) for s in streams])
    for s in streams[:250]:
        s.until(b"data: x\n\n", 20)
    for s in streams[250:]:
        assert s.over() == REFUSED_STREAM
    assert len(origin.conns) == 250 and not client.goaway


FRAMES = {
    "DATA on stream 0": (frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
    "DATA on an idle stream": (frame(DATA, 0, 9, b"x"), PROTOCOL_ERROR),
    "a frame over 16 KiB": (frame(DATA, 0, 1, b"x" * 16385), FRAME_SIZE_ERROR),
    "HEADERS on an even stream": (frame(HEADERS, 5, 2, literal(fields())), PROTOCOL_ERROR),
    "HEADERS on stream 0": (frame(HEADERS, 5, 0, literal(fields())), PROTOCOL_ERROR),
    "CONTINUATION alone": (frame(CONTINUATION, 4, 1, b""), PROTOCOL_ERROR),
    "PING inside a head": (frame(HEADERS, 1, 1, literal(fields())) + frame(PING, 0, 0, b"12345678"), PROTOCOL_ERROR),
    "PUSH_PROMISE": (frame(PUSH_PROMISE, 4, 1, b"\0\0\0\2"), PROTOCOL_ERROR),
    "RST_STREAM on an idle stream": (frame(RST_STREAM, 0, 9, b"\0\0\0\x08"), PROTOCOL_ERROR),
    "SETTINGS of 5 bytes": (frame(SETTINGS, 0, 0, b"\0\4\0\0\1"), FRAME_SIZE_ERROR),
    "SETTINGS on a stream": (frame(SETTINGS, 0, 1, b""), PROTOCOL_ERROR),
    "SETTINGS window 2^31": (frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 31)), FLOW_CONTROL_ERROR),
    "WINDOW_UPDATE by 0": (frame(WINDOW_UPDATE, 0, 0, bytes(4)), PROTOCOL_ERROR),
    "WINDOW_UPDATE past 2^31": (frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 2, FLOW_CONTROL_ERROR),
    "padding longer than the frame": (frame(HEADERS, 5 | PADDED, 1, b"\xff\x82"), PROTOCOL_ERROR),
    "GOAWAY on a stream": (frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL_ERROR),
}


@pytest.mark.parametrize("row", FRAMES)
def test_frames_out_of_order(gate, row):
    """E15"""
    data, code = FRAMES[row]
    seen = gate.requests()
    client = gate.connect(window=0)
    client.send(data)
    assert client.closed() == code
    client.close()
    gate.sentinel()
    assert gate.requests() == seen + 1


PREFACES = {"another version": PREFACE.replace(b"2.0", b"2.1"), "a byte too many": b"x" + PREFACE, "only its first half": PREFACE[:18] + b"XX\r\n\r\n",
            "junk behind it": PREFACE + b"j" * 65536}  # fmt: skip


@pytest.mark.parametrize("row", PREFACES)
def test_prefaces(gate, row):
    """E16"""
    seen = gate.requests()
    client = gate.connect(hello=False)
    client.send(PREFACES[row])
    client.wire.wait_end()
    client.close()
    gate.sentinel()
    assert gate.requests() == seen + 1


def test_preface_that_never_comes_whole(rig):
    """E16: it has the time of a head."""
    relay = h2_relay(rig, rig.origin(), False, client={"head_timeout": "300ms"})
    for part in (PREFACE[:10], PREFACE):
        client = h2_connect(rig, relay, hello=False)
        client.send(part)
        client.wire.wait_end(3)


def test_16_mib_of_junk(gate):
    """E16: no buffer grows."""
    since = gate.relay.rss_kib()
    client = gate.connect(hello=False)
    sent = 0
    try:
        client.send(PREFACE)
        while sent < 16 << 20 and not client.wire.end:
            sent += client.wire.send_some(b"j" * 65536)
            client.pump(0.001)
    except (OSError, AssertionError):
        pass
    assert sent < 8 << 20
    assert grown(gate.relay, since, 512)
    gate.sentinel()


def test_client_says_goaway(gate):
    """E17: what is open is served to its end, and then the connection closes."""
    client = gate.connect()
    s = client.new()
    client.send(get_block(s.number), frame(GOAWAY, 0, 0, bytes(8)))
    assert s.over() is None and s.status == 200
    assert client.closed() in (None, 0)


def test_frames_on_streams_that_ended(gate):
    """E15: DATA behind END_STREAM is an error; what crosses a reset of ours is not."""
    client = gate.connect()
    s = client.request()
    s.over()
    client.send(frame(WINDOW_UPDATE, 0, s.number, b"\0\0\0\1"), frame(RST_STREAM, 0, s.number, bytes(4)))
    assert client.alive()
    bad = client.request(more(("X", "y")), end=False)
    client.send(frame(DATA, END_STREAM, bad.number, b"on its way"))
    assert bad.over() == PROTOCOL_ERROR and client.alive()


def test_http1_client_on_the_h2_only_tls_port(gate):
    """ALPN h2, and then HTTP/1.1: closed, nothing upstream."""
    from lib.h2 import TlsWire

    seen = gate.requests()
    wire = TlsWire(gate.rig.connect(gate.relay.addrs[1]))
    assert wire.alpn == "h2"
    wire.send(b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n")
    wire.wait_end()
    wire.close()
    gate.sentinel()
    assert gate.requests() == seen + 1
