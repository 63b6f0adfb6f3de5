"""What a client gets when no upstream answers: 503, reset or retry for event requests, by the route's choice."""

import socket
import time

import pytest
from lib.origin import OK, answer
from lib.sse import Stream
from lib.wire import Ended, event_request, request


def refused_port():
    """An address where nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{s.getsockname()[1]}"


class Silent:
    """A listener whose accept queue is full: connecting to it hangs."""

    def __init__(self):
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(0)
        self.fillers = []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(self.sock.getsockname())
            self.fillers.append(s)
        self.address = f"127.0.0.1:{self.sock.getsockname()[1]}"

    def close(self):
        for s in [self.sock, *self.fillers]:
            s.close()


def test_503_by_default(rig):
    relay = rig.relay(refused_port())
    began = time.monotonic()
    for data in (event_request(), request(), request("POST", body=b"x")):
        head, _ = relay.get(data)
        assert head.status == 503 and int(head.get("retry-after")) >= 1
    assert time.monotonic() - began < 1.0
    record = relay.wait_log(event="end")
    assert record["ended_by"] == "no_upstream" and record["reason"] and record["phase"] == "dial", record


def test_retry_after_is_spread(rig):
    """A crowd that was refused together does not come back together."""
    relay = rig.relay(refused_port())
    assert len({relay.get(request())[0].get("retry-after") for _ in range(40)}) > 1


def test_reset(rig):
    """EventSource comes back after a reset, and never after a status other than 200."""
    relay = rig.relay(refused_port(), route={"errors": "reset"})
    client = rig.connect(relay.addr)
    client.send(event_request())
    assert client.wait_end() == "rst" and not client.log
    assert relay.get(request())[0].status == 503, "requests for other things get a status"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_retry(rig, version):
    """200, an event stream with nothing but `retry:`, and the end."""
    relay = rig.relay(refused_port(), route={"errors": "retry", "retry": "1234ms"})
    client = rig.connect(relay.addr)
    client.send(event_request(version=f"HTTP/{version}"))
    head, payload = client.response()
    assert head.status == 200 and head.get("content-type") == "text/event-stream"
    stream = Stream(payload)
    assert stream.retry == 1234 and not stream.events and not stream.rest
    assert client.wait_end() == "fin"
    assert relay.get(request())[0].status == 503
    assert relay.wait_log(event="end", status=200)["ended_by"] == "no_upstream"


@pytest.mark.parametrize("errors", ["reset", "retry"])
def test_eventsource_client_comes_back(rig, errors):
    """The npm client, over an outage: it reconnects by itself and gets its events."""
    port = int(refused_port().rsplit(":", 1)[1])
    relay = rig.relay(f"127.0.0.1:{port}", route={"errors": errors, "retry": "100ms"})
    client = rig.eventsource(relay.url + "/events")
    client.wait_record("error", timeout=15)
    origin = rig.origin(port=port)
    up = origin.accept(15)
    up.request()
    up.stream_head()
    up.event("here again")
    assert client.wait_record("message", timeout=15)["data"] == "here again"


def test_eventsource_client_gives_up_on_503(rig):
    """Why the mode is the route's choice: after a 503 an EventSource stays closed (state 2)."""
    relay = rig.relay(refused_port())
    client = rig.eventsource(relay.url + "/events")
    assert client.wait_record("error", timeout=15)["state"] == 2
    time.sleep(0.3)
    assert len(relay.log(event="end")) == 1


@pytest.mark.parametrize("errors, outcome", [(503, 503), ("reset", "rst"), ("retry", 200)])
def test_connect_that_hangs(rig, errors, outcome):
    silent = Silent()
    try:
        relay = rig.relay(silent.address, route={"errors": errors, "timeouts": {"connect": "200ms"}})
        client = rig.connect(relay.addr)
        began = time.monotonic()
        client.send(event_request())
        if outcome == "rst":
            assert client.wait_end() == "rst"
        else:
            assert client.final_head().status == outcome
        assert 0.15 < time.monotonic() - began < 1.5
    finally:
        silent.close()


@pytest.mark.parametrize("errors, outcome", [(503, 504), ("reset", "rst"), ("retry", 200)])
def test_head_that_never_comes(rig, errors, outcome):
    """Fault 12: accepted, never answered."""
    origin = rig.origin()
    relay = rig.relay(origin, route={"errors": errors, "timeouts": {"head": "200ms"}})
    client = rig.connect(relay.addr)
    client.send(event_request())
    up = origin.accept()
    up.request()
    began = time.monotonic()
    if outcome == "rst":
        assert client.wait_end() == "rst"
    else:
        assert client.final_head().status == outcome
    assert 0.1 < time.monotonic() - began < 1.5
    up.wait_end(1.0)
    record = relay.wait_log(event="end")
    assert record["ended_by"] == "timeout" and record["phase"] == "read_head", record
    origin.no_connection(0.02)


@pytest.mark.parametrize("errors", ["reset", "retry"])
def test_upstreams_own_errors_pass(rig, errors):
    """A status that the upstream itself gave is its word, not ours."""
    origin = rig.origin(answer(b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops"))
    head, payload = rig.relay(origin, route={"errors": errors}).get(event_request())
    assert head.status == 500 and payload == b"oops"


def test_route_that_streams_counts_as_an_event_request(rig):
    relay = rig.relay(refused_port(), route={"errors": "retry", "stream": "on"})
    assert relay.get(request())[0].status == 200


def test_no_route(rig):
    origin = rig.origin()
    relay = rig.relay(origin, route={"host": "only.example"})
    client = rig.connect(relay.addr)
    for _ in range(2):
        client.send(request())
        assert client.response()[0].status == 404
    origin.no_connection()


def test_next_server_is_tried_for_a_get(rig):
    """Fault 13: one of two is dead: nobody notices, and in time it is not asked any more."""
    origin = rig.origin(answer())
    relay = rig.relay([refused_port(), origin.address], upstream={"balance": "round-robin"})
    for _ in range(20):
        assert relay.get(request())[0].status == 200
    assert relay.admin("totals")["retries"] >= 1
    for _ in range(5):
        assert relay.get(request("POST", body=b"x"))[0].status == 200, "nothing was sent to the dead one yet"


def test_server_that_comes_back_is_used_again(rig):
    port = int(refused_port().rsplit(":", 1)[1])
    relay = rig.relay(f"127.0.0.1:{port}")
    for _ in range(5):
        assert relay.get(request())[0].status == 503
    rig.origin(answer(), port=port)
    stop, status = time.monotonic() + 8, 0
    while status != 200 and time.monotonic() < stop:
        status = relay.get(request())[0].status
        time.sleep(0.05)
    assert status == 200


def test_client_connection_survives_an_error(rig):
    """A GET that got 502 leaves its connection usable, or says close."""
    origin = rig.origin()
    relay = rig.relay(origin)
    client = rig.connect(relay.addr)
    client.send(request())
    up = origin.accept()
    up.request()
    up.send(b"garbage\r\n\r\n")
    head, _ = client.response()
    assert head.status == 502
    if "close" in head.tokens("connection"):
        client.wait_end(1.0)
        return
    client.send(request(target="/2"))
    up = origin.accept()
    up.request()
    up.send(OK)
    try:
        assert client.response()[0].status == 200
    except Ended as e:
        raise AssertionError("closed without saying so") from e
