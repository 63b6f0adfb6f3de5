"""Whom a client's certificate names: in the access log, and in a field for the upstream that no client can send itself."""

import ssl
import subprocess

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from lib.h2 import H2Client, request_fields
from lib.origin import answer
from lib.relay import BIN, write_config
from lib.tls import connect
from lib.wire import request

FIELD = "X-Client-Subject"
OLD = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


def whole(*attributes):
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


NAMES = {
    "plain": ("somebody", b"CN=somebody"),
    # the last attribute first; what has a meaning in RFC 2253, controls and all beyond ASCII escaped
    "long": (whole((NameOID.COUNTRY_NAME, "DE"), (NameOID.ORGANIZATION_NAME, 'A, B + "C" <D>; E'), (NameOID.COMMON_NAME, "M\u00fcller")),
             rb'CN=M\C3\BCller,O=A\, B \+ \"C\" \<D\>\; E,C=DE'),
    "hostile": (whole((NameOID.COMMON_NAME, "a\r\nX-Admin: yes\r\n\0b\x7f")), rb"CN=a\0D\0AX-Admin: yes\0D\0A\00b\7F"),
}  # fmt: skip


class Gate:
    """Two listeners, one that asks for certificates and one in clear text, in front of an origin that answers ok."""

    def __init__(self, rig, header=FIELD, **top):
        self.rig, self.ca = rig, rig.authority()
        self.origin = rig.origin(answer())
        tls = {"certificates": [self.ca.issue("example.org").entry()], "client_certificates": "request", "client_ca": self.ca.file}
        if header:
            tls["client_subject_header"] = header
        self.conf = rig.config(self.origin, listener={"tls": tls}, **top)
        self.conf["listeners"].append({"listen": "127.0.0.1:0"})
        self.relay = rig.run(self.conf)

    def client(self, subject, **kw):
        """A context with a certificate of that subject."""
        cert = None if subject is None else self.ca.issue(subject=subject, client=True, file="client")
        return self.ca.client(cert=cert, **kw)

    def told(self, n=-1):
        """The origin's n-th request, and what is in the field there."""
        head = [r for conn in self.origin.conns for r in conn.requests][n]
        return head, head.all(FIELD)

    def ask(self, context, fields=(), addr=None, **kw):
        wire = connect(addr or self.relay.addr, context, **kw) if context else self.rig.connect(addr)
        wire.send(request(fields=(*fields, ("Connection", "close"))))
        assert wire.response()[0].status == 200
        session = wire.sock.session if context else None
        wire.close()
        return self.told()[1], session

    def ask_h2(self, wire, fields=()):
        client = H2Client(wire)
        for _ in range(2):  # each stream of a connection
            s = client.request(request_fields(fields=fields))
            assert s.over() is None and s.status == 200
        assert self.told(-2)[1] == self.told()[1]
        return self.told()[1]


@pytest.mark.parametrize("version", list(OLD))
@pytest.mark.parametrize("name", list(NAMES))
def test_subject_is_told(rig, name, version):
    """To the upstream and in both lines of the log; of a resumed session too."""
    gate = Gate(rig)
    subject, text = NAMES[name]
    context = gate.client(subject, maximum=OLD[version])
    told, session = gate.ask(context)
    assert told == [text]
    again, _ = gate.ask(context, session=session)
    assert again == [text]
    head, _ = gate.told()
    assert not head.all("X-Admin")
    for event in ("open", "end"):
        gate.relay.wait_log(2, event=event)
        for record in gate.relay.log(event=event):
            assert record["client_certificate"] == text.decode()


def test_sessions_were_resumed(rig):
    """The row above is about resumption only if there was one."""
    gate = Gate(rig)
    context = gate.client("somebody")
    _, session = gate.ask(context)
    wire = connect(gate.relay.addr, context, session=session)
    assert wire.sock.session_reused
    wire.close()


def test_subject_over_http2(rig):
    gate = Gate(rig)
    wire = rig.connect(gate.relay.addr, tls=gate.client("somebody", alpn=["h2"]))
    assert gate.ask_h2(wire, [(FIELD.lower(), "CN=root"), ("x_client_subject", "CN=root")]) == [b"CN=somebody"]
    assert not gate.told()[0].all("x_client_subject")
    assert gate.relay.wait_log(2, event="end")["client_certificate"] == "CN=somebody"


