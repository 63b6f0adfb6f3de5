"""TLS to upstreams: whom it believes, what it says when it does not, resumption, ends."""

import re
import ssl

import pytest

from lib.origin import OK, answer
from lib.proc import wait_for
from lib.wire import chunk, event_request, request


@pytest.fixture(scope="module")
def cas(shared):
    class Cas:
        good = shared.authority()
        other = shared.authority("other authority")

    return Cas


def start(rig, cas, cert, tls, to=None, **kw):
    origin = rig.origin(answer(), tls=cas.good.server(cert), **kw)
    relay = rig.relay(to(origin) if to else origin, upstream={"tls": tls}, route={"errors": "503"})
    return origin, relay


def status(relay):
    return relay.get(request())[0].status


def test_a_good_server(rig, cas):
    origin, relay = start(rig, cas, cas.good.issue("127.0.0.1", file="good"), {"ca": cas.good.file})
    assert relay.get(request())[1] == b"ok"
    assert origin.conns[0].sock.version() == "TLSv1.3"


def test_the_name_of_server_name_is_asked_for_and_verified(rig, cas):
    cert = cas.good.issue("app.example", file="named")
    asked = []
    context = cas.good.server(cert)
    context.sni_callback = lambda sock, name, ctx: asked.append(name)
    origin = rig.origin(answer(), tls=context)
    relay = rig.relay(origin, upstream={"tls": {"ca": cas.good.file, "server_name": "app.example"}})
    assert status(relay) == 200 and asked == ["app.example"]


BAD = [
    ("another name", lambda c: c.good.issue("elsewhere.example", file="b1"), "good", "IP address mismatch"),
    ("expired", lambda c: c.good.issue("127.0.0.1", file="b2", days=(-9, -1)), "good", "certificate has expired"),
    ("not yet", lambda c: c.good.issue("127.0.0.1", file="b3", days=(1, 9)), "good", "certificate is not yet valid"),
    ("unknown authority", lambda c: c.other.issue("127.0.0.1", file="b4"), "good", "unable to get local issuer certificate"),
    ("a client's certificate", lambda c: c.good.issue("127.0.0.1", file="b5", client=True), "good", "(unsuitable|unsupported) certificate purpose"),
]  # fmt: skip


@pytest.mark.parametrize("what,cert,ca,said", BAD, ids=[b[0] for b in BAD])
def test_a_bad_server_gets_no_byte(rig, cas, what, cert, ca, said):
    origin, relay = start(rig, cas, cert(cas), {"ca": cas.good.file})
    assert status(relay) in (502, 503)
    assert origin.bytes_received() == 0
    wait_for(lambda: re.search("certificate verify failed: " + said, relay.text()), why=said)


def test_the_systems_authorities_are_the_default(rig, cas):
    """SSL_CERT_FILE stands for the system's store, as with every OpenSSL program."""
    cert = cas.good.issue("127.0.0.1", file="sys")
    origin = rig.origin(answer(), tls=cas.good.server(cert))
    good = rig.relay(origin, upstream={"tls": {}}, env={"SSL_CERT_FILE": cas.good.file})
    assert status(good) == 200
    bad = rig.relay(origin, upstream={"tls": {}})  # Debian's own
    assert status(bad) in (502, 503)


def test_verify_off_takes_anybody(rig, cas):
    cert = cas.other.issue("elsewhere.example", file="any", days=(-9, -1))
    _, relay = start(rig, cas, cert, {"verify": False})
    assert status(relay) == 200


def test_a_plaintext_server(rig, cas):
    origin = rig.origin(answer())
    relay = rig.relay(origin, upstream={"tls": {"ca": cas.good.file}}, route={"timeouts": {"connect": "500ms"}})
    assert status(relay) in (502, 503, 504)


