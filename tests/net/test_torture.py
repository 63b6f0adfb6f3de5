"""Many streams at once, each cut, paused, framed and ended at random, with heartbeats as often as can be: whatever
happens, a client's bytes without the relay's comments are a prefix of what the origin sent, and a complete body is all of it."""

import random
import time

import pytest
from lib.origin import CLOSE_STREAM_HEAD, STREAM_HEAD
from lib.sse import Stream
from lib.wire import LAST_CHUNK, Ended, NotInTime, chunk, event_request

BEAT_FULL, BEAT_SHORT = b": heartbeat\n\n", b":\n"  # neither is ever in what the origin sends
STREAMS, SECONDS = 24, 2.5


class Talk:
    """One stream: what its origin is going to send, and what its client has got."""

    def __init__(self, rig, relay, origin, rng):
        self.rng, self.relay, self.path = rng, relay, f"/{rng.random()}"
        self.version = rng.choice(["1.1", "1.1", "1.1", "1.0"])
        self.client = rig.connect(relay.addr, rcvbuf=rng.choice([None, None, 4096]))
        self.client.send(event_request(self.path, version=f"HTTP/{self.version}"))
        self.up = origin.accept()
        self.up.request()
        self.close_delimited = rng.random() < 0.2
        self.up.send(CLOSE_STREAM_HEAD if self.close_delimited else STREAM_HEAD)
        self.body = self.client.response_body(self.client.final_head())
        self.line = rng.choice([b"\n", b"\r\n", b"\r"])
        self.lazy = rng.random() < 0.3
        self.sent = b""  # payload, whole
        self.raw = b""  # what is left to be written of the present event, framed
        self.n = 0
        self.over = None

    def event(self):
        """The next event, in random lines, and cut into random chunks."""
        rng, self.n = self.rng, self.n + 1
        lines = [b"id: %d" % self.n]
        lines += [b"data: " + rng.randbytes(rng.choice([0, 1, 50, 3000])).hex().encode() for _ in range(rng.randrange(1, 4))]
        payload = self.line.join(lines) + self.line * 2
        self.sent += payload
        if self.close_delimited:
            return payload
        raw = b""
        while payload:
            cut = rng.choice([1, 2, 7, 40, 100_000])
            raw += chunk(payload[:cut])
            payload = payload[cut:]
        return raw

    def step(self):
        rng = self.rng
        if not self.over:
            if not self.raw and rng.random() < 0.3:
                self.raw = self.event()
            if self.raw and rng.random() < 0.7:
                cut = rng.choice([1, 3, 20, 1000, 100_000])
                self.raw = self.raw[self.up.send_some(self.raw[:cut]) :]
        if not self.lazy or rng.random() < 0.05:
            self.client.fill(0, most=rng.choice([1, 100, 5000, 200_000]))

    def end(self):
        """Ends it one way or the other."""
        self.over = self.rng.choice(["complete", "fin", "rst", "client"])
        if self.over == "client":
            self.client.close()
            return
        if self.over == "complete":
            while self.raw:
                self.raw = self.raw[self.up.send_some(self.raw) :]
                self.client.fill(0)
            if self.close_delimited:
                self.up.fin()
            else:
                rest = LAST_CHUNK
                while rest:
                    rest = rest[self.up.send_some(rest) :]
                    self.client.fill(0)
        elif self.over == "fin":
            self.up.close()
        else:
            self.up.rst()

    def check(self):
        if self.over == "client":
            self.up.wait_end()
            return
        try:
            self.body.to_end(10)
        except Ended:
            pass
        except NotInTime as e:
            got = len(self.body.partial())
            live = [r for r in self.relay.admin("streams") if r["path"] == self.path]
            raise AssertionError(
                f"{self.over}, HTTP/{self.version}, close-delimited {self.close_delimited}: {got} of {len(self.sent)} bytes"
                f" came, then silence; the relay has it as {live}"
            ) from e
        got = bytes(self.body.partial())
        plain = got.replace(BEAT_FULL, b"").replace(BEAT_SHORT, b"")
        assert self.sent.startswith(plain), f"{self.over}: wrong near byte {common(self.sent, plain)}"
        if self.over == "complete":
            assert plain == self.sent and self.body.complete
            assert Stream(got).events == Stream(self.sent).events
        elif self.close_delimited and self.over == "fin":
            assert plain == self.sent[: len(plain)]
        else:
            assert not self.body.complete or self.body.framing == "close", f"{self.over} looked complete"
            if self.body.framing == "close":
                assert self.client.end == "rst", f"{self.over} looked complete to HTTP/{self.version}"
            whole = Stream(self.sent).events
            seen = Stream(got).events
            assert seen == whole[: len(seen)]


def common(a, b):
    return next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))


@pytest.mark.parametrize("seed", range(6))
def test_prefix_and_honest_end(rig, seed):
    rng = random.Random(seed)
    origin = rig.origin()
    relay = rig.relay(origin, route={"heartbeat": "10ms"})
    talks = [Talk(rig, relay, origin, random.Random(rng.random())) for _ in range(STREAMS)]
    stop = time.monotonic() + SECONDS
    while time.monotonic() < stop:
        for talk in rng.sample(talks, len(talks)):
            talk.step()
        if rng.random() < 0.3:
            time.sleep(rng.choice([0.001, 0.012, 0.03]))
    assert sum(t.n for t in talks) > 200
    for talk in talks:
        talk.end()
    for talk in talks:
        talk.check()
    records = relay.wait_log(STREAMS, event="end") and relay.log(event="end")
    assert sum(r["heartbeats"] for r in records) > 50


@pytest.mark.parametrize("seed", range(4))
def test_dropping_keeps_events_whole(rig, seed):
    """Policy drop under the same treatment: what arrives is a subsequence of whole events, and every gap is told."""
    rng = random.Random(100 + seed)
    origin = rig.origin()
    route = {"heartbeat": "10ms", "slow": {"policy": "drop", "bytes": "8KiB"}, "sndbuf": "4KiB"}
    relay = rig.relay(origin, route=route)
    talks = [Talk(rig, relay, origin, random.Random(rng.random())) for _ in range(8)]
    stop = time.monotonic() + SECONDS
    while time.monotonic() < stop:
        for talk in talks:
            talk.lazy = talk.lazy or rng.random() < 0.01
            talk.step()
    lost = 0
    for talk in talks:
        rest, talk.over = talk.raw, "complete"
        while rest:
            rest = rest[talk.up.send_some(rest) :]
        if talk.close_delimited:
            talk.up.fin()
        else:
            talk.up.send(LAST_CHUNK)
    for talk in talks:
        try:
            talk.body.to_end(10)
        except Ended:
            pass
        whole = {e.id: e.data for e in Stream(talk.sent).events}
        got = Stream(talk.body.partial())
        ids = [int(e.id) for e in got.events]
        assert ids == sorted(set(ids)), "in order, none twice"
        for event in got.events:
            assert event.data == whole[event.id], f"event {event.id} is not what was sent"
        told = sum(int(w) for c in got.comments if b"dropped" in c for w in c.split() if w.isdigit())
        assert told + len(ids) == len(whole), f"{len(whole)} sent, {len(ids)} came, {told} said to be lost"
        lost += told
    assert lost > 20, "nothing was dropped: the test tested nothing"
    assert sum(r["dropped_events"] for r in (relay.wait_log(8, event="end") and relay.log(event="end"))) == lost