SPOOFS = [(FIELD, "CN=root"), ("x-cLIENT-sUBJECT", "CN=root"), ("X_Client_Subject", "CN=root"), ("x-client_subject", "CN=root"), (FIELD, "")]


def spoofed(head):
    return [f for f in head.fields if f[0].lower().replace(b"_", b"-") == FIELD.lower().encode()]


@pytest.mark.parametrize("trusted", [False, True], ids=["anybody", "trusted proxy"])
def test_clients_cannot_say_it_themselves(rig, trusted):
    """On no listener, in no spelling, with and without a certificate, over HTTP/2, by Connection; neighbours pass."""
    gate = Gate(rig, trusted_proxies=["127.0.0.1"] if trusted else [])
    context = gate.client("somebody")
    near = [("X-Client-Subjects", "1"), ("X-Client-Subjec", "2"), ("Client-Subject", "3")]
    gate.ask(context, SPOOFS + near)
    head, told = gate.told()
    assert told == [b"CN=somebody"] and len(spoofed(head)) == 1
    assert [head.get(n) for n, _ in near] == ["1", "2", "3"]
    gate.ask(context, [("Connection", FIELD)])
    assert gate.told()[1] == [b"CN=somebody"]
    for addr, who in ((gate.relay.addrs[0], gate.client(None)), (gate.relay.addrs[1], None)):
        gate.ask(who, SPOOFS, addr)
        assert not spoofed(gate.told()[0])
    for wire in (rig.connect(gate.relay.addr, tls=gate.client(None, alpn=["h2"])), rig.connect(gate.relay.addrs[1])):
        gate.ask_h2(wire, [(n.lower(), v) for n, v in SPOOFS])
        assert not spoofed(gate.told()[0])


def test_without_a_certificate_there_is_no_key(rig):
    gate = Gate(rig)
    assert gate.ask(gate.client(None))[0] == []
    assert gate.ask(None, addr=gate.relay.addrs[1])[0] == []
    gate.relay.wait_log(2, event="end")
    assert not [r for r in gate.relay.log() if "client_certificate" in r]


def test_without_the_key_it_is_logged_and_not_sent(rig):
    gate = Gate(rig, header=None)
    assert gate.ask(gate.client("somebody"))[0] == []
    assert gate.ask(gate.client("somebody"), [(FIELD, "mine")])[0] == [b"mine"], "a field like any other"
    assert gate.relay.wait_log(2, event="end")["client_certificate"] == "CN=somebody"


def test_subjects_that_cannot_be_told_whole(rig):
    """An empty one is null; one of more than 1024 bytes is cut in the log, at 512, and not sent: two might look alike."""
    gate = Gate(rig)
    assert gate.ask(gate.client(x509.Name([])), SPOOFS)[0] == []
    assert gate.relay.wait_log(1, event="end")["client_certificate"] is None
    units = [(NameOID.ORGANIZATIONAL_UNIT_NAME, f"{n:02}" + "u" * 58) for n in range(16)]
    fits, over = whole(*units[:15], (NameOID.COMMON_NAME, "n" * 61)), whole(*units, (NameOID.COMMON_NAME, "n" * 61))
    text = (b"CN=" + b"n" * 61 + b"".join(b",OU=%02d" % n + b"u" * 58 for n in reversed(range(15))))
    assert len(text) == 1024
    assert gate.ask(gate.client(fits))[0] == [text]
    assert gate.relay.wait_log(2, event="end")["client_certificate"] == text[:512].decode()
    assert gate.ask(gate.client(over), SPOOFS)[0] == []
    assert gate.relay.wait_log(3, event="end")["client_certificate"].startswith("CN=nnn")


