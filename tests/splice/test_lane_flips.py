"""One stream that changes its lane ten thousand times, and nobody can tell from its bytes."""

import random
import select
import time

import pytest
from lib.wire import chunk

from kit.body import HEARTBEAT, assert_same, event
from kit.stream import opened, start

FLIPS = 10_000
SHORT = b":\n"


def without_beats(body, beat=HEARTBEAT):
    """The payload without the relay's own chunks, which hold a heartbeat and nothing else."""
    out, at, beats = [], 0, 0
    payload = bytes(body.payload)
    for size in body.chunks:
        part = payload[at : at + size]
        at += size
        if part == beat:
            beats += 1
        else:
            out.append(part)
    return b"".join(out), beats


@pytest.mark.timeout(90)
def test_ten_thousand_flips_by_heartbeats(rig):
    """A heartbeat after every millisecond of silence: out of the kernel's hands, drained, written, and back; events come in
    between at any moment, and often in the middle of it."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "1ms"})
    s = opened(rig, relay, origin)
    rng, sent, n = random.Random(1), [], 0
    stop, checked = time.monotonic() + 60, 0.0
    while time.monotonic() < stop:
        for _ in range(rng.choice((0, 1, 1, 3))):
            sent.append(event(n, rng.choice((20, 200, 900))))
            s.up.send(chunk(sent[-1]))
            n += 1
        pause = time.monotonic() + rng.choice((0.0, 0.0005, 0.001, 0.002, 0.004))
        while True:
            s.client.fill(max(0.0, pause - time.monotonic()))
            s.body.pump(0)
            if time.monotonic() >= pause:
                break
        if time.monotonic() - checked > 0.5:
            checked = time.monotonic()
            if s.record()["flips"] >= FLIPS:
                break
    flips = s.record()["flips"]
    s.up.send(b"0\r\n\r\n")
    s.body.to_end(5)
    payload, beats = without_beats(s.body)
    assert_same(payload, b"".join(sent))
    end = s.ended()
    assert end["flips"] >= FLIPS and flips >= FLIPS, f"{flips} flips in 60 s"
    assert end["events"] == n and end["heartbeats"] == beats, end
    assert s.body.complete and end["spills"] < end["flips"] / 10, end


@pytest.mark.timeout(90)
def test_two_thousand_flips_by_a_reader_that_lags(rig):
    """Bursts beyond the send buffer to a reader that stalls and goes on: spill and resume, with bytes changing hands in the middle
    of chunks and lines."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off", "sndbuf": "4KiB"}, client={"notsent_lowat": "4KiB"})
    s = opened(rig, relay, origin, rcvbuf=2048)
    rng, sent, n = random.Random(2), bytearray(), 0
    stop = time.monotonic() + 40
    flips = 0
    while time.monotonic() < stop and flips < 2000:
        for _ in range(40):
            burst = b"".join(chunk(event(n + i, rng.randrange(20, 1500))) for i in range(rng.randrange(1, 12)))
            n += burst.count(b"id: ")
            sent += burst
            view = memoryview(burst)
            while view:
                view = view[s.up.send_some(view[: rng.randrange(1, 4000)]) :]
                if rng.random() < 0.3:
                    s.client.fill(0, most=rng.choice((1, 100, 5000)))
                if view and not select.select([], [s.up.sock], [], 0)[1]:
                    s.client.fill(0.01)
            while s.come() < len(sent):
                assert time.monotonic() < stop, f"{s.come()} of {len(sent)} bytes: {s.record()}"
                s.client.fill(0.2)
        flips = s.record()["flips"]
    s.sent = sent
    end = s.finish()
    assert end["flips"] >= 2000, end
    assert end["events"] == n and end["spills"] > 900, end
