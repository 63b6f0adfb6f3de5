"""TLS listeners, seen by real clients: versions, ciphers, names, stapling, tickets, client certificates, ends."""

import hashlib
import re
import socket
import ssl
import subprocess
import time

import pytest

from lib.origin import answer
from lib.wire import event_request, request

OLD = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


@pytest.fixture(scope="module")
def site(shared):
    """An authority, three certificates and a relay that has them, in front of an origin that answers ok."""

    class Site:
        ca = shared.authority()
        other_ca = shared.authority("other authority")

    Site.first = Site.ca.issue("example.org", "127.0.0.1")
    Site.exact = Site.ca.issue("a.example.net")
    Site.wild = Site.ca.issue("*.example.net")
    Site.rsa = Site.ca.issue("example.org", "127.0.0.1", file="first-rsa", key="rsa")
    Site.staple = Site.ca.ocsp(Site.first, "first.ocsp")
    Site.origin = shared.origin(answer())
    certificates = [Site.first.entry(ocsp=Site.staple), Site.exact.entry(), Site.wild.entry(), Site.rsa.entry()]
    Site.relay = shared.relay(Site.origin, workers=2, listener={"tls": {"certificates": certificates}},
                              tls={"handshake_rate": "unlimited"})
    return Site


def shown(site, name, **kw):
    """SHA-256 of the certificate that this name gets."""
    context = site.ca.client(**kw)
    context.check_hostname = False
    sock = context.wrap_socket(socket.create_connection(site.relay.addr), server_hostname=name)
    with sock:
        return hashlib.sha256(sock.getpeercert(True)).hexdigest()


def sha(certificate):
    return hashlib.sha256(certificate.der).hexdigest()


