"""The framing cut anywhere: each byte of chunk heads, data, line ends and the body's end may be a segment's first."""

import os
import signal
import time

import pytest
from lib.wire import chunk, event_request

from kit.body import assert_same, chunked, count_events
from kit.stream import Carried, opened, start

TEXTS = {
    "LF": b"id: 1\ndata: first\ndata: and more\n\n: comment\n\nevent: e\ndata\n\n",
    "CRLF": b"id: 1\r\ndata: first\r\ndata: and more\r\n\r\n: comment\r\n\r\nevent: e\r\ndata\r\n\r\n",
    "CR": b"id: 1\rdata: first\rdata: and more\r\r: comment\r\revent: e\rdata\r\r",
    "mixed": b"id: 1\rdata: first\r\ndata: and more\n\r\n: comment\r\n\revent: e\ndata\r\n\r\n",
    "no data": b"id: 1\nevent: e\n\n:x\n\ndat: a\n\ndatas: b\n\n\n\n",
}


def relay_for(rig):
    origin = rig.origin()
    return start(rig, origin, route={"heartbeat": "off"}), origin


@pytest.mark.parametrize("size", (1, 7, 16, 1000), ids=lambda n: f"chunks of {n}")
@pytest.mark.parametrize("name", TEXTS)
def test_two_segments_cut_at_every_offset(rig, name, size):
    """Each offset of head, data and CRLF of each chunk in turn; the second half follows when the first has come."""
    relay, origin = relay_for(rig)
    s = opened(rig, relay, origin)
    text = TEXTS[name]
    raw = chunked(text, size, last=False)
    for cut in range(1, len(raw)):
        s.write(raw[:cut])
        s.arrive()
        s.write(raw[cut:])
        s.arrive()
    live = s.record()
    assert live["events"] == count_events(text) * (len(raw) - 1), live
    assert live["chunks"] == -(-len(text) // size) * (len(raw) - 1), live
    assert live["spliced_bytes"] == len(s.sent), f"all of it by the kernel: {live}"
    end = s.finish()
    assert end["lane"] == "splice" and end["events"] == live["events"], end
    assert_same(bytes(s.body.payload), text * (len(raw) - 1))


@pytest.mark.parametrize("name", TEXTS)
def test_one_byte_a_segment(rig, name):
    relay, origin = relay_for(rig)
    s = opened(rig, relay, origin)
    text = TEXTS[name]
    for byte in chunked(text, 16, last=False):
        s.write(bytes((byte,)))
        s.arrive()
    live = s.record()
    assert live["events"] == count_events(text) and live["spliced_bytes"] == len(s.sent), live
    for byte in b"0\r\n\r\n":
        s.write(bytes((byte,)))
        s.arrive()
    s.body.to_end(3)
    assert s.body.complete
    assert_same(bytes(s.body.payload), text)
    assert s.ended()["events"] == count_events(text)


@pytest.mark.parametrize("cut", range(1, 5))
def test_the_end_cut_at_every_offset(rig, cut):
    """`0 CR LF CR LF` in two segments: the end is known, and both connections go on."""
    relay, origin = relay_for(rig)
    s = opened(rig, relay, origin)
    for n in range(3):
        if n:
            s = opened(rig, relay, origin, client=s.client, up=s.up)
        s.write(chunk(b"data: %d\n\n" % n))
        s.arrive()
        s.write(b"0\r\n\r\n"[:cut])
        s.arrive()
        end = s.finish(b"0\r\n\r\n"[cut:])
        assert end["ended_by"] == "complete" and end["events"] == 1 and not end["truncated"], end
    assert len(origin.conns) == 1


def test_the_end_in_one_segment_with_the_last_event(rig):
    relay, origin = relay_for(rig)
    s = opened(rig, relay, origin)
    for n in range(20):
        if n:
            s = opened(rig, relay, origin, client=s.client, up=s.up)
        end = s.finish(chunk(b"data: %d\n\n" % n) + b"0\r\n\r\n")
        assert end["lane"] == "splice" and end["events"] == 1, end
    assert len(origin.conns) == 1


def test_a_zero_chunk_in_the_data_is_no_end(rig):
    """The payload itself reads `0 CR LF CR LF`, at a segment's end too."""
    relay, origin = relay_for(rig)
    s = opened(rig, relay, origin)
    for text in (b"0\r\n\r\n", b"data: 0\r\n\r\n0\r\n\r\n", b"\r\n0\r\n\r\n"):
        raw = chunk(text)
        s.write(raw[:-2])
        s.arrive()
        s.client.expect_silence(0.02)
        s.write(raw[-2:])
        s.arrive()
    assert s.record()["lane"] == "splice"
    assert s.finish()["ended_by"] == "complete"


@pytest.mark.parametrize("size", (b"0000a", b"A", b"a;x=y", b'a;x="y;z"', b"a;x", b"00000000000000a"))
def test_size_lines_of_all_kinds(rig, size):
    """Leading zeros and letters are the kernel's; extensions are a look of userspace's, and the stream goes back after it."""
    relay, origin = relay_for(rig)
    s = opened(rig, relay, origin)
    text = b"data: xyz\n"
    for _ in range(6):
        s.write(size + b"\r\n" + text + b"\r\n")
        s.arrive()
        s.write(chunk(b"\n"))
        s.arrive()
        s.on("splice")
    live = s.record()
    assert live["events"] == 6 and live["chunks"] == 12, live
    assert live["flips"] >= (6 if b";" in size else 1), live
    if b";" in size:
        s.write(size[:2])
        live = s.on("copy")
        assert live["lane_reason"] == "framing" and live["spills"] == 0, live
        s.write(size[2:] + b"\r\n" + text + b"\r\n" + chunk(b"\n"))
        s.arrive()
        s.on("splice")
    assert s.finish()["events"] == live["events"] + (b";" in size)


@pytest.mark.parametrize("last", (b"0\r\nX-Sum: 1\r\n\r\n", b"0\r\nX-A: 1\r\nX-B: two\r\n\r\n", b"000\r\n\r\n", b"0;x=y\r\n\r\n"))
def test_trailers_and_odd_ends(rig, last):
    relay, origin = relay_for(rig)
    s = opened(rig, relay, origin)
    for n in range(3):
        if n:
            s = opened(rig, relay, origin, client=s.client, up=s.up)
        s.write(chunk(b"data: %d\n\n" % n))
        s.arrive()
        end = s.finish(last)
        assert end["ended_by"] == "complete" and end["events"] == 1, end
    assert len(origin.conns) == 1, "both connections live on"


@pytest.mark.parametrize(
    "bad",
    [b"xyz\r\n", b"5\ndata", b"3\r\nabcd\r\n", b"-1\r\n", b"5\r\nabcdeX\r\n", b"ffffffffffffffffff\r\n", b"\r\n", b"0x5\r\n", b"0\r\nX Y\r\n\r\n", b"0\r\n\n\n", b"0\r\n\rX"],
)
def test_bad_framing_is_never_passed_on_as_whole(rig, bad):
    """An upstream that breaks its framing in mid-stream: the client is cut off, and must see that."""
    relay, origin = relay_for(rig)
    s = opened(rig, relay, origin)
    s.write(chunk(b"data: good\n\n"))
    s.arrive()
    good = bytes(s.sent)
    s.write(bad)
    s.client.wait_end()
    assert s.log[: len(good)] == good and not s.body.complete
    end = s.ended()
    assert end["ended_by"] == "bad_response" and end["truncated"], end
    assert s.up.wait_end() in ("fin", "rst")


@pytest.mark.parametrize("apart", ("in one segment", "in a second one", "in a second one before the relay looks"))
@pytest.mark.parametrize("extra", (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL", b"x", b"0\r\n\r\n"))
def test_bytes_behind_the_end_reach_nobody(rig, extra, apart):
    """What an upstream says behind the end of a body is not the next client's answer."""
    relay, origin = relay_for(rig)
    s = opened(rig, relay, origin)
    s.write(chunk(b"data: 1\n\n"))
    s.arrive()
    if apart == "in one segment":
        s.up.send(b"0\r\n\r\n" + extra)
    elif apart == "in a second one":
        s.up.send(b"0\r\n\r\n")
        s.up.send(extra)
    else:
        (worker,) = relay.workers()
        os.kill(worker, signal.SIGSTOP)
        s.up.send(b"0\r\n\r\n")
        assert s.client.fill(2), "the end goes by the kernel"
        s.up.send(extra)
        time.sleep(0.01)
        os.kill(worker, signal.SIGCONT)
    s.sent += b"0\r\n\r\n"
    s.body.to_end()
    assert s.body.complete
    s.client.expect_silence(0.05)
    assert_same(s.log, bytes(s.sent))
    assert s.ended()["ended_by"] == "complete"
    s.client.send(event_request("/next"))
    up = origin.accept()
    assert up is not s.up and up.request().target == b"/next", "that connection is not used again"
    up.stream_head()
    n = Carried(relay, s.client, up, s.client.final_head())
    n.on("splice")
    n.write(chunk(b"data: 2\n\n"))
    n.arrive()
    n.finish()
