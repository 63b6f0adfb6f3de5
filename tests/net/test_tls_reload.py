"""Certificates are changed while streams live, and bad ones are refused while the old ones stay."""

import hashlib
import os
import signal
import ssl
import subprocess
import threading

import pytest

from lib.certs import pem_of, write
from lib.origin import answer
from lib.proc import wait_for
from lib.relay import BIN
from lib.tls import connect
from lib.wire import request


def served(relay, name="example.org"):
    """SHA-256 of the certificate that a new connection gets."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    wire = connect(relay.addr, context, name=name)
    try:
        return hashlib.sha256(wire.sock.getpeercert(True)).hexdigest()
    finally:
        wire.close()


def sha(certificate):
    return hashlib.sha256(certificate.der).hexdigest()


def start(rig, ca, origin, **kw):
    cert = ca.issue("example.org", file="served")
    return cert, rig.relay(origin, listener={"tls": {"certificates": [cert.entry()]}}, **kw)


def reload(relay):
    return relay.admin("reload")


def test_a_new_certificate_cuts_no_stream(rig):
    ca = rig.authority()
    origin = rig.origin()
    cert, relay = start(rig, ca, origin, workers=2)
    context = ca.client()
    streams = [rig.stream(relay, origin, tls=context) for _ in range(20)]
    stop, errors, seen = threading.Event(), [], set()

    def knock():
        while not stop.is_set():
            try:
                seen.add(served(relay))
            except OSError as e:
                errors.append(e)

    thread = threading.Thread(target=knock)
    thread.start()
    try:
        for i in range(5):
            fresh = ca.issue("example.org", file=f"fresh-{i}", key="rsa" if i % 2 else "ec")
            cert.replace(fresh)
            assert "error" not in reload(relay)
            wait_for(lambda want=sha(fresh): all(served(relay) == want for _ in range(8)), why="the new certificate")
            for client, body, up in streams:
                payload = up.event(f"after {i}")
                body.until(payload, 2.0)
    finally:
        stop.set()
        thread.join()
    assert not errors, errors[:3]
    assert len(seen) >= 5
    for client, body, up in streams:
        up.finish()
        body.to_end()
        assert body.complete


def broken_key(cert, ca):
    write(cert.key, cert.key_pem[:100])
    return cert.key, "found a broken one"


def half(cert, ca):
    write(cert.cert, cert.pem[: len(cert.pem) // 2])
    return cert.cert, "whole PEM certificates"


def empty(cert, ca):
    write(cert.key, b"")
    return cert.key, "found an empty file"


def mismatch(cert, ca):
    write(cert.key, ca.issue("example.org", file="other").key_pem)
    return cert.key, f"the private key of the first certificate in {cert.cert}, found the key of another"


def missing(cert, ca):
    os.unlink(cert.cert)
    return cert.cert, "No such file"


def folder(cert, ca):
    os.unlink(cert.cert)
    os.mkdir(cert.cert)
    return cert.cert, "no regular file"


def fifo(cert, ca):
    os.unlink(cert.key)
    os.mkfifo(cert.key)
    return cert.key, "no regular file"


def encrypted(cert, ca):
    write(cert.key, pem_of(cert.private, b"secret"))
    return cert.key, "without a passphrase (-----BEGIN PRIVATE KEY-----), found an encrypted one"


def weak(cert, ca):
    cert.replace(ca.issue("example.org", file="weak", key="rsa1024"))
    return cert.key, "at least 2048 bits"


def odd_curve(cert, ca):
    cert.replace(ca.issue("example.org", file="odd", key="secp256k1"))
    return cert.key, "found EC on secp256k1"


def expired(cert, ca):
    cert.replace(ca.issue("example.org", file="expired", days=(-9, -1)))
    return cert.cert, "found one that has expired"


def early(cert, ca):
    cert.replace(ca.issue("example.org", file="early", days=(2, 9)))
    return cert.cert, "found one that is not valid yet"


def garbage(cert, ca):
    write(cert.cert, os.urandom(3000))
    return cert.cert, "found none"


BAD = [broken_key, half, empty, mismatch, missing, folder, fifo, encrypted, weak, odd_curve, expired, early, garbage]


def test_a_bad_certificate_keeps_the_old_one(rig):
    ca = rig.authority()
    origin = rig.origin()
    cert, relay = start(rig, ca, origin)
    good = sha(cert)
    client, body, up = rig.stream(relay, origin, tls=ca.client())
    for spoil in BAD:
        file, said = spoil(cert, ca)
        answer_ = reload(relay)
        assert file in answer_.get("error", "") and said in answer_["error"], (spoil.__name__, answer_)
        wait_for(lambda: said in relay.text(), why=said)  # noqa: B023
        assert served(relay) == good, spoil.__name__
        body.until(up.event(spoil.__name__), 1.0)
        if os.path.isdir(cert.cert):
            os.rmdir(cert.cert)
        write(cert.cert, cert.pem)
        write(cert.key, cert.key_pem)
        assert "error" not in reload(relay), spoil.__name__


def test_bad_staples_and_authorities(rig):
    ca = rig.authority()
    cert, other = ca.issue("example.org"), ca.issue("other.example")
    conf = rig.config(rig.origin(answer()), listener={"tls": {"certificates": [cert.entry(ocsp=ca.ocsp(cert, "staple"))]}})
    relay = rig.run(conf)
    staple = conf["listeners"][0]["tls"]["certificates"][0]["ocsp"]
    for data, said in ((b"no DER", "found something else"), (open(ca.ocsp(other, "wrong"), "rb").read(), "found one for another certificate")):
        write(staple, data)
        error = reload(relay)["error"]
        assert staple in error and said in error, error


def test_an_expired_certificate_at_start_is_told_and_stays(rig):
    """The service goes on, since clients judge; and a reload for another reason is not refused for it."""
    ca = rig.authority()
    cert = ca.issue("example.org", days=(-9, -1))
    relay = rig.relay(rig.origin(answer()), listener={"tls": {"certificates": [cert.entry()]}})
    assert "found one that has expired" in relay.text()
    assert served(relay) == sha(cert)
    assert "error" not in reload(relay)


def test_a_worker_that_is_restarted_needs_no_file(rig):
    ca = rig.authority()
    cert, relay = start(rig, ca, rig.origin(answer()))
    relay.expect_deaths = True
    fresh = ca.issue("example.org", file="fresh")
    cert.replace(fresh)
    assert "error" not in reload(relay)
    wait_for(lambda: served(relay) == sha(fresh), why="the new certificate")
    os.unlink(cert.cert)
    os.unlink(cert.key)
    (pid,) = relay.workers()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: relay.workers() not in ([pid], []), why="another worker")
    assert served(relay) == sha(fresh)


def test_sessions_outlive_a_reload(rig):
    ca = rig.authority()
    cert, relay = start(rig, ca, rig.origin(answer()))
    context = ca.client()

    def ask(session):
        wire = rig.connect(relay.addr, tls=context, session=session)
        wire.send(request())
        wire.response()
        return wire.resumed, wire.sock.session

    _, session = ask(None)
    cert.replace(ca.issue("example.org", file="fresh"))
    assert "error" not in reload(relay)
    assert ask(session)[0]


def test_tls_comes_and_goes_with_a_reload(rig):
    from lib.relay import write_config

    ca = rig.authority()
    cert = ca.issue("example.org")
    conf = rig.config(rig.origin(answer()))
    relay = rig.run(conf)
    conf["listeners"][0]["tls"] = {"certificates": [cert.entry()]}
    write_config(os.path.dirname(conf["admin"]), conf)
    assert "error" not in reload(relay)
    wait_for(lambda: tls_is(relay, True), why="TLS")
    assert served(relay) == sha(cert)
    del conf["listeners"][0]["tls"]
    write_config(os.path.dirname(conf["admin"]), conf)
    assert "error" not in reload(relay)
    wait_for(lambda: tls_is(relay, False), why="plaintext")


def tls_is(relay, on):
    """Is a plain request answered? A worker hears of a reload a moment after the master has told it."""
    wire = relay.connect()
    wire.send(request())
    try:
        return (wire.response()[1] == b"ok") != on
    except AssertionError:
        return on


def test_start_and_check_say_what_is_wrong(rig):
    ca = rig.authority()
    cert = ca.issue("example.org")
    conf = rig.config("127.0.0.1:1", listener={"tls": {"certificates": [cert.entry()]}})
    mismatch(cert, ca)
    relay = rig.run(conf, wait=False)
    assert relay.wait() == 1 and "found the key of another" in relay.text()
    relay.checked = True
    out = subprocess.run([BIN, "check", "--config", relay.config_path], capture_output=True, text=True, timeout=10, check=False)
    assert out.returncode == 1 and cert.key in out.stderr


def test_mistakes_in_the_config(rig):
    """Each with its line and what is allowed."""
    from lib.relay import write_config

    text = """\
