"""One TCP (or unix) connection seen byte by byte, and a strict HTTP/1.1 reader on top of it.

Everything that arrives is kept with its time: tests judge the bytes on the wire, not what a library made of them.
"""

import os
import re
import select
import socket
import struct
import time

TIMEOUT = 3.0 * float(os.environ.get("SLUICE_TEST_SLACK", "1"))
TCHAR = re.compile(rb"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$")


class Ended(AssertionError):
    """The peer ended the connection before what was waited for came."""


class NotInTime(AssertionError):
    """What was waited for did not come in time."""


class BadMessage(AssertionError):
    """The bytes break HTTP/1.1."""


class Head:
    """A request or response head, its fields in order and byte-exact."""

    def __init__(self, raw):
        self.raw = raw
        lines = raw[:-4].split(b"\r\n")
        self.line = lines[0]
        self.fields = []
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            if not colon or not TCHAR.match(name) or b"\r" in value or b"\n" in value or b"\0" in value:
                raise BadMessage(f"field line {line!r}")
            self.fields.append((name, value.strip(b" \t")))
        parts = self.line.split(b" ", 2)
        if self.line.startswith(b"HTTP/"):
            if len(parts) < 2 or not re.match(rb"^HTTP/1\.[01]$", parts[0]) or not re.match(rb"^\d{3}$", parts[1]):
                raise BadMessage(f"status line {self.line!r}")
            self.version, self.status = parts[0], int(parts[1])
            self.reason = parts[2] if len(parts) == 3 else b""
            self.method = self.target = None
        else:
            if len(parts) != 3:
                raise BadMessage(f"request line {self.line!r}")
            self.method, self.target, self.version = parts
            self.status = self.reason = None

    def all(self, name):
        """Values of every field of that name."""
        want = name.lower().encode()
        return [v for n, v in self.fields if n.lower() == want]

    def get(self, name):
        """The value of the only field of that name, as text; None when there is none."""
        values = self.all(name)
        if len(values) > 1:
            raise BadMessage(f"{len(values)} {name} fields")
        return values[0].decode("latin-1") if values else None

    def tokens(self, name):
        """Members of a comma-separated field, over all its lines, in lower case."""
        joined = b",".join(self.all(name)).decode("latin-1")
        return [t.strip().lower() for t in joined.split(",") if t.strip()]


class Body:
    """A message body while it arrives: payload, chunks, trailers, and how it ended."""

    def __init__(self, wire, framing, length=None):
        self.wire, self.framing, self.left = wire, framing, length
        self.payload = bytearray()
        self.times = []  # (time, payload length then)
        self.chunks = []
        self.trailers = []
        self.complete = framing == "none" or (framing == "length" and length == 0)

    def _take(self):
        buf = self.wire.buf
        if self.complete or not buf:
            return False
        if self.framing in ("length", "close"):
            n = len(buf) if self.framing == "close" else min(len(buf), self.left)
            self.payload += buf[:n]
            del buf[:n]
            if self.framing == "length":
                self.left -= n
                self.complete = self.left == 0
            return n > 0
        end = buf.find(b"\r\n")
        if end < 0:
            return False
        size_line = bytes(buf[:end])
        if not re.match(rb"^[0-9A-Fa-f]{1,16}$", size_line.split(b";")[0]):
            raise BadMessage(f"chunk size {size_line[:60]!r}")
        size = int(size_line.split(b";")[0], 16)
        if size == 0:
            stop = buf.find(b"\r\n\r\n", end)
            if stop < 0:
                return False
            lines = bytes(buf[end + 2 : stop]).split(b"\r\n") if stop > end else []
            self.trailers = [tuple(x.strip() for x in line.split(b":", 1)) for line in lines if line]
            del buf[: stop + 4]
            self.complete = True
            return True
        if len(buf) < end + 2 + size + 2:
            return False
        if buf[end + 2 + size : end + 4 + size] != b"\r\n":
            raise BadMessage("chunk data without CRLF behind it")
        self.payload += buf[end + 2 : end + 2 + size]
        self.chunks.append(size)
        del buf[: end + 4 + size]
        return True

    def _take_all(self):
        took = False
        while self._take():
            took = True
        if took:
            self.times.append((self.wire.last_time, len(self.payload)))
        return took

    def pump(self, timeout):
        """Takes what is there, or waits for more; False when nothing more will come."""
        if self._take_all():
            return True
        if self.complete or self.wire.end:
            return False
        self.wire.fill(timeout)
        return True

    def partial(self):
        """Payload so far, bytes of a chunk that is still arriving included."""
        self._take_all()
        buf = bytes(self.wire.buf)
        if self.framing != "chunked" or self.complete or b"\r\n" not in buf:
            return bytes(self.payload)
        size, _, rest = buf.partition(b"\r\n")
        return bytes(self.payload) + rest[: int(size.split(b";")[0], 16)]

    def until(self, what, timeout=TIMEOUT):
        """Waits for so many payload bytes (int) or for bytes in the payload; returns the payload so far."""
        stop = time.monotonic() + timeout

        def there():
            have = self.partial()
            return len(have) >= what if isinstance(what, int) else what in have

        while not there():
            if self.complete or (self.wire.end and not self.pump(0)):
                raise Ended(f"body ended ({self.how()}) before {what!r}; payload {self.partial()[-200:]!r}")
            if time.monotonic() >= stop:
                raise NotInTime(f"no {what!r} in {timeout} s; payload so far {self.partial()[-200:]!r}")
            self.pump(max(0.0, min(stop - time.monotonic(), timeout)))
        return self.partial()

    def to_end(self, timeout=TIMEOUT):
        """Reads until the body is complete or the connection ends; returns the whole payload."""
        stop = time.monotonic() + timeout
        while not self.complete and time.monotonic() < stop:
            if not self.pump(max(0.0, stop - time.monotonic())):
                break
        if not self.complete and not self.wire.end:
            raise NotInTime(f"body did not end in {timeout} s; payload {bytes(self.payload[-200:])!r}")
        if self.framing == "close" and self.wire.end == "fin":
            self.complete = True
        return bytes(self.payload)

    def how(self):
        """complete, or how the connection broke off: fin, rst; open while it goes on."""
        return "complete" if self.complete else self.wire.end or "open"


