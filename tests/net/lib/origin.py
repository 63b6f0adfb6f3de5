"""A raw-socket origin: the test says every byte it sends, and it records every byte that it receives."""

import os
import socket
import threading
import time

from .tls import TlsMixin
from .wire import LAST_CHUNK, TIMEOUT, NotInTime, Wire, chunk

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: text/event-stream\r\n"
    b"Transfer-Encoding: chunked\r\n"
    b"\r\n"
)
CLOSE_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


class OriginConn(Wire):
    """One accepted connection of an origin."""

    def __init__(self, sock, peer):
        super().__init__(sock)
        self.peer = peer
        self.chunked = True
        self.requests = []

    def request(self, timeout=TIMEOUT):
        """The next request: head, and its whole body as head.payload."""
        head = self.head(timeout)
        body = self.request_body(head)
        head.payload = body.to_end(timeout)
        head.body = body
        assert body.complete, f"request broken off ({body.how()})"
        self.requests.append(head)
        self.chunked = head.version == b"HTTP/1.1"
        return head

    def stream_head(self, extra=b""):
        """The head of an event stream, as a real origin answers: chunked to HTTP/1.1, until the close to HTTP/1.0."""
        self.send((STREAM_HEAD if self.chunked else CLOSE_STREAM_HEAD)[:-2] + extra + b"\r\n")

    def part(self, payload):
        """Sends payload bytes, as one chunk when the body is chunked; returns the payload."""
        self.send(chunk(payload) if self.chunked else payload)
        return payload

    def event(self, data, **fields):
        """Sends one event in one part; returns the payload."""
        payload = b"".join(b"%s: %s\n" % (k.encode(), str(v).encode()) for k, v in fields.items())
        return self.part(payload + b"data: %s\n\n" % (data if isinstance(data, bytes) else str(data).encode()))

    def finish(self):
        """Ends the body as its framing says."""
        if self.chunked:
            self.send(LAST_CHUNK)
        else:
            self.fin()


class TlsOriginConn(TlsMixin, OriginConn):
    """The same, of a TLS origin."""


class Origin:
    """A listening socket. Without a handler the test accepts connections itself and drives them; with one, each
    connection gets a thread that runs handler(conn) and then reads on until the peer ends, so that the log is whole."""

    def __init__(self, handler=None, path=None, host="127.0.0.1", rcvbuf=None, port=0, tls=None):
        self.tls = tls  # the server's context; None: plaintext
        family = socket.AF_UNIX if path else socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        if not path:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.path = path
        self.sock.bind(path if path else (host, port))
        if path:
            os.chmod(path, 0o666)  # the workers are nobody
        self.sock.listen(512)
        self.host = host
        self.port = None if path else self.sock.getsockname()[1]
        self.conns = []
        self.refused = []  # handshakes that failed
        self.errors = []
        self.handler = handler
        self.stopping = False
        self._changed = threading.Condition()
        if handler:
            self.thread = threading.Thread(target=self._serve, daemon=True)
            self.thread.start()

    @property
    def url(self):
        return f"http{'s' if self.tls else ''}://{self.address}"

    @property
    def address(self):
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def accept(self, timeout=TIMEOUT):
        """The next connection (no handler)."""
        self.sock.settimeout(timeout)
        try:
            sock, peer = self.sock.accept()
        except (TimeoutError, BlockingIOError):
            raise NotInTime(f"nobody connected to the origin in {timeout} s") from None
        conn = self._conn(sock, peer)
        self.conns.append(conn)
        return conn

    def _conn(self, sock, peer):
        if not self.tls:
            return OriginConn(sock, peer)
        return TlsOriginConn(sock, peer).secure(self.tls, server_side=True)

    def no_connection(self, seconds=0.0):
        """Nobody connects (no handler)."""
        self.sock.settimeout(seconds or 0.001)
        try:
            sock, _ = self.sock.accept()
        except (TimeoutError, BlockingIOError):
            return
        with sock:
            sock.settimeout(0.05)
            try:
                data = sock.recv(4096)
            except TimeoutError:
                data = b""
        raise AssertionError(f"the proxy connected to the origin and sent {data!r}")

    def _serve(self):
        while True:
            try:
                sock, peer = self.sock.accept()
            except OSError:
                return
            try:
                conn = self._conn(sock, peer)
            except OSError as e:  # ssl.SSLError is one
                self.refused.append(e)
                continue
            with self._changed:
                self.conns.append(conn)
                self._changed.notify_all()
            threading.Thread(target=self._run, args=(conn,), daemon=True).start()

    def _run(self, conn):
        try:
            self.handler(conn)
        except (OSError, ValueError):
            pass  # closed under the thread: the test is over
        except AssertionError as e:
            if not self.stopping and not conn.end:
                self.errors.append(f"{type(e).__name__}: {e}")
        try:
            while not conn.end and not self.stopping:
                conn.fill(0.5)
        except (OSError, ValueError):
            pass
        try:
            conn.close()
        except OSError:
            pass

    def connections(self, n, timeout=TIMEOUT):
        """Waits until n connections were accepted in all; returns them."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.conns) >= n, timeout), f"{len(self.conns)} of {n} connections"
        return self.conns

    def bytes_received(self):
        """Everything received on all connections: the oracle of every refusal."""
        return sum(len(c.log) for c in list(self.conns))

    def log_of_all(self):
        return b"".join(bytes(c.log) for c in list(self.conns))

    def close(self):
        self.stopping = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        for conn in self.conns:
            try:
                conn.close()
            except OSError:
                pass
        if self.path and os.path.exists(self.path):
            os.unlink(self.path)


def answer(reply=OK):
    """A handler that answers every request with the same bytes."""

    def handler(conn):
        while True:
            try:
                head = conn.request(timeout=60)
            except AssertionError:
                return
            conn.send(reply(head) if callable(reply) else reply)

    return handler


def stream(events=None, gap=0.0, head=STREAM_HEAD, hold=True, last=True):
    """A handler that answers with an event stream of n events, `gap` seconds apart; `hold` keeps it open behind."""

    def handler(conn):
        while True:
            try:
                conn.request(timeout=60)
            except AssertionError:
                return
            conn.send(head)
            n = 0
            while events is None or n < events:
                conn.event(n, id=n)
                n += 1
                if gap:
                    time.sleep(gap)
            if hold:
                return
            if last:
                conn.finish()

    return handler
