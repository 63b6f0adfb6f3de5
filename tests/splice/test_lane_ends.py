"""Ends of all kinds, at any moment: the one who stays is told the truth, and what came before is a prefix of what was sent."""

import random
import time

import pytest
from lib.origin import CLOSE_STREAM_HEAD
from lib.proc import wait_for
from lib.wire import chunk

from kit.body import assert_prefix, assert_same, chunked, count_events, events
from kit.stream import ends, opened, start

LENGTH_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n"
TOLD = 0.5  # s; a disconnect is passed on at once, and the machine may be busy


def relay_for(rig, **route):
    origin = rig.origin()
    return start(rig, origin, route={"heartbeat": "off", **route}), origin


def neighbour(rig, relay, origin):
    """A stream that must not notice anything."""
    s = opened(rig, relay, origin)
    s.write(chunk(b"data: neighbour\n\n"))
    s.arrive()
    return s


def fare_well(relay, other, ended):
    """The neighbour goes on, and the relay holds nothing of those that ended."""
    other.write(chunk(b"data: still here\n\n"))
    other.arrive()
    assert other.record()["lane"] == "splice"
    wait_for(lambda: len(relay.admin("streams")) == 1, 3, why="the ended streams are gone")
    other.finish()
    assert relay.admin("totals")["spliced_bytes"] > 0
    assert len(ends(relay, ended + 1)) == ended + 1


@pytest.mark.parametrize("how", ("fin", "rst", "close"))
def test_client_leaves_at_any_moment(rig, how):
    """While bytes flow, while it lags, in silence, before the first byte: the upstream is closed at once."""
    relay, origin = relay_for(rig)
    other = neighbour(rig, relay, origin)
    rng = random.Random(how)
    raw = chunked(events(3000, 200), 900, last=False)
    for turn in range(24):
        s = opened(rig, relay, origin, rcvbuf=4096 if turn % 3 == 0 else None, lane="splice" if turn % 4 else None)
        stop, at = rng.randrange(0, len(raw)) if turn % 6 else 0, 0
        while at < stop:
            n = s.up.send_some(raw[at : min(stop, at + rng.randrange(1, 5000))])
            at += n
            if turn % 3:
                s.client.fill(0)
            elif not n:
                break
        sent = raw[:at]
        left = {"fin": s.client.fin, "rst": s.client.rst, "close": s.client.close}[how]()
        began = time.monotonic()
        s.up.wait_end(2)
        assert s.up.end_time - began < TOLD, f"turn {turn}: told after {s.up.end_time - began:.3f} s (left at {left})"
        assert_prefix(s.log, sent)
    assert {r["ended_by"] for r in ends(relay, 24)} == {"client"}
    fare_well(relay, other, 24)


def test_client_leaves_a_silent_stream_after_a_spill(rig):
    """The stream has been through userspace and back."""
    relay, origin = relay_for(rig)
    s = opened(rig, relay, origin, rcvbuf=4096)
    raw = chunked(events(1000, 200), 900, last=False)
    s.carry(raw, take=lambda now, come: 2000 if now > 0.05 else 0)
    s.on("splice")
    assert s.record()["spills"] > 0
    s.client.fin()
    assert s.up.wait_end(1)
    assert s.ended()["ended_by"] == "client"


@pytest.mark.parametrize("how", ("fin", "rst"))
@pytest.mark.parametrize("where", ("chunk data", "chunk head", "chunk end", "between chunks", "in the last chunk"))
def test_upstream_dies(rig, how, where):
    """Never a clean end: all that came before it is passed on, and then the connection breaks off without a last chunk."""
    relay, origin = relay_for(rig)
    other = neighbour(rig, relay, origin)
    tail = {
        "chunk data": b"100\r\ndata: half",
        "chunk head": b"1",
        "chunk end": b"5\r\nabcde\r",
        "between chunks": b"",
        "in the last chunk": b"0\r\n",
    }[where]
    for turn in range(6):
        s = opened(rig, relay, origin)
        raw = chunked(events(1 + turn * 40, 200), 900, last=False) + tail
        s.write(raw)
        if turn % 2 or how == "rst":
            s.arrive()
        s.up.fin() if how == "fin" else s.up.rst()
        s.client.wait_end(2)
        assert_same(s.log, raw, "all that was sent before the end")
        s.body.pump(0)
        assert not s.body.complete, "a client must not think that this was the end"
        end = s.ended()
        assert end["ended_by"] == "upstream" and end["truncated"] is True, end
        assert end["events"] == 1 + turn * 40 and end["bytes_in"] == len(raw), end
    fare_well(relay, other, 6)