# -- what decisions/0013 (no 421) rests on --
@pytest.mark.parametrize("version", list(OLD))
def test_every_name_meets_the_same_rule(rig, version):
    """No SNI goes round the certificate, nor does a session of a listener that asks for none."""
    ca = rig.authority()
    origin = rig.origin(answer())
    certificates = [ca.issue("a.example").entry(), ca.issue("b.example").entry()]
    conf = rig.config(origin, listener={"tls": {
        "certificates": certificates, "client_certificates": "require", "client_ca": ca.file}})  # fmt: skip
    conf["listeners"].append({"listen": "127.0.0.1:0", "tls": {"certificates": certificates}})
    relay = rig.run(conf)
    anonymous = ca.client(maximum=OLD[version])
    anonymous.check_hostname = False

    def refused(name, session=None):
        try:
            wire = connect(relay.addrs[0], anonymous, name=name, session=session)
            wire.send(request(host="b.example"))
            wire.head()
        except (AssertionError, OSError):
            return True
        return False

    for name in ("a.example", "b.example", "c.example", None):
        assert refused(name), name
    wire = connect(relay.addrs[1], anonymous, name="b.example")
    wire.send(request(host="b.example"))
    assert wire.response()[0].status == 200
    assert refused("b.example", wire.sock.session)
    assert len([r for conn in origin.conns for r in conn.requests]) == 1


def test_another_host_than_the_sni_is_served(rig):
    """By its own route, on HTTP/1.1 and on HTTP/2: no 421."""
    ca = rig.authority()
    a, b = rig.origin(answer()), rig.origin(answer())
    conf = rig.config(a, listener={"tls": {"certificates": [ca.issue("a.example", "b.example").entry()]}})
    conf["upstreams"].append({"name": "b", "servers": [{"address": b.address}]})
    conf["routes"] = [{"host": "b.example", "upstream": "b"}, {"host": "a.example", "upstream": "app"}]
    relay = rig.run(conf)
    wire = connect(relay.addr, ca.client(), name="a.example")
    for host, status in (("a.example", 200), ("b.example", 200), ("c.example", 404)):
        wire.send(request(host=host))
        assert wire.response()[0].status == status, host
    client = H2Client(connect(relay.addr, ca.client(alpn=["h2"]), name="a.example"))
    for host, status in (("a.example", 200), ("b.example", 200), ("c.example", 404)):
        s = client.request(request_fields(authority=host))
        assert s.over() is None and s.status == status, host
    assert [[r.get("host") for conn in o.conns for r in conn.requests] for o in (a, b)] == [["a.example"] * 2, ["b.example"] * 2]


def test_streams_and_reload(rig):
    """A live connection keeps its field through a reload; one that takes the key away ends it there too."""
    gate = Gate(rig)
    context = gate.client("somebody")
    wire = rig.connect(gate.relay.addr, tls=context)

    def ask():
        wire.send(request(fields=((FIELD, "CN=root"),)))
        assert wire.response()[0].status == 200
        return gate.told()[1]

    assert ask() == [b"CN=somebody"]
    gate.relay.admin("reload")
    assert ask() == [b"CN=somebody"]
    write_config(gate.relay.directory, {**gate.conf, "listeners": [
        {k: {a: b for a, b in v.items() if a != "client_subject_header"} if k == "tls" else v for k, v in x.items()}
        for x in gate.conf["listeners"]]})  # fmt: skip
    gate.relay.admin("reload")
    assert ask() == [b"CN=root"], "a field like any other"


def test_mistakes(rig):
    text = """\
listeners:
  - listen: 127.0.0.1:0
    tls:
      certificates: [/c.pem]
      client_subject_header: X-Client-Subject
  - listen: 127.0.0.1:1
    tls:
      certificates: [/c.pem]
      client_certificates: require
      client_ca: /ca.pem
      client_subject_header: %s
upstreams: [{name: app, servers: 127.0.0.1:1}]
"""
    off = "F:5: listeners[0].tls.client_subject_header: only with client_certificates: request or require, found without"
    own = "a name of your own such as X-Client-Subject, found \"%s\", which means something else"
    name = "a field's name, found %s"
    for found, told in (
        ("Cookie", own % "Cookie"), ("x_forwarded_for", own % "x_forwarded_for"),
        ("Connection", name % '"Connection" (this field is sluice\'s own: it frames the message or belongs to one connection)'),
        ("Host", name % '"Host" (Host is set by the upstream\'s `host`)'),
        ('"X Y"', name % "\"X Y\" (no field name: letters, digits and !#$%&'*+-.^_`|~)"),
    ):  # fmt: skip
        path = write_config(rig.directory, text % found)
        out = subprocess.run([BIN, "check", "--config", path], capture_output=True, text=True, timeout=10, check=False)
        assert out.returncode == 1
        lines = out.stderr.replace(path, "F").splitlines()
        assert lines[0] == off and lines[1] == "F:11: listeners[1].tls.client_subject_header: " + told, lines
