"""test_torture.py's treatment for TLS and HTTP/2, mixed with plain HTTP/1.1, while certificates are replaced and streams killed:
a client's bytes are a prefix of what the origin sent, what looks complete is complete, what was complete looks so, and at the end
nothing is left over: no stream, no connection, no descriptor."""

import os
import random
import signal
import ssl
import threading
import time

import pytest
from lib.h2 import H2Client, TlsWire, events_fields
from lib.origin import CLOSE_STREAM_HEAD, STREAM_HEAD
from lib.proc import wait_for
from lib.relay import write_config
from lib.wire import LAST_CHUNK, Ended, NotInTime, chunk, event_request

BEATS = (b": heartbeat\n\n", b":\n")  # neither is ever in what the origins send
STREAMS, SECONDS = 40, 4.0
BLOCKED = (ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError)


class Up:
    """The origin's side of a stream. OpenSSL wants a piece that it did not take again, as it was."""

    def __init__(self, conn, rng):
        self.conn, self.rng, self.raw, self.piece = conn, rng, b"", b""

    def push(self, all_of_it=False):
        """False: the socket is full, or the relay has gone."""
        while self.raw or self.piece:
            if not self.piece:
                cut = self.rng.choice([1, 3, 20, 1000, 16000, 100_000])
                self.piece, self.raw = self.raw[:cut], self.raw[cut:]
            try:
                self.piece = self.piece[self.conn.sock.send(self.piece) :]
            except BLOCKED:
                return False
            except OSError:
                self.raw = self.piece = b""
                return False
            if not all_of_it:
                break
        return True

    def idle(self):
        return not self.raw and not self.piece


class H1Client:
    """A stream on a connection of its own."""

    def __init__(self, rig, address, context, path, rng):
        kw = {"rcvbuf": rng.choice([None, None, 4096])}
        self.wire = rig.connect(address, tls=context, **kw) if context else rig.connect(address, **kw)
        self.wire.send(event_request(path))
        self.body = None

    def head(self):
        self.body = self.wire.response_body(self.wire.final_head())

    def fill(self, most):
        self.wire.fill(0, most=most)

    def go(self):
        self.wire.close()

    def finish(self, timeout):
        """complete, or not; None: it did not end in time."""
        try:
            self.body.to_end(timeout)
        except Ended:
            pass
        except NotInTime:
            return None
        return self.body.complete and (self.body.framing != "close" or self.wire.end == "fin")

    def got(self):
        return bytes(self.body.partial())


class H2Stream:
    """A stream on a connection that it shares."""

    def __init__(self, client, path):
        self.client, self.stream = client, client.request(events_fields(path))

    def head(self):
        self.stream.head()

    def fill(self, _most):
        self.client.pump()

    def go(self):
        self.client.rst(self.stream)
        self.stream.number = None

    def finish(self, timeout):
        try:
            return self.stream.over(timeout) is None
        except Ended:
            return False
        except NotInTime:
            return None

    def got(self):
        return bytes(self.stream.body)


class Talk:
    def __init__(self, number, rng, chaos):
        self.rng, self.chaos = rng, chaos
        self.front = rng.choice(["h1", "tls", "tls", "h2", "h2", "h2c"])
        self.back = rng.choice(["plain", "tls"])
        self.path = f"/{self.back}/{rng.choice(['block', 'close'])}/{number}"
        self.close_delimited = rng.random() < 0.4
        self.lazy = rng.random() < 0.3
        self.sent, self.over, self.killed, self.up = b"", None, False, None

    def open(self):
        self.client = self.chaos.client(self)
        self.up = Up(self.chaos.arrival(self.path), self.rng)
        self.up.conn.send(CLOSE_STREAM_HEAD if self.close_delimited else STREAM_HEAD)
        self.client.head()

    def event(self):
        size = self.rng.choice([0, 1, 50, 3000, 30_000])
        payload = b"data: " + self.rng.randbytes(size).hex().encode() + b"\n\n"
        self.sent += payload
        while payload:
            cut = self.rng.choice([1, 7, 400, 100_000])
            self.up.raw += payload[:cut] if self.close_delimited else chunk(payload[:cut])
            payload = payload[cut:]

    def step(self):
        if not self.over:
            if self.up.idle() and self.rng.random() < 0.4:
                self.event()
            self.up.push()
        if not self.lazy or self.rng.random() < 0.05:
            self.client.fill(self.rng.choice([1, 100, 5000, 200_000]))

    def end(self):
        self.over = self.rng.choice(["complete", "complete", "cut", "rst", "client"])
        if self.over == "client":
            self.client.go()
        elif self.over == "complete":
            if not self.close_delimited:
                self.up.raw += LAST_CHUNK
            stop = time.monotonic() + 20
            while not self.up.push(True) and not self.up.idle():
                assert time.monotonic() < stop, f"{self} takes no more"
                self.client.fill(200_000)
            if self.close_delimited:
                self.hang_up("fin")
        elif self.over == "rst":
            self.hang_up("rst")
        else:
            self.hang_up("cut" if self.back == "tls" else "rst")

    def hang_up(self, how):
        try:
            getattr(self.up.conn, how)()
        except OSError:
            assert self.killed, f"{self} was let go"

    def check(self):
        if self.over == "client":
            return
        complete = self.client.finish(15)
        plain = self.client.got()
        for beat in BEATS:
            plain = plain.replace(beat, b"")
        assert complete is not None, f"{self}: {len(plain)} of {len(self.sent)} bytes came, then silence"
        assert self.sent.startswith(plain), f"{self}: {len(plain)} bytes are not what was sent"
        if complete:
            assert self.over == "complete" and plain == self.sent, f"{self}: {len(plain)} of {len(self.sent)} looked complete"
        else:
            assert self.over != "complete" or self.killed, f"{self}: {len(plain)} of {len(self.sent)} looked cut off"

    def __str__(self):
        return f"{self.front} <- {self.back} {self.path} close-delimited {self.close_delimited} {self.over}"


