"""Table F where the client means harm: floods within a connection, floods of handshakes."""

import socket
import ssl
import time

import pytest

from lib.origin import answer
from lib.proc import wait_for
from lib.tls_records import ALERT, DATA, Records, keylog
from lib.wire import event_request, request


@pytest.fixture(scope="module")
def site(shared):
    class Site:
        ca = shared.authority()
        origin = shared.origin(answer())

    Site.relay = shared.relay(Site.origin, listener={"tls": {"certificates": [Site.ca.issue("example.org").entry()]}},
                              tls={"handshake_rate": "unlimited"}, log={"level": "debug"})  # fmt: skip
    return Site


def open_records(shared, site):
    context = site.ca.client(alpn=["http/1.1"])
    path = keylog(context)
    wire = shared.connect(site.relay.addr, tls=context)
    return wire, Records(wire, path)


def ended(wire):
    wire.sock.settimeout(3)
    try:
        while wire.sock.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def test_the_hand_made_records_are_right(shared, site):
    """The control of the rows below: the same records, harmless, are understood."""
    wire, records = open_records(shared, site)
    data = request()
    half = len(data) // 2
    assert records.send(records.record(DATA, data[:half]) + records.key_update() + records.record(DATA, data[half:]))
    assert wire.response()[1] == b"ok"
    assert records.send(records.key_update(request=True) + records.record(DATA, data))
    assert wire.response()[1] == b"ok"


def test_a_flood_of_key_updates(shared, site):
    """F2."""
    for request_ours in (False, True):
        wire, records = open_records(shared, site)
        records.send(b"".join(records.key_update(request_ours) for _ in range(200)))
        assert ended(wire)


def test_a_flood_of_empty_records(shared, site):
    """F3."""
    wire, records = open_records(shared, site)
    records.send(b"".join(records.record(DATA, b"") for _ in range(2000)))
    assert ended(wire)


def test_a_flood_of_warning_alerts(shared, site):
    wire, records = open_records(shared, site)
    records.send(b"".join(records.record(ALERT, b"\x01\x5a") for _ in range(200)))
    assert ended(wire)


def test_a_forged_record(shared, site):
    wire, records = open_records(shared, site)
    bad = bytearray(records.record(DATA, request()))
    bad[-1] ^= 1
    before = site.origin.bytes_received()
    records.send(bytes(bad))
    assert ended(wire)
    assert site.origin.bytes_received() == before


def test_records_of_one_byte(shared, site):
    """F4: slow, but right."""
    wire, records = open_records(shared, site)
    for byte in request():
        assert records.send(records.record(DATA, bytes([byte])))
    assert wire.response()[1] == b"ok"


def test_a_large_client_hello(shared, site):
    """F5: 60 KiB of extensions are no hello that a client sends."""
    body = b"\x03\x03" + b"r" * 32 + b"\0" + b"\0\2\x13\1" + b"\1\0"
    extensions = b"".join(b"\xfa\xfa\x0f\xa0" + b"x" * 4000 for _ in range(15))
    body += len(extensions).to_bytes(2, "big") + extensions
    message = b"\1" + len(body).to_bytes(3, "big") + body
    wire = shared.connect(site.relay.addr)
    for i in range(0, len(message), 16384):
        part = message[i : i + 16384]
        wire.send(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part)
    wire.wait_end(2.0)


def test_streams_go_on_meanwhile(rig):
    """F11: a thousand half handshakes, and an open stream and a new client notice nothing."""
    ca = rig.authority()
    origin = rig.origin()
    relay = rig.relay(origin, listener={"tls": {"certificates": [ca.issue("example.org").entry()]}},
                      tls={"handshake_rate": 20, "handshake_burst": 40})  # fmt: skip
    context = ca.client()
    client, body, up = rig.stream(relay, origin, tls=context)
    hello = client_hello()
    answered = refused = 0
    for i in range(200):
        sock = socket.create_connection(relay.addr, timeout=2, source_address=("127.0.0.9", 0))
        try:
            sock.sendall(hello)
            if sock.recv(1) == b"\x16":
                answered += 1
            else:
                refused += 1
        except OSError:
            refused += 1
        sock.close()
        if i % 20 == 0:
            payload = up.event(i)
            body.until(payload, 2.0)
    assert refused > 100 and answered >= 40, (answered, refused)
    other, _, _ = rig.stream(relay, origin, tls=context)  # from 127.0.0.1: another source
    assert other.sock.version() == "TLSv1.3"


def client_hello():
    """The first flight of a real client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="example.org")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def test_garbage_for_a_client_certificate(rig):
    """F12: what no certificate is."""
    ca = rig.authority()
    relay = rig.relay(rig.origin(answer()), listener={"tls": {
        "certificates": [ca.issue("example.org").entry()], "client_certificates": "require", "client_ca": ca.file}})  # fmt: skip
    context = ca.client(alpn=["http/1.1"])
    wire = rig.connect(relay.addr, tls=context)
    wire.send(request())
    wire.wait_end()
    assert wire.end in ("alert", "rst")
    good = ca.issue(subject="somebody", client=True)
    wire = rig.connect(relay.addr, tls=ca.client(cert=good))
    wire.send(event_request())
    assert wire.response()[0].status == 200


def test_memory_comes_back(rig):
    """Two thousand handshakes, whole and broken off, leave nothing behind."""
    ca = rig.authority()
    relay = rig.relay(rig.origin(answer()), listener={"tls": {"certificates": [ca.issue("example.org").entry()]}},
                      tls={"handshake_rate": "unlimited"})  # fmt: skip
    hello = client_hello()

    def knock(n):
        for _ in range(n):
            with socket.create_connection(relay.addr, timeout=2) as sock:
                sock.sendall(hello)
                sock.recv(1)

    knock(300)
    time.sleep(0.1)
    before, fds = relay.rss_kib(), relay.fds()
    knock(1500)
    wait_for(lambda: relay.fds() <= fds + 2, why="no connection left")
    assert relay.rss_kib() - before < 1024 * (16 if "asan" in relay.argv[0] else 1)