def s_client(addr, *args, send=b""):
    p = subprocess.run(["openssl", "s_client", "-connect", f"{addr[0]}:{addr[1]}", *args], input=send, timeout=20,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return p.stdout.decode(errors="replace")


# -- names (F7) --
@pytest.mark.parametrize(
    "name,who",
    [("example.org", "first"), ("a.example.net", "exact"), ("A.Example.Net", "exact"), ("b.example.net", "wild"),
     ("a.b.example.net", "first"), ("example.net", "first"), ("nowhere.test", "first"), (None, "first")],
)  # fmt: skip
def test_sni_chooses_the_certificate(site, name, who):
    assert shown(site, name) == sha(getattr(site, who))


def test_a_client_without_ecdsa_gets_the_rsa_twin(site):
    assert shown(site, "example.org", maximum=OLD["TLSv1.2"], ciphers="ECDHE-RSA-AES128-GCM-SHA256") == sha(site.rsa)
    assert shown(site, "example.org", maximum=OLD["TLSv1.2"], ciphers="ECDHE-ECDSA-AES128-GCM-SHA256") == sha(site.first)


# -- real clients --
@pytest.mark.parametrize("version", ["--tlsv1.2 --tls-max 1.2", "--tlsv1.3"])
@pytest.mark.parametrize("http", ["--http1.1", "--http2"])
def test_curl(site, version, http):
    url = f"https://example.org:{site.relay.addr[1]}/"
    out = subprocess.run(["curl", "-sS", *version.split(), http, "--cacert", site.ca.file, "--resolve",
                          f"example.org:{site.relay.addr[1]}:127.0.0.1", "-w", "%{http_version} %{ssl_verify_result}", url],
                         capture_output=True, text=True, timeout=20, check=False)  # fmt: skip
    assert out.returncode == 0, out.stderr
    assert out.stdout == ("ok1.1 0" if http == "--http1.1" else "ok2 0")


@pytest.mark.parametrize("version", list(OLD))
def test_python(site, shared, version):
    wire = shared.connect(site.relay.addr, tls=site.ca.client(alpn=["http/1.1"], maximum=OLD[version]))
    assert wire.sock.version() == version and wire.sock.selected_alpn_protocol() == "http/1.1"
    wire.send(request())
    assert wire.response()[1] == b"ok"


def test_the_staple_is_stapled(site):
    out = s_client(site.relay.addr, "-servername", "example.org", "-status", "-CAfile", site.ca.file)
    assert "OCSP Response Status: successful" in out and "Cert Status: good" in out, out
    assert "no response sent" in s_client(site.relay.addr, "-servername", "a.example.net", "-status")


# -- ALPN (F8) --
@pytest.mark.parametrize(
    "offered,got", [((), None), (("http/1.1",), "http/1.1"), (("h2", "http/1.1"), "h2"), (("http/1.1", "h2"), "h2"),
                    (("spdy/3", "http/1.1"), "http/1.1")],
)  # fmt: skip
def test_alpn(site, shared, offered, got):
    wire = shared.connect(site.relay.addr, tls=site.ca.client(alpn=offered))
    assert wire.sock.selected_alpn_protocol() == got
    if got != "h2":
        wire.send(request())
        assert wire.response()[0].status == 200


def test_unknown_protocols_only_are_refused_with_their_alert(site, shared):
    with pytest.raises(ssl.SSLError, match="no application protocol"):
        shared.connect(site.relay.addr, tls=site.ca.client(alpn=["imap"]))


# -- versions and ciphers (F9) --
@pytest.mark.parametrize("flag", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused_with_their_alert(site, flag):
    out = s_client(site.relay.addr, flag, "-cipher", "ALL:@SECLEVEL=0")
    assert re.search("alert protocol version", out), out


@pytest.mark.parametrize("cipher", ["AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES256-GCM-SHA384",
                                    "DHE-RSA-AES128-GCM-SHA256"])  # fmt: skip
def test_weak_ciphers_are_refused(site, cipher):
    out = s_client(site.relay.addr, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert "alert handshake failure" in out, out


def test_renegotiation_is_refused(site):
    """F1. `R` in s_client asks for one."""
    p = subprocess.Popen(["openssl", "s_client", "-tls1_2", "-connect", "%s:%d" % site.relay.addr], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    try:
        time.sleep(0.3)
        out = p.communicate(b"R\n", timeout=10)[0].decode(errors="replace")
    finally:
        p.kill()
    assert re.search("no renegotiation|NO_RENEGOTIATION", out), out[-500:]


def test_no_early_data(site, shared):
    """F6: no ticket allows any."""
    out = s_client(site.relay.addr, "-tls1_3", "-servername", "example.org", "-ign_eof",
                   send=b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert "Max Early Data: 0" in out, out


# -- plain bytes on the port --
@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\0" * 100, b"\x16\x03\x01\xff\xff" + b"x" * 100, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
def test_what_is_no_tls_is_ended_at_once(site, shared, data):
    before = site.origin.bytes_received()
    wire = shared.connect(site.relay.addr)
    wire.send(data)
    start = time.monotonic()
    wire.wait_end(1.0)
    assert time.monotonic() - start < 1.0 and site.origin.bytes_received() == before


def test_an_endless_client_hello_is_bounded(site, shared):
    """F5: a hello of 16 MiB by its own word."""
    wire = shared.connect(site.relay.addr)
    before = site.relay.rss_kib()
    wire.send(b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + b"\0" * 16380)
    wire.wait_end(2.0)
    assert site.relay.rss_kib() - before < 1024


def test_a_stalled_handshake_is_ended(rig):
    ca = rig.authority()
    cert = ca.issue("example.org")
    relay = rig.relay(rig.origin(), listener={"tls": {"certificates": [cert.entry()], "handshake_timeout": "300ms"}})
    for first in (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"):
        wire = rig.connect(relay.addr)
        if first:
            wire.send(first)
        start = time.monotonic()
        wire.wait_end(2.0)
        assert 0.25 < time.monotonic() - start < 1.0


# -- events --
def test_events_come_at_once_and_one_by_one(rig, site):
    """A record for each event, none held back."""
    ca = rig.authority()
    origin = rig.origin()
    relay = rig.relay(origin, listener={"tls": {"certificates": [ca.issue("example.org").entry()]}})
    client, body, up = rig.stream(relay, origin, tls=ca.client())
    for i in range(20):
        payload = up.event(i)
        assert body.until(payload, 1.0).endswith(payload)
    up.finish()
    body.to_end()
    assert body.complete
    assert len(body.times) >= 20


def test_a_client_that_goes_is_noticed(rig):
    ca = rig.authority()
    origin = rig.origin()
    relay = rig.relay(origin, listener={"tls": {"certificates": [ca.issue("example.org").entry()]}})
    for how in ("fin", "cut", "rst"):
        client, _, up = rig.stream(relay, origin, tls=ca.client())
        getattr(client, how)()
        up.wait_end(1.0)


def test_the_end_of_a_stream(rig):
    """F10: a whole body ends with close_notify; a truncated one is cut without."""
    ca = rig.authority()
    origin = rig.origin()
    relay = rig.relay(origin, listener={"tls": {"certificates": [ca.issue("example.org").entry()]}},
                      upstream={"keepalive": "off"})
    client, body, up = rig.stream(relay, origin, tls=ca.client(), data=event_request(fields=(("Connection", "close"),)))
    up.event(1)
    up.finish()
    body.to_end()
    assert body.complete and client.wait_end() == "fin"
    client, body, up = rig.stream(relay, origin, tls=ca.client())
    up.send(b"5\r\nda")
    up.close()
    assert client.wait_end() in ("cut", "rst") and not body.complete


# -- tickets --
def resumed(site, session, addr=None, context=None):
    """One request on a connection with this session: was it resumed, and the next session."""
    from lib.tls import connect

    wire = connect(addr or site.relay.addr, context, session=session)
    wire.send(request(fields=(("Connection", "close"),)))
    wire.response()
    out = wire.sock.session_reused, wire.sock.session
    wire.close()
    return out


@pytest.mark.parametrize("version", list(OLD))
def test_sessions_are_resumed_by_every_worker(site, version):
    context = site.ca.client(maximum=OLD[version])
    was, session = resumed(site, None, context=context)
    assert not was
    pids = set(site.relay.workers())
    assert len(pids) == 2
    seen = [resumed(site, session, context=context)[0] for _ in range(24)]  # SO_REUSEPORT spreads them over both
    assert all(seen), seen


@pytest.mark.parametrize("version", list(OLD))
def test_rotated_keys_are_taken_for_a_while(rig, version):
    """F13: a ticket of a key that is gone costs a full handshake, no more."""
    ca = rig.authority()
    relay = rig.relay(rig.origin(answer()), workers=2, tls={"ticket_rotation": "1s"},
                      listener={"tls": {"certificates": [ca.issue("example.org").entry()]}})
    context = ca.client(maximum=OLD[version])
    _, session = resumed(None, None, relay.addr, context)
    time.sleep(1.2)
    assert resumed(None, session, relay.addr, context)[0], "a ticket of the key before"
    time.sleep(2.2)
    was, new = resumed(None, session, relay.addr, context)
    assert not was, "a ticket of a key that is gone"
    assert resumed(None, new, relay.addr, context)[0]


def test_tickets_off(rig):
    ca = rig.authority()
    relay = rig.relay(rig.origin(answer()), listener={"tls": {"certificates": [ca.issue("example.org").entry()], "tickets": False}})
    for version in OLD.values():
        context = ca.client(maximum=version)
        _, session = resumed(None, None, relay.addr, context)
        assert session is None or not resumed(None, session, relay.addr, context)[0]


# -- clients' certificates (F12) --
@pytest.mark.parametrize("asked", ["request", "require"])
def test_client_certificates(rig, asked):
    ca, other = rig.authority(), rig.authority("other authority")
    relay = rig.relay(rig.origin(answer()), listener={"tls": {
        "certificates": [ca.issue("example.org").entry()], "client_certificates": asked, "client_ca": ca.file}})  # fmt: skip
    good = ca.issue(subject="somebody", client=True)
    bad = [other.issue(subject="stranger", client=True), ca.issue(subject="late", client=True, days=(-9, -2))]

    def ask(cert, **kw):
        wire = rig.connect(relay.addr, tls=ca.client(cert=cert, **kw))
        wire.send(request())
        try:
            return wire.response()[0].status
        except AssertionError:
            return wire.end, getattr(wire, "alert", None)

    for version in OLD.values():
        assert ask(good, maximum=version) == 200
    assert ask(None) == (200 if asked == "request" else ("alert", "TLSV13_ALERT_CERTIFICATE_REQUIRED"))
    for cert in bad:
        assert ask(cert)[0] in ("alert", "rst")


# -- the one-liner --
def test_self_signed(rig):
    relay = rig.proxy(rig.origin(answer()), "--tls-self-signed")
    said = re.search(r"fingerprint ([0-9a-f]{64})", relay.text()).group(1)
    der = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(relay.addr))
    assert hashlib.sha256(der).hexdigest() == said
    out = subprocess.run(["curl", "-sSk", f"https://127.0.0.1:{relay.addr[1]}/"], capture_output=True, timeout=20, check=False)
    assert out.returncode == 0, out.stderr
