"""An origin with one log of events for everybody, which it can replay, and clients that behave as EventSource does."""

import contextlib
import re
import select
import socket
import threading
import time

RETRY_MS = 300


class Origin:
    """Event n happens at began + n * interval, whoever listens. A request with Last-Event-ID gets all that came after it."""

    def __init__(self, namespace, address, interval=0.05):
        self.interval, self.began = interval, time.monotonic()
        self.stopped = threading.Event()
        with namespace.inside():
            self.listener = socket.create_server(address, backlog=256)
        threading.Thread(target=self._accept, daemon=True).start()

    def happened(self):
        """Number of the newest event."""
        return int((time.monotonic() - self.began) / self.interval)

    def made_at(self, n):
        return self.began + n * self.interval

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                conn, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        with contextlib.suppress(OSError), conn:
            head = b""
            while b"\r\n\r\n" not in head:
                more = conn.recv(4096)
                if not more:
                    return
                head += more
            if head.startswith(b"HEAD "):
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
                return
            seen = re.search(rb"(?im)^last-event-id:\s*(\d+)", head)
            n = int(seen.group(1)) if seen else self.happened()
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            self._chunk(conn, b"retry: %d\n\n" % RETRY_MS)
            while not self.stopped.is_set():
                for n in range(n + 1, self.happened() + 1):
                    self._chunk(conn, b"id: %d\ndata: event %d\n\n" % (n, n))
                if select.select([conn], [], [], self.interval / 2)[0] and not conn.recv(4096):
                    return  # the client went away

    @staticmethod
    def _chunk(conn, data):
        conn.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def close(self):
        self.stopped.set()
        self.listener.close()


class Broken(Exception):
    """The connection ended, or nothing came for too long."""


class Client(threading.Thread):
    """Reconnects `retry` after every break, with the id of the last event that it has dispatched, as the HTML standard says
    (9.2). `silence`: beyond the standard, and what a client needs against a host that vanishes: no byte for so long is a
    break too."""

    def __init__(self, namespace, address, silence=None):
        super().__init__(daemon=True)
        self.namespace, self.address, self.silence = namespace, address, silence
        self.events = []  # (number, time, relay)
        self.relays = []  # who answered each connection
        self.failures = []  # of attempts without an answer
        self.retry = 0.2
        self.stopped = threading.Event()
        self.start()

    def run(self):
        while not self.stopped.is_set():
            try:
                with self.namespace.inside(), socket.create_connection(self.address, timeout=1.0) as conn:
                    self._stream(conn)
            except (OSError, Broken) as e:
                self.failures.append((time.monotonic(), str(e)))
            self.stopped.wait(self.retry)

    def _read(self, conn):
        """A generator of what arrives."""
        conn.settimeout(0.1)
        last = time.monotonic()
        while not self.stopped.is_set():
            try:
                data = conn.recv(65536)
            except TimeoutError:
                if self.silence and time.monotonic() - last > self.silence:
                    raise Broken("silent") from None
                continue
            if not data:
                raise Broken("closed")
            last = time.monotonic()
            yield data

    def _stream(self, conn):
        fields = f"Last-Event-ID: {self.events[-1][0]}\r\n" if self.events else ""
        conn.sendall(f"GET /events HTTP/1.1\r\nHost: events.test\r\nAccept: text/event-stream\r\n{fields}\r\n".encode())
        raw, body, text = b"", None, b""
        for data in self._read(conn):
            raw += data
            if body is None:
                if b"\r\n\r\n" not in raw:
                    continue
                head, raw = raw.split(b"\r\n\r\n", 1)
                if not head.startswith(b"HTTP/1.1 200 "):
                    raise Broken(head.split(b"\r\n")[0].decode())
                relay = re.search(rb"(?im)^x-relay:\s*(\w+)", head).group(1).decode()
                self.relays.append(relay)
                body = True
            raw, more, ended = dechunk(raw)
            text += more
            while b"\n\n" in text:  # an event without its blank line is not dispatched, and its id not kept
                event, text = text.split(b"\n\n", 1)
                self._dispatch(event, relay)
            if ended:
                raise Broken("ended")

    def _dispatch(self, event, relay):
        fields = dict(line.split(b": ", 1) for line in event.split(b"\n") if b": " in line and not line.startswith(b":"))
        if b"retry" in fields:
            self.retry = int(fields[b"retry"]) / 1000
        if b"data" in fields:
            assert fields[b"data"] == b"event " + fields[b"id"]
            self.events.append((int(fields[b"id"]), time.monotonic(), relay))

    def numbers(self):
        return [n for n, _, _ in list(self.events)]

    def relay(self):
        """Who carries it now."""
        return self.relays[-1] if self.relays else None

    def newest(self):
        return self.events[-1][0] if self.events else -1

    def outage(self, since):
        """Seconds from `since` to the first event that came over a connection made after it; 0 when none was made."""
        carried = self.carried_by_at(since)
        after = [t for _, t, relay in list(self.events) if t > since and relay != carried]
        return after[0] - since if after else 0.0

    def carried_by_at(self, when):
        before = [relay for _, t, relay in list(self.events) if t <= when]
        return before[-1] if before else None

    def stop(self):
        self.stopped.set()
        self.join(5)


def dechunk(raw):
    """(rest, payload, ended) of what has come of a chunked body."""
    out = b""
    while True:
        line, found, rest = raw.partition(b"\r\n")
        if not found:
            return raw, out, False
        size = int(line.split(b";")[0], 16)
        if len(rest) < size + 2:
            return raw, out, False
        if size == 0:
            return rest, out, True
        out += rest[:size]
        raw = rest[size + 2 :]