listeners:
  - listen: 127.0.0.1:0
    http: "3"
    tls:
      ciphers: modern
      min_version: "1.2"
      client_certificates: require
  - listen: 127.0.0.1:0
    tls: {certificates: [{key: /x}, relative.pem]}
upstreams:
  - name: app
    servers: unix:/run/app.sock
    tls: {key: /x, server_nam: a}
"""
    path = write_config(rig.directory, text)
    out = subprocess.run([BIN, "check", "--config", path], capture_output=True, text=True, timeout=10, check=False)
    assert out.returncode == 1
    assert out.stderr.replace(path, "F").splitlines() == [
        'F:3: listeners[0].http: auto, 1.1 or 2, found "3"',
        "F:5: listeners[0].tls.certificates: a list of at least one certificate, found none",
        "F:6: listeners[0].tls.min_version: 1.3 with ciphers: modern, found less",
        "F:7: listeners[0].tls.client_certificates: request or require with client_ca, the file of the authorities that sign "
        "them, found none",
        'F:9: listeners[1].tls.certificates[1].certificate: an absolute path of a file, found "relative.pem"',
        "F:9: listeners[1].tls.certificates[0].certificate: a file with the server's certificate and its chain, found no such key",
        "F:13: upstreams[0].tls.server_nam: no such key, did you mean \"server_name\"?",
        "F:13: upstreams[0].tls.key: only with certificate, found without",
        "F:13: upstreams[0].tls.server_name: the name in the server's certificate, as servers[0] is a unix socket and has none, "
        "found no such key",
    ]
