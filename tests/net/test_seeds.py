"""Each failure mode of the four seed texts, on sluice in front of raw and real origins."""

import time

import pytest
from lib.peers import NGINX_TUNED
from lib.seed_checks import (
    CHECKS,
    PROMPT,
    SeedFailure,
    events_one_by_one,
    head_at_once,
    real_events_are_prompt,
    silence_is_not_cut,
)
from lib.wire import event_request

FAST_IDLE = {"timeouts": {"body_idle": "1s"}}


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_raw_origin(rig, check):
    origin = rig.origin()
    route = dict(FAST_IDLE, heartbeat="400ms" if check.__name__ == "silence_is_filled" else 0)
    relay = rig.relay(origin, route=route)
    check(relay.addr, origin)


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_one_line_proxy(rig, check):
    """`sluice proxy` with its defaults, but for the heartbeat where that is what is looked at."""
    origin = rig.origin()
    args = ["--heartbeat", "1"] if check.__name__ == "silence_is_filled" else []
    check(rig.proxy(origin, *args).addr, origin)


@pytest.mark.parametrize("name", ["node", "express", "uvicorn"])
def test_real_origin(rig, name):
    peer = rig.peer(name)
    real_events_are_prompt(rig.relay(peer).addr)


def test_express_silent_head(rig):
    """Seed 1 to the letter: `res.type("text/event-stream").flushHeaders()` and nothing more."""
    peer = rig.peer("express")
    client = rig.connect(rig.relay(peer).addr)
    client.send(event_request("/"))
    head = client.final_head(PROMPT * 2)
    assert head.status == 200
    assert head.get("content-type") == "text/event-stream; charset=utf-8"
    client.expect_silence(0.1)


@pytest.mark.parametrize("name", ["node", "express", "uvicorn"])
def test_real_origin_told_that_the_client_left(rig, name):
    """Seed 3: `request.signal` aborts, `req.on('close')` fires: within 50 ms (best of 3)."""
    peer = rig.peer(name)
    relay = rig.relay(peer)
    took = []
    for n in range(3):
        client = rig.connect(relay.addr)
        client.send(event_request("/events?n=0"))
        client.final_head()
        peer.wait_record("open", n + 1)
        left = client.close()
        record = peer.wait_record("close", n + 1)
        took.append(int(record["t"]) / 1e9 - left)
    assert min(took) < 0.050, took


def test_eventsource_client_sees_events_at_once(rig):
    peer = rig.peer("node")
    relay = rig.relay(peer)
    client = rig.eventsource(f"{relay.url}/events?n=6&gap=80&end=0", 6)
    client.wait_record("done", timeout=10)
    for record in client.records("message"):
        left = int(record["data"].split('"t":"')[1].split('"')[0])
        assert (int(record["t"]) - left) / 1e9 < PROMPT, record
    opened = int(client.records("open")[0]["t"])
    assert opened < int(client.records("message")[0]["t"]), "open is told before the first event"


def test_nginx_in_front_does_not_buffer(rig):
    """Seed 3's fix, made by the relay: nginx with its defaults streams because sluice says X-Accel-Buffering: no."""
    origin = rig.origin()
    relay = rig.relay(origin)
    nginx = rig.nginx(relay_as_origin(relay))
    head_at_once(nginx.addr, origin)
    events_one_by_one(nginx.addr, origin)


def test_heartbeat_keeps_a_hasty_nginx_in_front_alive(rig):
    """Seed 4: a proxy in front that cuts after 1 s of silence (for 60 s) never sees that much, from the first byte on:
    before it no comment may stand, a byte order mark might come."""
    origin = rig.origin()
    relay = rig.relay(origin, route={"heartbeat": "300ms"})
    nginx = rig.nginx(relay_as_origin(relay), location=NGINX_TUNED + " proxy_read_timeout 1s;")
    silence_is_not_cut(nginx.addr, origin, b"data: first\n\n")


def test_without_heartbeat_the_hasty_nginx_cuts(rig):
    """The test above means something: without the heartbeat the same chain breaks."""
    origin = rig.origin()
    relay = rig.relay(origin, route={"heartbeat": 0})
    nginx = rig.nginx(relay_as_origin(relay), location=NGINX_TUNED + " proxy_read_timeout 1s;")
    with pytest.raises(SeedFailure) as failure:
        silence_is_not_cut(nginx.addr, origin, b"data: first\n\n")
    assert failure.value.reason == "cut while silent"


def relay_as_origin(relay):
    """What nginx is told to pass to."""
    return type("Target", (), {"url": relay.url})


def test_latency_of_an_event_through_the_relay(rig):
    """Median of 200 events, origin's send to client's recv, on an idle relay: a few hundred microseconds in truth."""
    origin = rig.origin()
    client, body, up = rig.stream(rig.relay(origin), origin)
    took = []
    for i in range(200):
        began = time.monotonic()
        sent = up.event("x" * 150, id=i)
        body.until(len(body.payload) + len(sent))
        took.append(client.last_time - began)
    assert sorted(took)[100] < 0.010, f"median {sorted(took)[100] * 1e6:.0f} us"
