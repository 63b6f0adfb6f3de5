"""An HTTP/2 client that sends what it is told, right or wrong, over TCP or TLS, and notes every frame with its time.

Frames are made here byte by byte; Debian's python3-hpack (of python3-h2) reads header blocks."""

import os
import re
import ssl
import struct
import subprocess
import time

import hpack

from .tls import TlsMixin
from .wire import TIMEOUT, Ended, NotInTime, Wire

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
PRIORITY_UPDATE = 0x10
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR,
 REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM) = range(12)  # fmt: skip
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)
NO_RFC7540_PRIORITIES = 9
BIG_WINDOW = 1 << 30


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def integer(value, bits):
    """HPACK's integers, in the low bits of a first byte that is otherwise 0."""
    most = (1 << bits) - 1
    if value < most:
        return bytes((value,))
    out, value = [most], value - most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + [value])


def literal(fields):
    """A header block of literals, without indexing and Huffman: byte for byte what was asked for."""
    out = b""
    for name, value in fields:
        name, value = (x if isinstance(x, bytes) else str(x).encode("latin-1") for x in (name, value))
        out += b"\0" + integer(len(name), 7) + name + integer(len(value), 7) + value
    return out


def request_fields(path="/", method="GET", fields=(), authority="test.example", scheme="https"):
    head = [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)]
    return head + list(fields)


def events_fields(path="/events", fields=(), **kw):
    return request_fields(path, fields=[("accept", "text/event-stream"), *fields], **kw)