class Wire:
    """A connected socket with a log of all that was received. What TLS does otherwise is in these three and ended_by() (tls.py)."""

    AGAIN = (BlockingIOError, InterruptedError)  # nothing is there, or no room, for now
    BROKEN = (ConnectionResetError, BrokenPipeError)
    PIECE = None  # bytes handed to the socket at once, at most

    def __init__(self, sock):
        self.sock = sock
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buf = bytearray()  # received, not yet taken
        self.log = bytearray()  # everything received
        self.arrivals = []  # (time, bytes received in all)
        self.end = None  # None, "fin" or "rst"
        self.end_time = None
        self.last_time = None

    # -- out --
    def send(self, data, timeout=TIMEOUT):
        """Sends all of it, or fails."""
        view, stop = memoryview(bytes(data)), time.monotonic() + timeout
        while view:
            try:
                view = view[self.sock.send(view[: self.PIECE]) :]
                continue
            except self.AGAIN:
                pass
            left = stop - time.monotonic()
            if left <= 0 or not select.select([], [self.sock], [], left)[1]:
                raise NotInTime(f"peer took no more than all but {len(view)} bytes in {timeout} s")
        return time.monotonic()

    def send_some(self, data):
        """Sends what the socket takes now; returns how many bytes. 0 and `end` set when the peer has gone."""
        try:
            return self.sock.send(data)
        except self.AGAIN:
            return 0
        except self.BROKEN as e:
            self.end, self.end_time = self.end or self.ended_by(e), self.end_time or time.monotonic()
            return 0

    def fin(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()
        return time.monotonic()

    def rst(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        return time.monotonic()

    # -- in --
    def ended_by(self, error):
        """What `end` is called when the socket says this."""
        return "rst"

    def fill(self, timeout=TIMEOUT, most=262144):
        """One recv that brings something: True when bytes came, False at the end of the connection or when none came in time."""
        if self.end:
            return False
        stop = time.monotonic() + timeout
        while True:
            try:
                data = self.sock.recv(most)
                break
            except self.AGAIN:
                if not select.select([self.sock], [], [], max(0.0, stop - time.monotonic()))[0]:
                    return False
            except self.BROKEN as e:
                self.end, self.end_time = self.ended_by(e), time.monotonic()
                return False
        if not data:
            self.end, self.end_time = "fin", time.monotonic()
            return False
        self.last_time = time.monotonic()
        self.buf += data
        self.log += data
        self.arrivals.append((self.last_time, len(self.log)))
        return True

    def _wait(self, ready, what, timeout):
        stop = time.monotonic() + timeout
        while not ready():
            if self.end:
                raise Ended(f"connection ended ({self.end}) before {what}; got {bytes(self.buf[-300:])!r}")
            left = stop - time.monotonic()
            if left <= 0:
                raise NotInTime(f"no {what} in {timeout} s; got {bytes(self.buf[-300:])!r}")
            self.fill(left)

    def read(self, n, timeout=TIMEOUT):
        self._wait(lambda: len(self.buf) >= n, f"{n} bytes", timeout)
        out = bytes(self.buf[:n])
        del self.buf[:n]
        return out

    def expect(self, data, timeout=TIMEOUT):
        """The very next bytes are these."""
        got = self.read(len(data), timeout)
        assert got == data, f"expected {data!r}, got {got!r}"

    def until(self, needle, timeout=TIMEOUT):
        """Bytes up to and including `needle`."""
        self._wait(lambda: needle in self.buf, repr(needle), timeout)
        n = self.buf.index(needle) + len(needle)
        return self.read(n)

    def head(self, timeout=TIMEOUT):
        return Head(self.until(b"\r\n\r\n", timeout))

    def final_head(self, timeout=TIMEOUT):
        """The response head behind any 1xx."""
        head = self.head(timeout)
        while 100 <= head.status < 200 and head.status != 101:
            head = self.head(timeout)
        return head

    def response_body(self, head, method="GET"):
        """The body that goes with a response head, by RFC 9112 6.3."""
        if method == "HEAD" or head.status in (204, 304) or 100 <= head.status < 200:
            return Body(self, "none")
        return self._body(head, "close")

    def request_body(self, head):
        return self._body(head, "none")

    def _body(self, head, otherwise):
        te, cl = head.tokens("transfer-encoding"), head.get("content-length")
        if te and cl is not None:
            raise BadMessage("Content-Length with Transfer-Encoding")
        if te:
            if te != ["chunked"]:
                raise BadMessage(f"Transfer-Encoding {te}")
            return Body(self, "chunked")
        if cl is not None:
            if not re.match(r"^\d+$", cl):
                raise BadMessage(f"Content-Length {cl!r}")
            return Body(self, "length", int(cl))
        return Body(self, otherwise)

    def response(self, method="GET", timeout=TIMEOUT):
        """A whole final response: head, payload; asserts that it is complete."""
        head = self.final_head(timeout)
        body = self.response_body(head, method)
        payload = body.to_end(timeout)
        assert body.complete, f"response broken off ({body.how()}) after {len(payload)} bytes: {head.line!r}"
        return head, payload

    def wait_end(self, timeout=TIMEOUT):
        """Reads on until the peer ends the connection; returns fin or rst."""
        stop = time.monotonic() + timeout
        while not self.end and time.monotonic() < stop:
            self.fill(stop - time.monotonic())
        if not self.end:
            raise NotInTime(f"connection still open after {timeout} s; got {bytes(self.buf[-300:])!r}")
        return self.end

    def expect_silence(self, seconds):
        """Nothing comes, and the connection stays open."""
        before = len(self.log)
        self.fill(seconds)
        assert len(self.log) == before, f"unexpected bytes {bytes(self.log[before:])!r}"
        assert not self.end, f"connection ended ({self.end})"


def tcp_connect(addr, timeout=TIMEOUT, rcvbuf=None, source=None):
    """A socket connected to (host, port) or to a unix socket's path."""
    family = socket.AF_UNIX if isinstance(addr, str) else socket.AF_INET6 if ":" in addr[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    if rcvbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        if family != socket.AF_UNIX:
            # loopback's segments of 64 KiB never fit so small a window: it would move by the sender's probes alone
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)
    if source:
        sock.bind((source, 0))
    sock.settimeout(timeout)
    try:
        sock.connect(addr)
    except BaseException:
        sock.close()
        raise
    return sock


def connect(addr, timeout=TIMEOUT, rcvbuf=None, source=None):
    """A Wire to (host, port) or to a unix socket's path."""
    return Wire(tcp_connect(addr, timeout, rcvbuf, source))


def wait_ends(wires, timeout=TIMEOUT):
    """Waits until all of these have ended, looking at all of them at once: each end_time is its own."""
    stop = time.monotonic() + timeout
    while True:
        left = [w for w in wires if not w.end]
        if not left:
            return
        if time.monotonic() >= stop:
            raise NotInTime(f"{len(left)} of {len(wires)} connections still open after {timeout} s")
        for sock in select.select([w.sock for w in left], [], [], max(0.0, stop - time.monotonic()))[0]:
            next(w for w in left if w.sock is sock).fill(0)


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def request(method="GET", target="/", fields=(), body=b"", host="test.example", version="HTTP/1.1"):
    """A request's bytes; adds Host, and Content-Length when there is a body and no framing is given."""
    out = [f"{method} {target} {version}"]
    names = {n.lower() for n, _ in fields}
    if host is not None and "host" not in names:
        out.append(f"Host: {host}")
    out += [f"{n}: {v}" for n, v in fields]
    if body and not names & {"content-length", "transfer-encoding"}:
        out.append(f"Content-Length: {len(body)}")
    return "\r\n".join(out).encode("latin-1") + b"\r\n\r\n" + body


EVENT_FIELDS = (("Accept", "text/event-stream"),)


def event_request(target="/events", fields=(), method="GET", body=b"", **kw):
    return request(method, target, tuple(EVENT_FIELDS) + tuple(fields), body, **kw)
