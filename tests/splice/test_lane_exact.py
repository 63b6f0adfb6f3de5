"""Every byte, in order, once: sizes, readers, and the same count of events that an EventSource would see."""

import random

import pytest
from lib.sse import Stream

from kit.body import assert_same, chunked, count_events, events, numbered, odd_text
from kit.stream import opened, sluicectl, start

SIZES = (1, 2, 3, 7, 16, 63, 200, 1000, 1448, 4096, 16384, 32768, 65535, 65536, 131072, 262144)


# On loopback a write of 64 KiB is one segment: the usual send buffer has no room for it, and userspace carries it.
BUFFERS = {
    "usual": {},
    "large": {"route": {"sndbuf": "2MiB"}, "client": {"notsent_lowat": "2MiB"}},
}


@pytest.mark.parametrize("buffers", BUFFERS)
@pytest.mark.parametrize("size", SIZES)
def test_chunks_of_every_size(rig, size, buffers):
    """One chunk per write, so that small ones are segments of their own and large ones are many."""
    origin = rig.origin()
    top = dict(BUFFERS[buffers])
    relay = start(rig, origin, route={"heartbeat": "off", **top.pop("route", {})}, **top)
    s = opened(rig, relay, origin)
    text = numbered(max(size * 8, min(size * 3000, 40_000)))
    for at in range(0, len(text), size):
        raw = b"%x\r\n%s\r\n" % (len(text[at : at + size]), text[at : at + size])
        if size <= 1000 and at % 16 == 0:
            s.write(raw)
            s.arrive()
        else:
            s.carry(raw)
    s.counted(count_events(text))
    live = sluicectl(relay, "streams")[0]
    assert live["events"] == count_events(text), live
    assert live["bytes_in"] == len(s.sent) and live["chunks"] == -(-len(text) // size), live
    if buffers == "large" or size <= 4096:
        assert live["spliced_bytes"] > 0.9 * len(s.sent), f"the kernel carries it: {live}"
    end = s.finish()
    assert_same(bytes(s.body.payload), text)
    assert end["lane"] == "splice" and end["ended_by"] == "complete" and not end["truncated"], end
    assert end["events"] == count_events(text) and end["bytes_in"] == len(s.sent), end


@pytest.mark.parametrize("size", (100, 1448, 16384, 262144))
def test_one_write_of_many_chunks(rig, size):
    """Segments hold many chunks, and chunks many segments."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off", "sndbuf": "256KiB"})
    s = opened(rig, relay, origin)
    text = events(4000, 250)
    s.carry(chunked(text, size, last=False))
    end = s.finish()
    assert_same(bytes(s.body.payload), text)
    assert end["events"] == 4000, end
    assert [e.id for e in Stream(s.body.payload).events] == [str(n) for n in range(4000)]


def stalls(rng):
    """Reads 50 kB, then nothing for a while."""
    state = {"next": 0, "until": 0.0}

    def take(now, come):
        if come >= state["next"]:
            state["next"] = come + 50_000
            state["until"] = now + 0.015
        return 0 if now < state["until"] else 65536

    return take


def dribbles(rng):
    return lambda now, come: rng.randrange(1, 700)


def fits(rng):
    """Stalls of all lengths, and reads of all sizes."""
    state = {"until": 0.0, "on": True}

    def take(now, come):
        if now >= state["until"]:
            state["on"] = not state["on"]
            state["until"] = now + rng.choice((0.001, 0.003, 0.01, 0.05))
        return rng.choice((1, 100, 4000, 100_000)) if state["on"] else 0

    return take


@pytest.mark.parametrize("reader", (stalls, dribbles, fits))
@pytest.mark.parametrize("sndbuf", ("4KiB", "16KiB", "256KiB", "auto"))
def test_readers_that_lag(rig, reader, sndbuf):
    """A slow reader with a small window: the stream spills to userspace and goes back, and loses nothing."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off", "sndbuf": sndbuf})
    s = opened(rig, relay, origin, rcvbuf=4096)
    rng = random.Random(f"{reader.__name__}{sndbuf}")
    small = reader is dribbles
    text = events(1200 if small else 6000, 200)
    s.carry(chunked(text, 1000, last=False), take=reader(rng), piece=3000)
    live = s.record()
    assert live["spills"] > 0, f"a reader like that makes the stream spill: {live}"
    s.on("splice")
    more = events(50, 200)
    s.carry(chunked(more, 210, last=False))
    end = s.finish()
    assert_same(bytes(s.body.payload), text + more)
    assert end["events"] == count_events(text + more) and end["flips"] >= 3, end


@pytest.mark.parametrize("seed", range(12))
def test_odd_text_in_odd_pieces(rig, seed):
    """CR, LF and CRLF, comments, a BOM; chunks and segments of random length: exact, and counted as an EventSource counts."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off"})
    s = opened(rig, relay, origin)
    rng = random.Random(seed)
    text, at, raw = odd_text(seed, 8000), 0, b""
    while at < len(text):
        n = rng.choice((1, 2, 5, 17, 300))
        raw += b"%x\r\n%s\r\n" % (len(text[at : at + n]), text[at : at + n])
        at += n
    at = 0
    while at < len(raw):
        n = rng.choice((1, 2, 3, 9, 40, 700))
        s.write(raw[at : at + n])
        at += n
        if rng.random() < 0.5:
            s.arrive()
    s.arrive()
    s.counted(count_events(text))
    live = sluicectl(relay, "streams")[0]
    assert live["events"] == count_events(text), f"seed {seed}: {live}"
    assert live["spliced_events"] > 0.9 * live["events"], live
    end = s.finish()
    assert_same(bytes(s.body.payload), text)
    assert end["events"] == count_events(text), end


@pytest.mark.parametrize("workers", (2,))
def test_streams_side_by_side(rig, workers):
    """Forty streams with texts of their own over two workers, written in turns: nobody gets another's bytes."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off"}, workers=workers)
    streams = [opened(rig, relay, origin, lane=None) for _ in range(40)]
    for s in streams:
        s.on("splice")
    for turn in range(25):
        for k, s in enumerate(streams):
            s.write(chunked(b"data: stream %d turn %d\n\n" % (k, turn), 100, last=False))
        for s in streams:
            s.arrive()
    for k, s in enumerate(streams):
        end = s.finish()
        assert_same(bytes(s.body.payload), b"".join(b"data: stream %d turn %d\n\n" % (k, t) for t in range(25)))
        assert end["lane"] == "splice" and end["events"] == 25, end
    assert {r["worker"] for r in relay.log(event="end")} == set(range(workers))