class TlsWire(TlsMixin, Wire):
    """A client's that believes any certificate."""

    def __init__(self, wire, alpn=("h2",), name="test.example"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols(list(alpn))
        super().__init__(wire.sock)
        self.secure(context, name=name)
        self.alpn = self.sock.selected_alpn_protocol()


class Frame:
    def __init__(self, kind, flags, stream, payload, when):
        self.kind, self.flags, self.stream, self.payload, self.time = kind, flags, stream, payload, when
        self.fields = None

    @property
    def ends(self):
        return self.kind in (DATA, HEADERS) and bool(self.flags & END_STREAM)

    @property
    def code(self):
        return struct.unpack(">I", self.payload[:4] if self.kind == RST_STREAM else self.payload[4:8])[0]

    @property
    def last_stream(self):
        return struct.unpack(">I", self.payload[:4])[0]

    def __repr__(self):
        return f"<{self.kind} flags {self.flags} stream {self.stream} {self.payload[:40]!r}>"


class Stream:
    """What came for one stream."""

    def __init__(self, client, number):
        self.client, self.number = client, number
        self.heads = []  # lists of (name, value), trailers too
        self.body = bytearray()
        self.frames = []
        self.ended = False  # END_STREAM
        self.reset = None  # error code
        self.end_time = None

    @property
    def status(self):
        return int(dict(self.heads[-1])[":status"]) if self.heads else None

    def field(self, name):
        for head in self.heads:
            for n, v in head:
                if n == name:
                    return v
        return None

    def until(self, what, timeout=TIMEOUT):
        """So many bytes of body, or bytes in it."""
        self.client.wait(lambda: len(self.body) >= what if isinstance(what, int) else what in self.body,
                         f"{what!r} on stream {self.number}, which has {bytes(self.body[-100:])!r}", timeout)
        return bytes(self.body)

    def head(self, timeout=TIMEOUT):
        """The final head, as a dict."""
        self.client.wait(lambda: self.heads and self.status >= 200, f"a head on stream {self.number}", timeout)
        return dict(self.heads[-1])

    def over(self, timeout=TIMEOUT):
        """Waits until it has ended or was reset; returns the error code, None for END_STREAM."""
        self.client.wait(lambda: self.ended or self.reset is not None, f"an end of stream {self.number}", timeout)
        return self.reset


class H2Client:
    """Acknowledges settings and pings and opens windows by itself, unless told not to."""

    def __init__(self, wire, settings=(), hello=True, window=BIG_WINDOW, acks=True):
        self.wire, self.acks = wire, acks
        self.decoder = hpack.Decoder(max_header_list_size=1 << 20)
        self.frames, self.streams = [], {}
        self.goaway = None  # the last one
        self.server_settings = {}
        self.pongs = 0
        self._block = b""
        self._next = 1
        if hello:
            wire.send(PREFACE + frame(SETTINGS, payload=b"".join(struct.pack(">HI", k, v) for k, v in settings)))
            if window:
                self.window(0, window)
            self.wait(lambda: self.server_settings, "SETTINGS")

    # -- out --
    def send(self, *frames, timeout=TIMEOUT):
        return self.wire.send(b"".join(frames), timeout)

    def new(self):
        """A stream of the next number; nothing is sent."""
        number, self._next = self._next, self._next + 2
        stream = self.streams[number] = Stream(self, number)
        return stream

    def request(self, fields=None, end=True, body=None, flags=0):
        stream = self.new()
        done = end and body is None
        out = frame(HEADERS, END_HEADERS | flags | (END_STREAM if done else 0), stream.number, literal(fields or request_fields()))
        if body is not None:
            out += frame(DATA, END_STREAM if end else 0, stream.number, body)
        self.send(out)
        return stream

    def events(self, path="/events", fields=()):
        return self.request(events_fields(path, fields))

    def data(self, stream, payload=b"", end=False):
        return self.send(frame(DATA, END_STREAM if end else 0, stream.number, payload))

    def rst(self, stream, code=CANCEL):
        return self.send(frame(RST_STREAM, 0, getattr(stream, "number", stream), struct.pack(">I", code)))

    def window(self, stream, n):
        return self.send(frame(WINDOW_UPDATE, 0, getattr(stream, "number", stream), struct.pack(">I", n)))

    def setting(self, *pairs):
        return self.send(frame(SETTINGS, payload=b"".join(struct.pack(">HI", k, v) for k, v in pairs)))

    def ping(self, payload=b"12345678"):
        return self.send(frame(PING, 0, 0, payload))

    # -- in --
    def _take(self):
        buf = self.wire.buf
        if len(buf) < 9:
            return False
        n = int.from_bytes(buf[:3], "big")
        assert n <= 16384, f"a frame of {n} bytes"
        if len(buf) < 9 + n:
            return False
        f = Frame(buf[3], buf[4], int.from_bytes(buf[5:9], "big") & 0x7FFFFFFF, bytes(buf[9 : 9 + n]), self.wire.last_time)
        del buf[: 9 + n]
        self.frames.append(f)
        self._note(f)
        return True

    def _note(self, f):
        stream = self.streams.get(f.stream)
        if stream:
            stream.frames.append(f)
        if f.kind in (HEADERS, CONTINUATION):
            self._block += f.payload
            if f.flags & END_HEADERS:
                f.fields = [tuple(x if isinstance(x, str) else x.decode("latin-1") for x in p)
                            for p in self.decoder.decode(self._block, raw=True)]
                self._block = b""
                for name, _ in f.fields:
                    name = name if isinstance(name, str) else name.decode()
                    assert name == name.lower() and re.match(r"^:?[!#$%&'*+\-.^_`|~0-9a-z]+$", name), name
                if stream:
                    stream.heads.append([(_text(n), _text(v)) for n, v in f.fields])
        elif f.kind == DATA and stream:
            assert not stream.ended and stream.reset is None, f"DATA behind the end of stream {f.stream}"
            stream.body += f.payload
        elif f.kind == RST_STREAM and stream:
            stream.reset, stream.end_time = f.code, f.time
        elif f.kind == GOAWAY:
            self.goaway = f
        elif f.kind == PING:
            if f.flags & ACK:
                self.pongs += 1
            elif self.acks:
                self.send(frame(PING, ACK, 0, f.payload))
        elif f.kind == SETTINGS and not f.flags & ACK:
            for at in range(0, len(f.payload), 6):
                key, value = struct.unpack(">HI", f.payload[at : at + 6])
                self.server_settings[key] = value
            if self.acks:
                self.send(frame(SETTINGS, ACK))
        if f.ends and stream:
            stream.ended, stream.end_time = True, f.time

    def pump(self, timeout=0.0):
        """Takes what there is; waits for something when there is nothing. False when nothing came."""
        took = False
        while self._take():
            took = True
        if took or self.wire.end:
            return took
        if not self.wire.fill(timeout):
            return False
        while self._take():
            took = True
        return True

    def wait(self, ready, what, timeout=TIMEOUT):
        stop = time.monotonic() + timeout
        while not ready():
            if self.pump(max(0.0, stop - time.monotonic())) or ready():
                continue
            if self.wire.end:
                raise Ended(f"connection ended ({self.wire.end}) before {what}; goaway {self.goaway}")
            if time.monotonic() >= stop:
                raise NotInTime(f"no {what} in {timeout} s; last frames {self.frames[-4:]}")

    def silence(self, seconds):
        """Nothing comes, and the connection stays open."""
        while self._take():
            pass
        before = len(self.frames)
        stop = time.monotonic() + seconds
        while time.monotonic() < stop and not self.wire.end:
            self.pump(max(0.0, stop - time.monotonic()))
        assert len(self.frames) == before and not self.wire.end, self.frames[before:]

    def alive(self):
        """A ping is answered: all that was sent before has been read."""
        before = self.pongs
        self.ping()
        self.wait(lambda: self.pongs > before, "PING's answer")
        return True

    def closed(self, timeout=TIMEOUT):
        """Waits until the server has ended the connection; returns the code of its GOAWAY."""
        stop = time.monotonic() + timeout
        while not self.wire.end and time.monotonic() < stop:
            self.pump(max(0.0, stop - time.monotonic()))
        while self._take():
            pass
        if not self.wire.end:
            raise NotInTime(f"connection still open; last frames {self.frames[-4:]}")
        return self.goaway.code if self.goaway else None

    def close(self):
        self.wire.close()


def _text(x):
    return x if isinstance(x, str) else x.decode("latin-1")


def h2_connect(rig, relay, tls=None, **kw):
    """A client on a new connection; `tls`: the relay's listener speaks TLS (default: it has `tls` in its config)."""
    if tls is None:
        tls = "tls" in relay.config["listeners"][0]
    rcvbuf = kw.pop("rcvbuf", None)
    wire = rig.connect(relay.addr, rcvbuf=rcvbuf)
    if tls:
        wire = TlsWire(wire)
        assert wire.alpn == "h2", wire.alpn
    return H2Client(wire, **kw)


def certificate(directory, name="test.example"):
    """A new self-signed certificate: its path and its key's."""
    cert, key = os.path.join(directory, "h2-cert.pem"), os.path.join(directory, "h2-key.pem")
    if not os.path.exists(cert):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-keyout", key, "-out", cert, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1"],
            check=True, capture_output=True, timeout=30)  # fmt: skip
    return cert, key


def tls_listener(rig):
    cert, key = certificate(rig.directory)
    return {"tls": {"certificates": [{"certificate": cert, "key": key}]}}


def h2_relay(rig, origin, tls, **kw):
    """A relay with an h2 listener: over TLS, or in clear text with prior knowledge."""
    return rig.relay(origin, listener=tls_listener(rig) if tls else {}, **kw)