class Chaos:
    def __init__(self, rig, seed):
        self.rig, self.rng = rig, random.Random(seed)
        self.ca = rig.authority()
        self.server = self.ca.issue("example.org", "127.0.0.1")
        self.context = self.ca.client(alpn=["http/1.1"])
        self.arrivals, self.changed, self.over = {}, threading.Condition(), threading.Event()
        self.origins = {
            "plain": rig.origin(self._handle),
            "tls": rig.origin(self._handle, tls=self.ca.server(self.ca.issue("127.0.0.1", file="origin"))),
        }
        self.relay = rig.run(self._config())
        self.base = self.relay.fds()
        self.talks, self.shared = [], {"h2": [], "h2c": []}

    def _config(self):
        conf = self.rig.config(drain="1s", tls={"handshake_rate": "unlimited"})
        tls = {"certificates": [self.server.entry()]}
        conf["listeners"] = [{"listen": "127.0.0.1:0"}, {"listen": "127.0.0.2:0", "tls": tls}]
        conf["upstreams"] = [{"name": k, "servers": [{"address": o.address}]} for k, o in self.origins.items()]
        conf["upstreams"][1]["tls"] = {"ca": self.ca.file}
        slow = {"block": {"policy": "block"}, "close": {"policy": "close", "bytes": "64MiB", "time": "60s"}}
        conf["routes"] = [
            {"name": f"{back}-{policy}", "path": f"/{back}/{policy}", "upstream": back, "slow": slow[policy], "heartbeat": "10ms"}
            for back in self.origins for policy in slow
        ]  # fmt: skip
        return conf

    def _handle(self, conn):
        head = conn.request()
        with self.changed:
            self.arrivals[head.target if isinstance(head.target, str) else head.target.decode()] = conn
            self.changed.notify_all()
        self.over.wait(60)  # the test's thread has it

    def arrival(self, path):
        with self.changed:
            assert self.changed.wait_for(lambda: path in self.arrivals, 10), f"nobody asked for {path}"
            return self.arrivals[path]

    def client(self, talk):
        if talk.front in ("h1", "tls"):
            tls = talk.front == "tls"
            return H1Client(self.rig, self.relay.addrs[tls], self.context if tls else None, talk.path, talk.rng)
        shared = self.shared[talk.front]
        if len(shared) < 3:
            wire = self.rig.connect(self.relay.addrs[talk.front == "h2"], rcvbuf=talk.rng.choice([None, 65536]))
            shared.append(H2Client(TlsWire(wire) if talk.front == "h2" else wire, settings=((4, 1 << 24),)))
        return H2Stream(talk.rng.choice(shared), talk.path)

    def reload(self):
        """With another certificate, and the plain listener's protocols changed."""
        self.server.replace(self.ca.issue("example.org", "127.0.0.1", file="next"))
        self.relay.config["listeners"][0]["http"] = self.rng.choice(["auto", "1.1"])
        write_config(self.relay.directory, self.relay.config)
        self.relay.send_signal(signal.SIGHUP)

    def kill(self):
        talk = self.rng.choice(self.talks)
        live = [r for r in self.relay.admin("streams") if r["path"] == talk.path]
        if live and not talk.over:
            talk.killed = True
            self.relay.admin(f"kill {live[0]['id']}")

    def run(self, streams, seconds):
        for n in range(streams):
            self.talks.append(Talk(n, random.Random(self.rng.random()), self))
            self.talks[-1].open()
        stop, reloads, kills = time.monotonic() + seconds, 3, 3
        while time.monotonic() < stop:
            for talk in self.rng.sample(self.talks, len(self.talks)):
                talk.step()
            left = (stop - time.monotonic()) / seconds
            if left * 3 < reloads:
                reloads -= 1
                self.reload()
            if left * 3.5 < kills:
                kills -= 1
                self.kill()
        assert self.relay.admin("totals")["reloads"] >= 3 and sum(len(t.sent) for t in self.talks) > 1_000_000
        for talk in self.talks:
            talk.end()
        for talk in self.talks:
            talk.check()

    def finish(self):
        """All clients and origins go, and the relay must be as it was."""
        for talk in self.talks:
            if isinstance(talk.client, H1Client):
                talk.client.wire.close()
        for client in self.shared["h2"] + self.shared["h2c"]:
            assert client.alive()
            client.close()
        self.over.set()
        for origin in self.origins.values():
            origin.close()
        gauges = ("streams_now", "connections_now", "h2_connections_now")
        wait_for(lambda: not any(self.relay.admin("totals")[g] for g in gauges), 5, why="gauges at 0")
        wait_for(lambda: self.relay.fds() <= self.base, 5, why=f"{self.relay.fds()} descriptors, {self.base} at the start")


@pytest.mark.parametrize("seed", range(int(os.environ.get("TORTURE_SEED", "0")), int(os.environ.get("TORTURE_SEED", "0")) + 2))
def test_prefix_and_honest_end(rig, seed):
    chaos = Chaos(rig, seed)
    chaos.run(STREAMS, float(os.environ.get("TORTURE_SECONDS", SECONDS)))
    chaos.finish()
