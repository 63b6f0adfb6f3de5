"""Which lane a stream takes, and the reason that the record gives when it is not the kernel's; and every mix of addresses."""

import pytest
from lib.origin import OK, STREAM_HEAD
from lib.proc import wait_for
from lib.wire import chunk, event_request, request

from kit.body import chunked, events
from kit.stream import Carried, opened, start


def record_of(relay):
    return wait_for(lambda: relay.admin("streams"), why="a stream")[0]


def lane_of(relay, lane, reason):
    """Waits for it; the last record must agree."""
    wait_for(lambda: (record_of(relay)["lane"], record_of(relay)["lane_reason"]) == (lane, reason), why=f"{lane} ({reason}), not {record_of(relay)}")


def copied(rig, relay, origin, reason, data=None, head=STREAM_HEAD, raw=chunk(b"data: x\n\n"), addr=None):
    client = rig.connect(addr or relay.addr)
    client.send(data or event_request())
    up = origin.accept()
    up.request()
    up.send(head)
    client.final_head()
    lane_of(relay, "copy", reason)
    up.send(raw)
    client.until(b"data: x\n\n" if b"data" in raw else raw[-3:])
    lane_of(relay, "copy", reason)
    client.close()
    end = relay.wait_log(event="end")
    assert (end["lane"], end["lane_reason"]) == ("copy", reason), end
    assert relay.admin("totals")["spliced_bytes"] == 0


def test_asked_for_copy(rig):
    origin = rig.origin()
    copied(rig, start(rig, origin, lane="copy"), origin, "copy asked for")


def test_asked_for_copy_by_the_route(rig):
    origin = rig.origin()
    copied(rig, start(rig, origin, route={"lane": "copy"}), origin, "copy asked for")


def test_unix_socket_listener(rig):
    origin = rig.origin()
    path = rig.path("front.sock")
    relay = start(rig, origin, listener={"listen": "unix:" + path})
    copied(rig, relay, origin, "unix socket", addr=path)


def test_unix_socket_upstream(rig):
    origin = rig.origin(path=rig.path("app.sock"))
    copied(rig, start(rig, origin), origin, "unix socket")


def test_http10_client_of_a_chunked_stream(rig):
    origin = rig.origin()
    relay = start(rig, origin)
    copied(rig, relay, origin, "transform", data=event_request(version="HTTP/1.0"))


def test_not_an_event_stream(rig):
    origin = rig.origin()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
    copied(rig, start(rig, origin), origin, "not an event stream", data=request(), head=head, raw=chunk(b"<p>"))


def test_http10_client_of_a_stream_until_the_close(rig):
    """Nothing is changed on the way: the kernel carries it."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off"})
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    s = opened(rig, relay, origin, data=event_request(version="HTTP/1.0"), head=head)
    s.carry(events(30, 100), piece=700)
    s.up.fin()
    assert s.client.wait_end() == "fin"
    end = s.ended()
    assert (end["lane"], end["events"], end["ended_by"]) == ("splice", 30, "complete"), end


def test_a_stream_that_says_so_without_being_of_events(rig):
    """X-Accel-Buffering: no."""
    origin = rig.origin()
    relay = start(rig, origin)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n"
    s = opened(rig, relay, origin, data=request(), head=head)
    s.write(chunked(b'{"a": 1}\n' * 50, 100, last=False))
    s.arrive()
    end = s.finish()
    assert end["lane"] == "splice" and end["events"] == 0, end


def test_a_compressed_stream_is_carried_uncounted(rig):
    origin = rig.origin()
    relay = start(rig, origin)
    s = opened(rig, relay, origin, head=STREAM_HEAD[:-2] + b"Content-Encoding: gzip\r\n\r\n")
    s.write(chunk(b"\x1f\x8b\n\n\n\n"))
    s.arrive()
    end = s.finish()
    assert end["lane"] == "splice" and end["events"] == 0, end


def test_auto_is_the_same_as_splice_where_it_can_be(rig):
    origin = rig.origin()
    relay = start(rig, origin, lane="auto")
    s = opened(rig, relay, origin)
    assert s.finish(chunk(b"data: x\n\n") + b"0\r\n\r\n")["lane"] == "splice"


def test_head_request_and_empty_answers_need_no_lane(rig):
    origin = rig.origin()
    relay = start(rig, origin)
    client = rig.connect(relay.addr)
    for method, head in (("HEAD", STREAM_HEAD), ("GET", b"HTTP/1.1 204 No Content\r\nContent-Type: text/event-stream\r\n\r\n")):
        client.send(event_request(method=method))
        if not origin.conns:
            origin.accept()
        up = origin.conns[0]
        up.request()
        up.send(head)
        got = client.final_head()
        assert got.status in (200, 204)
        client.expect_silence(0.03)
    client.send(request())
    up.request()
    up.send(OK)
    assert client.response()[1] == b"ok"


@pytest.mark.parametrize("behind", ("in one segment", "in pieces"))
def test_a_whole_short_answer_at_once(rig, behind):
    """The body ends before anybody could hand it over; and the next one on the same connections is spliced."""
    origin = rig.origin()
    relay = start(rig, origin, route={"heartbeat": "off"})
    client = rig.connect(relay.addr)
    up = None
    raw = STREAM_HEAD + chunk(b"data: x\n\n") + b"0\r\n\r\n"
    for _ in range(20):
        client.send(event_request())
        up = up or origin.accept()
        up.request()
        if behind == "in pieces":
            for at in range(0, len(raw), 11):
                up.send(raw[at : at + 11])
        else:
            up.send(raw)
        head, payload = client.response()
        assert payload == b"data: x\n\n"
    s = opened(rig, relay, origin, client=client, up=up)
    s.finish(chunk(b"data: x\n\n") + b"0\r\n\r\n")
    assert len(origin.conns) == 1


@pytest.mark.parametrize("upstream", ("127.0.0.1", "::1"))
@pytest.mark.parametrize("listen", ("127.0.0.1:0", "[::1]:0", "[::]:0"))
def test_every_mix_of_ipv4_and_ipv6(rig, listen, upstream):
    """[::] is asked over both families: a mapped IPv4 client is one of them."""
    origin = rig.origin(host=upstream)
    relay = start(rig, origin, route={"heartbeat": "off"}, upstream={"keepalive": "off"}, listener={"listen": listen})
    port = relay.addr[1]
    hosts = {"127.0.0.1:0": ["127.0.0.1"], "[::1]:0": ["::1"], "[::]:0": ["127.0.0.1", "::1"]}[listen]
    for host in hosts:
        client = rig.connect((host, port), rcvbuf=4096)
        client.send(event_request())
        up = origin.accept()
        up.request()
        up.stream_head()
        s = Carried(relay, client, up, client.final_head())
        s.on("splice")
        s.write(chunked(events(20, 100), 90, last=False))
        s.arrive()
        assert s.record()["spliced_events"] == 20
        s.carry(chunked(events(2000, 200), 900, last=False), take=lambda now, come: 9000)
        s.on("splice")
        end = s.finish()
        assert end["lane"] == "splice" and end["events"] == 2020 and end["spills"] > 0, end
