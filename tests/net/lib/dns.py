"""A DNS server small enough to lie: the test says what each name has, and how the answer misbehaves."""

import socket
import struct
import threading
import time

A, AAAA = 1, 28
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3


class DnsServer:
    """`zone` maps a name to a list of addresses; `rcode`, `delay`, `ttl`, `silent` and `forge` change all answers."""

    def __init__(self, zone):
        self.zone = {k.lower(): v for k, v in zone.items()}
        self.rcode, self.delay, self.ttl = NOERROR, 0.0, 1
        self.silent = self.forge = False
        self.queries = []
        self._bind()
        self.address = "127.0.0.1:%d" % self.sock.getsockname()[1]
        self.stopping = False
        threading.Thread(target=self._serve_tcp, daemon=True).start()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _bind(self):
        """The same port for UDP and TCP: some try finds one that is free for both."""
        for _ in range(50):
            self.sock, self.tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
            self.sock.bind(("127.0.0.1", 0))
            try:
                self.tcp.bind(self.sock.getsockname())
                self.tcp.listen()
                return
            except OSError:
                self.sock.close()
                self.tcp.close()
        raise OSError("no port is free for both UDP and TCP")

    def _serve(self):
        while not self.stopping:
            try:
                data, peer = self.sock.recvfrom(4096)
            except OSError:
                return
            name, kind = self._question(data)
            self.queries.append((time.monotonic(), name, kind))
            if self.silent:
                continue
            timer = threading.Timer(self.delay, self._answer, (data, peer, name, kind))
            timer.daemon = True
            timer.start()

    def _serve_tcp(self):
        """One question per connection: answers that do not fit a datagram are asked for again here."""
        while not self.stopping:
            try:
                conn, _ = self.tcp.accept()
            except OSError:
                return
            with conn:
                conn.settimeout(2)
                try:
                    data = conn.recv(4096)[2:]
                    out = self._make(data, *self._question(data))
                    conn.sendall(struct.pack("!H", len(out)) + out)
                    conn.recv(1)
                except OSError:
                    pass

    @staticmethod
    def _question(data):
        at, labels = 12, []
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        return ".".join(labels).lower(), struct.unpack("!H", data[at + 1 : at + 3])[0]

    def _make(self, data, name, kind):
        end = data.index(b"\0", 12) + 5
        found = self.zone.get(name)
        rcode = self.rcode or (NXDOMAIN if found is None else NOERROR)
        records = [] if rcode else [a for a in found if (":" in a) == (kind == AAAA)]
        body = b""
        for a in records:
            raw = socket.inet_pton(socket.AF_INET6 if ":" in a else socket.AF_INET, a)
            body += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, self.ttl, len(raw)) + raw
        return data[:2] + struct.pack("!HHHHH", 0x8180 | rcode, 1, len(records), 0, 0) + data[12:end] + body

    def _answer(self, data, peer, name, kind):
        out = self._make(data, name, kind)
        if len(out) > 512:
            out = data[:2] + struct.pack("!HHHHH", 0x8380, 1, 0, 0, 0) + data[12 : data.index(b"\0", 12) + 5]
        try:
            if self.forge:
                bad = bytearray(out)
                bad[0] ^= 0x55
                bad[-4:] = socket.inet_aton("127.0.0.66")
                for _ in range(50):
                    self.sock.sendto(bytes(bad), peer)
                    bad[1] = (bad[1] + 1) % 256
            self.sock.sendto(out, peer)
        except OSError:
            pass

    def close(self):
        self.stopping = True
        self.sock.close()
        self.tcp.close()
