"""Upstreams by name: resolved without blocking, again when the TTL has passed, and never worse than the last good answer."""

import time

import pytest
from lib.dns import NXDOMAIN, SERVFAIL, DnsServer
from lib.origin import Origin, answer
from lib.proc import wait_for
from lib.wire import event_request, request


def say(text):
    return answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))


@pytest.fixture
def place(rig):
    """Two origins on the same port of two loopback addresses, and a DNS server that names one of them."""
    first = rig._keep(Origin(say(b"first"), host="127.0.0.2"))
    second = rig._keep(Origin(say(b"second"), host="127.0.0.3", port=first.port))
    dns = rig._keep(DnsServer({"app.test.example": ["127.0.0.2"]}))
    return first, second, dns


def relay_to(rig, place, name="app.test.example", **kw):
    first, _, dns = place
    return rig.relay(f"{name}:{first.port}", resolver=dns.address, **kw)


def who(relay):
    head, payload = relay.get(request())
    return payload.decode() if head.status == 200 else head.status


def test_localhost(rig):
    origin = rig.origin(say(b"here"))
    assert who(rig.relay(f"localhost:{origin.port}")) == "here"


def test_first_request_waits_for_the_name(rig, place):
    place[2].delay = 0.3
    relay = relay_to(rig, place)
    began = time.monotonic()
    assert who(relay) == "first"
    assert time.monotonic() - began < 2.0


def test_name_is_resolved_again_when_its_ttl_has_passed(rig, place):
    """And streams that run on the old address are not touched."""
    first, second, dns = place
    relay = relay_to(rig, place)
    assert who(relay) == "first"
    dns.zone["app.test.example"] = ["127.0.0.3"]
    wait_for(lambda: who(relay) == "second", 4, 0.05, "the new address")
    for _ in range(5):
        assert who(relay) == "second"


def test_streams_outlive_their_address(rig, place):
    old = rig.origin(host="127.0.0.4", port=0)
    dns = place[2]
    dns.zone["stream.test.example"] = ["127.0.0.4"]
    relay = relay_to(rig, (old, None, dns), "stream.test.example")
    client, body, up = rig.stream(relay, old)
    body.until(up.event("before"))
    dns.zone["stream.test.example"] = ["127.0.0.5"]
    queries = len(dns.queries)
    wait_for(lambda: len(dns.queries) > queries + 1, 4, 0.05, "another lookup")
    time.sleep(0.1)
    body.until(up.event("after"))
    assert not client.end


def test_ttl_of_zero_does_not_make_a_flood(rig, place):
    dns = place[2]
    dns.ttl = 0
    relay = relay_to(rig, place)
    for _ in range(50):
        who(relay)
    assert len(dns.queries) <= 8


def test_requests_do_not_ask_again(rig, place):
    dns = place[2]
    dns.ttl = 60
    relay = relay_to(rig, place)
    for _ in range(30):
        assert who(relay) == "first"
    assert len(dns.queries) <= 4


@pytest.mark.parametrize("fault", ["SERVFAIL", "NXDOMAIN", "silent"])
def test_last_good_answer_is_kept(rig, place, fault):
    first, _, dns = place
    relay = relay_to(rig, place)
    assert who(relay) == "first"
    asked = len(dns.queries)
    if fault == "silent":
        dns.silent = True
    else:
        dns.rcode = {"SERVFAIL": SERVFAIL, "NXDOMAIN": NXDOMAIN}[fault]
    wait_for(lambda: len(dns.queries) >= asked + 2, 5, 0.05, "a failing lookup")
    time.sleep(0.2)
    assert who(relay) == "first"


def test_name_that_does_not_exist(rig, place):
    """503 fast; the relay starts all the same, and heals when the name appears."""
    first, _, dns = place
    relay = relay_to(rig, place, "late.test.example")
    began = time.monotonic()
    assert who(relay) == 503
    assert time.monotonic() - began < 3
    dns.zone["late.test.example"] = ["127.0.0.2"]
    wait_for(lambda: who(relay) == "first", 8, 0.1, "the name that came late")


def test_dead_resolver_delays_nobody_else(rig, place):
    """One upstream's name hangs; requests to another flow, and the hanging ones get 503 in the connect time."""
    dns = place[2]
    dns.silent = True
    origin = rig.origin(say(b"alive"))
    route = {"path": "/named", "timeouts": {"connect": "2s"}}
    conf = rig.config(f"app.test.example:{place[0].port}", route=route, resolver=dns.address)
    conf["upstreams"].append({"name": "other", "servers": [{"address": origin.address}]})
    conf["routes"].append({"name": "other", "upstream": "other"})
    relay = rig.run(conf)
    hanging = rig.connect(relay.addr)
    hanging.send(event_request("/named"))
    began, worst = time.monotonic(), 0.0
    while time.monotonic() - began < 0.4:
        left = time.monotonic()
        assert who(relay) == "alive"
        worst = max(worst, time.monotonic() - left)
    assert worst < 1, "not by the time that a name may take"
    assert hanging.final_head().status == 503


def test_several_addresses(rig, place):
    """One of a name's addresses is dead: the other one serves."""
    dns = place[2]
    dns.zone["app.test.example"] = ["127.0.0.99", "127.0.0.2"]
    relay = relay_to(rig, place)
    for _ in range(6):
        assert who(relay) == "first"


def test_thousand_addresses(rig, place):
    """Fault 32: as many as fit are used; nothing breaks."""
    dns = place[2]
    dns.zone["app.test.example"] = ["127.0.0.2"] * 1000
    assert who(relay_to(rig, place)) == "first"


def test_forged_answers_are_ignored(rig, place):
    """Replies with the wrong id come first, fifty of them."""
    evil = rig._keep(Origin(say(b"evil"), host="127.0.0.66", port=place[0].port))
    place[2].forge = True
    assert who(relay_to(rig, place)) == "first"
    assert not evil.bytes_received()


def test_ipv6_address(rig):
    origin = rig.origin(say(b"six"), host="::1")
    dns = rig._keep(DnsServer({"six.test.example": ["::1"]}))
    relay = rig.relay(f"six.test.example:{origin.port}", resolver=dns.address)
    assert who(relay) == "six"