@pytest.mark.parametrize("key", ["ec", "rsa", "ed25519", "p384"])
def test_our_own_certificate(rig, cas, key):
    context = cas.good.server(cas.good.issue("127.0.0.1", file="asks"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cas.good.file)
    origin = rig.origin(answer(), tls=context)
    own = cas.good.issue(subject="the relay", client=True, key=key)
    relay = rig.relay(origin, upstream={"tls": {"ca": cas.good.file, "certificate": own.cert, "key": own.key}})
    assert status(relay) == 200
    assert origin.conns[0].sock.getpeercert()["subject"] == ((("commonName", "the relay"),),)
    without = rig.relay(origin, upstream={"tls": {"ca": cas.good.file}})
    assert status(without) in (502, 503)


def test_sessions_are_resumed(rig, cas):
    origin = rig.origin(answer(), tls=cas.good.server(cas.good.issue("127.0.0.1", file="resumed")))
    relay = rig.relay(origin, upstream={"tls": {"ca": cas.good.file}, "keepalive": "off"})
    assert [status(relay) for _ in range(4)] == [200] * 4
    assert [c.resumed for c in origin.connections(4)] == [False, True, True, True]


def test_https_to_the_one_liner(rig, cas):
    origin = rig.origin(answer(), tls=cas.good.server(cas.good.issue("127.0.0.1", file="one")))
    relay = rig.proxy(origin.url)
    assert status(relay) in (502, 503)  # an authority that the system does not know
    wait_for(lambda: "certificate verify failed" in relay.text(), why="the reason")


def test_events_over_tls_both_sides(rig, cas):
    origin = rig.origin(tls=cas.good.server(cas.good.issue("127.0.0.1", file="both")))
    relay = rig.relay(origin, upstream={"tls": {"ca": cas.good.file}},
                      listener={"tls": {"certificates": [cas.good.issue("example.org").entry()]}})
    client = rig.connect(relay.addr, tls=cas.good.client())
    client.send(event_request())
    up = origin.accept()
    up.request()
    up.stream_head()
    body = client.response_body(client.final_head())
    for i in range(10):
        payload = up.event(i)
        assert body.until(payload, 1.0).endswith(payload)
    up.event("x" * 100000)
    body.until(100000)
    up.finish()
    body.to_end()
    assert body.complete


@pytest.mark.parametrize("framing", ["chunked", "close"])
@pytest.mark.parametrize("how", ["cut", "rst", "fin"])
def test_how_the_upstream_ends(rig, cas, framing, how):
    """F10: the end of TCP without close_notify is a truncation, also of a body that lasts until the close."""
    origin = rig.origin(tls=cas.good.server(cas.good.issue("127.0.0.1", file="ends")))
    relay = rig.relay(origin, upstream={"tls": {"ca": cas.good.file}})
    client = rig.connect(relay.addr)
    client.send(request())
    up = origin.accept()
    up.request()
    if framing == "chunked":
        up.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"part"))
    else:
        up.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\npart")
    head = client.final_head()
    body = client.response_body(head)
    body.until(b"part")
    getattr(up, how)()
    if how == "fin":
        up.close()
    try:
        body.to_end()
    except AssertionError:
        pass
    whole = framing == "close" and how == "fin"
    assert body.complete == whole, body.how()
    assert relay.wait_log(event="end")["truncated"] == (not whole)
    assert body.partial() == b"part"


def test_the_client_goes_and_the_upstream_hears_it(rig, cas):
    origin = rig.origin(tls=cas.good.server(cas.good.issue("127.0.0.1", file="goes")))
    relay = rig.relay(origin, upstream={"tls": {"ca": cas.good.file}})
    client = rig.connect(relay.addr)
    client.send(event_request())
    up = origin.accept()
    up.request()
    up.stream_head()
    client.final_head()
    client.close()
    up.wait_end(1.0)


def test_answers_of_every_size_are_exact(rig, cas):
    """Around the size of a record and of the relay's own buffers."""
    sizes = [0, 1, 16383, 16384, 16385, 65535, 65536, 65537, 1000003]
    bodies = {b"/%d" % n: bytes(i * 31 % 251 for i in range(n)) for n in sizes}

    def reply(head):
        body = bodies[head.target]
        return OK.split(b"Content-Length")[0] + b"Content-Length: %d\r\n\r\n" % len(body) + body

    origin = rig.origin(answer(reply), tls=cas.good.server(cas.good.issue("127.0.0.1", file="sizes")))
    relay = rig.relay(origin, upstream={"tls": {"ca": cas.good.file}},
                      listener={"tls": {"certificates": [cas.good.issue("example.org").entry()]}})
    wire = rig.connect(relay.addr, tls=cas.good.client())
    for n in sizes:
        wire.send(request(target=f"/{n}"))
        assert wire.response(timeout=10)[1] == bodies[b"/%d" % n]


def test_a_health_check_says_that_it_ends(rig, cas):
    """close_notify: what logs on the other side is not to take every check for a truncation."""
    origin = rig.origin(answer(), tls=cas.good.server(cas.good.issue("127.0.0.1", file="checked")))
    health = {"path": "/health", "interval": "500ms", "timeout": "500ms"}
    rig.relay(origin, upstream={"tls": {"ca": cas.good.file}, "health": health})
    wait_for(lambda: [c.end for c in list(origin.conns)].count("fin") >= 3, 10, why="health checks that end so")
