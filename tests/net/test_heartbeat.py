"""Heartbeats: in silence only, at safe places only, invisible to an EventSource, and never in anybody's way."""

import time

import pytest
from lib.origin import CLOSE_STREAM_HEAD, STREAM_HEAD
from lib.sse import Stream
from lib.wire import chunk, event_request, request

BEAT = 0.15
ROUTE = {"heartbeat": "150ms"}
FULL = b": heartbeat\n\n"
SHORT = b":\n"


def opened(rig, route=None, data=None):
    origin = rig.origin()
    relay = rig.relay(origin, route={**ROUTE, **(route or {})})
    client, body, up = rig.stream(relay, origin, data or event_request())
    return relay, client, body, up


def test_at_an_event_boundary(rig):
    relay, client, body, up = opened(rig)
    sent = up.event("first", id=1)
    body.until(sent)
    began = time.monotonic()
    assert body.until(sent + FULL).startswith(sent + FULL)
    assert time.monotonic() - began > BEAT * 0.6
    body.until(sent + FULL * 3)
    more = up.event("second", id=2)
    body.until(more)
    up.finish()
    payload = body.to_end()
    assert body.complete
    assert payload.replace(FULL, b"") == sent + more
    assert [e.data for e in Stream(payload).events] == [b"first", b"second"]
    assert relay.wait_log(event="end")["heartbeats"] == payload.count(FULL)


def test_it_is_a_whole_chunk(rig):
    relay, client, body, up = opened(rig)
    sent = up.event("x")
    body.until(sent + FULL)
    assert body.chunks[0] == len(sent) and set(body.chunks[1:]) == {len(FULL)}


def test_line_start_inside_an_event_gets_an_empty_comment(rig):
    """A blank line would dispatch the half event."""
    _, client, body, up = opened(rig)
    up.part(b"data: one\n")
    assert body.until(b"data: one\n" + SHORT).startswith(b"data: one\n" + SHORT)
    up.part(b"data: two\n\n")
    up.finish()
    events = Stream(body.to_end()).events
    assert [e.data for e in events] == [b"one\ntwo"]


@pytest.mark.parametrize(
    "data",
    [b"data: half a li", b"d", b":", b": half a comment", b"data: x\r", b"data: x\n\r", b"\xef", b"\xef\xbb", b""],
    ids=["in a line", "in a name", "colon", "in a comment", "CR", "CR of a blank line", "BOM 1", "BOM 2", "nothing yet"],
)
def test_places_where_none_may_be(rig, data):
    """Inside a line, behind a lone CR, before or inside a possible BOM: silence is all there is."""
    _, client, body, up = opened(rig)
    if data:
        up.part(data)
        body.until(data)
    client.expect_silence(BEAT * 3.5)
    rest = {b"\xef": b"\xbb\xbfdata: y\n\n", b"\xef\xbb": b"\xbfdata: y\n\n", b"": b"\xef\xbb\xbfdata: y\n\n"}
    up.part(rest.get(data, b"\nz: w\n\ndata: y\n\n"))
    body.until(FULL)
    assert Stream(body.payload).events[-1].data == b"y"


def test_not_before_the_head(rig):
    origin = rig.origin()
    client = rig.connect(rig.relay(origin, route=ROUTE).addr)
    client.send(event_request())
    up = origin.accept()
    up.request()
    client.expect_silence(BEAT * 3)
    up.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-str")
    client.expect_silence(BEAT * 3)


@pytest.mark.parametrize(
    "half",
    [b"20\r\ndata: x\n\n", b"2", b"20", b"20\r", b"20;a=b\r\n", b"9\r\ndata: x\n\n", b"9\r\ndata: x\n\n\r"],
)
def test_not_inside_a_chunk(rig, half):
    """The upstream stands in the middle of a chunk or of its framing: a chunk of our own would break the body."""
    _, client, body, up = opened(rig)
    sent = up.event("whole")
    body.until(sent)
    up.send(half)
    time.sleep(0.03)
    client.fill(0.03)
    client.expect_silence(BEAT * 3)


def test_the_body_is_whole_when_the_chunk_goes_on(rig):
    _, client, body, up = opened(rig)
    data = b"data: 0123456789\n\n"
    raw = chunk(data)
    for i, cut in enumerate((3, 4, 10, len(raw) - 2, len(raw) - 1)):
        up.send(raw[:cut])
        time.sleep(BEAT * 1.6)
        up.send(raw[cut:])
        body.until(length_with_beats(body, data, i + 1))
    up.finish()
    payload = body.to_end()
    assert body.complete and payload.replace(FULL, b"") == data * 5


def length_with_beats(body, data, n):
    """Payload length that holds n copies, with the heartbeats that there are."""
    return len(data) * n + bytes(body.payload).count(FULL) * len(FULL)