@pytest.mark.parametrize("how", ("fin", "rst"))
def test_upstream_dies_while_bytes_flow(rig, how):
    """At random moments of a busy stream, also to a client that lags."""
    relay, origin = relay_for(rig)
    other = neighbour(rig, relay, origin)
    rng = random.Random(how)
    raw = chunked(events(2000, 200), 900, last=False)
    for turn in range(24):
        s = opened(rig, relay, origin, rcvbuf=4096 if turn % 2 else None)
        stop, at = rng.randrange(1, len(raw)), 0
        while at < stop:
            n = s.up.send_some(raw[at : min(stop, at + rng.randrange(1, 5000))])
            at += n
            if turn % 2 == 0:
                s.client.fill(0)
            elif not n:
                break
        s.up.fin() if how == "fin" else s.up.rst()
        s.client.wait_end(5)
        if how == "fin":
            assert_same(s.log, raw[:at], f"turn {turn}")
        else:
            assert_prefix(s.log, raw[:at], f"turn {turn}")
        assert s.log[-5:] != b"0\r\n\r\n"
        end = s.ended()
        assert end["ended_by"] == "upstream" and end["truncated"], end
    fare_well(relay, other, 24)


@pytest.mark.parametrize("lagging", (False, True))
@pytest.mark.parametrize("how", ("fin", "rst"))
def test_a_body_that_only_a_close_ends(rig, how, lagging):
    """FIN is its end; RST is a death, and must be one for the client too."""
    relay, origin = relay_for(rig)
    for turn in range(6):
        text = events(1 + turn * 300, 200)
        s = opened(rig, relay, origin, head=CLOSE_STREAM_HEAD, rcvbuf=4096 if lagging else None)
        if lagging:
            s.carry(text, take=lambda now, come: 3000)
        else:
            s.carry(text, piece=2000)
        if how == "fin":
            s.up.fin()
            assert s.client.wait_end(2) == "fin"
            assert_same(s.log, text)
            end = s.ended()
            assert end["ended_by"] == "complete" and not end["truncated"], end
            assert end["events"] == 1 + turn * 300, end
        else:
            s.up.rst()
            assert s.client.wait_end(2) == "rst", "a FIN would say that all is there"
            assert_prefix(s.log, text)
            assert s.ended()["ended_by"] == "upstream"
    assert relay.admin("totals")["spliced_bytes"] > 0


def test_last_bytes_and_fin_in_one_go(rig):
    """EPOLLRDHUP may be there before the verdict saw the last segment."""
    relay, origin = relay_for(rig)
    for turn in range(60):
        text = events(1 + turn % 9, 300)
        s = opened(rig, relay, origin, head=CLOSE_STREAM_HEAD)
        s.up.send(text)
        s.up.close()
        s.client.wait_end(2)
        assert_same(s.log, text, f"turn {turn}")
        assert s.client.end == "fin"
    assert {(r["ended_by"], r["truncated"]) for r in ends(relay, 60)} == {("complete", False)}


@pytest.mark.parametrize("lagging", (False, True))
def test_event_stream_of_known_length(rig, lagging):
    """Content-Length: exact, kept alive on both sides; what is said beyond it reaches nobody."""
    relay, origin = relay_for(rig)
    client = up = None
    for n in range(4):
        text = events(800 + n, 200)
        s = opened(rig, relay, origin, head=LENGTH_HEAD % len(text), client=client, up=up, rcvbuf=4096)
        client, up = s.client, s.up
        s.carry(text[:1000])
        assert s.record()["spliced_bytes"] == 1000
        s.carry(text[1000:], take=(lambda now, come: 3000) if lagging else None)
        s.body.to_end()
        assert s.body.complete
        end = s.ended()
        assert end["ended_by"] == "complete" and end["events"] == count_events(text), end
    assert len(origin.conns) == 1
    s = opened(rig, relay, origin, head=LENGTH_HEAD % 100_000, client=client, up=up)
    text = events(500, 200)
    s.up.send(text + b"EVIL" * 100)
    s.body.to_end()
    assert_same(bytes(s.body.payload), text[:100_000])
    client.expect_silence(0.05)
    assert s.up.wait_end(1), "an upstream that says too much is not used again"


@pytest.mark.parametrize("how", ("fin", "rst"))
def test_event_stream_of_known_length_dies(rig, how):
    relay, origin = relay_for(rig)
    s = opened(rig, relay, origin, head=LENGTH_HEAD % 100_000)
    s.carry(events(300, 200))
    s.up.fin() if how == "fin" else s.up.rst()
    s.client.wait_end(2)
    assert_same(s.log, events(300, 200))
    end = s.ended()
    assert end["ended_by"] == "upstream" and end["truncated"], end


def test_both_ends_die_together(rig):
    """Whichever the relay hears of first: one end in the log, no slot lost, and the next stream is well."""
    relay, origin = relay_for(rig)
    other = neighbour(rig, relay, origin)
    for turn in range(20):
        s = opened(rig, relay, origin)
        s.write(chunked(events(20, 200), 100, last=False))
        first, second = (s.up, s.client) if turn % 2 else (s.client, s.up)
        first.rst() if turn % 3 else first.close()
        second.rst() if turn % 5 else second.close()
    assert len(ends(relay, 20)) == 20, "every stream ends once"
    fare_well(relay, other, 20)
