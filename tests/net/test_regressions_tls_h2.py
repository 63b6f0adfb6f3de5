"""What a review of TLS and HTTP/2 found, one test each: ends that lied, and streams that nothing would ever have ended."""

import threading
import time

import pytest

from lib.h2 import CANCEL, INITIAL_WINDOW_SIZE, h2_connect, h2_relay
from lib.wire import event_request, request

UPGRADE = (("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "x"), ("Sec-WebSocket-Version", "13"))
CLOSE_HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def closes(reply):
    """An origin's handler: answers one request, and closes."""

    def handler(conn):
        conn.send(reply(conn.request()), 30)
        conn.fin()

    return handler


@pytest.fixture(scope="module")
def ca(shared):
    return shared.authority()


def listener(ca):
    return {"tls": {"certificates": [ca.issue("example.org", "127.0.0.1").entry()]}}


def test_a_whole_body_ends_with_close_notify_however_full_the_socket_is(rig, ca):
    """The alert found the socket full, and was lost: to the client a whole body looked cut off."""
    origin = rig.origin(closes(lambda head: CLOSE_HEAD + b"x" * int(head.target[1:])))
    relay = rig.relay(origin, listener=listener(ca), tls={"handshake_rate": "unlimited"})
    clients = {}
    for size in range(300_000, 302_100, 12):
        clients[size] = rig.connect(relay.addr, tls=ca.client(), rcvbuf=4096)
        clients[size].send(request(target=f"/{size}"))
    time.sleep(0.3)  # all that the socket takes is in it
    for size, client in clients.items():
        assert client.wait_end() == "fin", f"{size} bytes: {client.end}"
        assert client.response_body(client.final_head()).to_end() == b"x" * size
    relay.wait_log(len(clients), event="end")


@pytest.mark.parametrize("how", ["rst", "cut"])
def test_a_tunnel_that_is_cut_off_is_no_end_for_a_tls_upstream(rig, ca, how):
    """close_notify went in front of the reset: what was read in between looked like all that the client had to say."""
    origin = rig.origin(tls=ca.server(ca.issue("127.0.0.1")))
    relay = rig.relay(origin, listener=listener(ca), route={"upgrade": True}, upstream={"tls": {"ca": ca.file}})
    client = rig.connect(relay.addr, tls=ca.client())
    client.send(request(fields=UPGRADE))
    up = origin.accept()
    up.head()
    up.send(SWITCHED)
    assert client.head().status == 101
    client.send(b"half a fra")
    up.expect(b"half a fra")
    getattr(client, how)()
    assert up.wait_end() in ("rst", "cut")


def test_many_interim_heads_hold_up_no_answer(rig):
    """16 KiB of them filled what waits for the session, and only a body's frames would have told that it was empty again."""
    origin = rig.origin()
    client = h2_connect(rig, h2_relay(rig, origin, False))
    stream = client.request()
    up = origin.accept()
    up.request()
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: <" + b"a" * 1200 + b">; rel=preload\r\n\r\n"
    up.send(hint * 20 + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert stream.until(b"ok", timeout=3) == b"ok"
    assert stream.over() is None and len(stream.heads) == 21


def test_a_window_that_never_opens_is_not_waited_for_for_ever(rig):
    """The answer was whole and the stream over: what its client did not take was kept as long as the connection lived."""
    origin = rig.origin()
    relay = h2_relay(rig, origin, False, route={"timeouts": {"stall": "500ms"}})
    client = h2_connect(rig, relay, settings=((INITIAL_WINDOW_SIZE, 100),))
    slow, gone = client.request(), client.request()
    for _ in range(2):
        up = origin.accept()
        up.request()
        up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000)
    relay.wait_log(2, event="end")
    for _ in range(9):
        time.sleep(0.2)
        client.window(slow, 100)
        client.pump()
    assert slow.over() is None and len(slow.body) == 1000
    assert gone.over() == CANCEL and len(gone.body) == 100


def test_a_client_that_takes_little_by_little_has_not_stalled(rig):
    """What its window let through of bytes that the stream had given away already was no sign of life."""
    origin = rig.origin()
    relay = h2_relay(rig, origin, False, route={"timeouts": {"stall": "500ms"}})
    client = h2_connect(rig, relay, settings=((INITIAL_WINDOW_SIZE, 100),))
    stream = client.events()
    up = origin.accept()
    up.request()
    up.stream_head()
    up.event(b"x" * 1500)
    while len(stream.body) < 1500:
        time.sleep(0.1)
        client.window(stream, 100)
        client.pump()
        assert stream.reset is None, len(stream.body)