def test_none_while_events_flow(rig):
    """Silence counts from the last byte written to the client. A gap that the machine made may have its heartbeat."""
    _, client, body, up = opened(rig, {"heartbeat": "500ms"})
    beat, gaps, last, events = 0.5, 0, 0.0, b""
    for i in range(15):
        events += up.event(i)
        body.until(events[-10:])
        now = time.monotonic()
        gaps += last and now - last > beat * 0.8
        last = now
        time.sleep(beat / 5)
    assert bytes(body.payload).count(FULL) <= gaps < 5 and bytes(body.payload).replace(FULL, b"") == events


def test_every_interval_of_silence_has_one(rig):
    _, client, body, up = opened(rig)
    sent = up.event("x")
    body.until(sent)
    began = time.monotonic()
    while time.monotonic() - began < BEAT * 7:
        body.pump(BEAT)
    n, most = bytes(body.payload).count(FULL), (time.monotonic() - began) / BEAT + 1
    assert 4 <= n <= most, n


def test_off(rig):
    _, client, body, up = opened(rig, {"heartbeat": "off"})
    body.until(up.event("x"))
    client.expect_silence(0.5)


def test_not_on_other_responses(rig):
    origin = rig.origin()
    client = rig.connect(rig.relay(origin, route=ROUTE).addr)
    client.send(request())
    up = origin.accept()
    up.request()
    up.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n"
        + chunk(b"x\n\n")
    )
    body = client.response_body(client.final_head())
    body.until(b"x\n\n")
    client.expect_silence(BEAT * 3)


def test_not_in_a_compressed_stream(rig):
    """Its bytes are not lines."""
    origin = rig.origin()
    client = rig.connect(rig.relay(origin, route=ROUTE).addr)
    client.send(event_request())
    up = origin.accept()
    up.request()
    up.stream_head(b"Content-Encoding: gzip\r\n")
    up.part(b"\x1f\x8b\n\n")
    body = client.response_body(client.final_head())
    body.until(b"\x1f\x8b\n\n")
    client.expect_silence(BEAT * 3)


def test_not_in_a_body_of_known_length(rig):
    origin = rig.origin()
    client = rig.connect(rig.relay(origin, route=ROUTE).addr)
    client.send(event_request())
    up = origin.accept()
    up.request()
    up.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 18\r\n\r\ndata: x\n\n")
    body = client.response_body(client.final_head())
    body.until(b"data: x\n\n")
    client.expect_silence(BEAT * 3)
    up.send(b"data: y\n\n")
    assert body.to_end() == b"data: x\n\ndata: y\n\n"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_close_delimited(rig, version):
    origin = rig.origin()
    client = rig.connect(rig.relay(origin, route=ROUTE).addr)
    client.send(event_request(version=f"HTTP/{version}"))
    up = origin.accept()
    up.request()
    up.send(CLOSE_STREAM_HEAD + b"data: x\n\n")
    body = client.response_body(client.final_head())
    body.until(b"data: x\n\n" + FULL)
    up.send(b"data: y\n")
    body.until(b"data: y\n" + SHORT)
    up.send(b"\n")
    up.close()
    assert [e.data for e in Stream(body.to_end()).events] == [b"x", b"y"]


def test_crlf_lines(rig):
    """The comment's own LF ends a line as well as any."""
    _, client, body, up = opened(rig)
    up.part(b"data: x\r\n\r\n")
    body.until(FULL)
    up.part(b"data: y\r\n")
    body.until(SHORT)
    up.part(b"\r\n")
    up.finish()
    assert [e.data for e in Stream(body.to_end()).events] == [b"x", b"y"]


def test_split_crlf_is_not_taken_for_two_lines(rig):
    """CR now, LF after the silence: one line end, and the event that follows is whole."""
    _, client, body, up = opened(rig)
    for part in (b"data: a\r", b"\ndata: b\r\n\r", b"\ndata: c\r\n\r\n"):
        up.part(part)
        time.sleep(BEAT * 1.5)
    up.finish()
    assert [e.data for e in Stream(body.to_end()).events] == [b"a\nb", b"c"]


def test_eventsource_client_sees_none_of_it(rig):
    origin = rig.origin()
    relay = rig.relay(origin, route=ROUTE)
    client = rig.eventsource(relay.url + "/events")
    up = origin.accept(10)
    up.request()
    up.send(STREAM_HEAD)
    for i in range(3):
        up.event(f"n{i}", id=i)
        time.sleep(BEAT * 2.5)
    client.wait_record("message", 3)
    assert [(r["data"], r["id"]) for r in client.records("message")] == [("n0", "0"), ("n1", "1"), ("n2", "2")]
    assert not client.records("error")
