"""What sslscan and testssl.sh, as outsiders, find in the TLS configuration."""

import json
import os
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

from lib.origin import answer

# The client's order is Mozilla's advice (docs/decisions/0006); the rest is the certificate's, the DNS's or the site's.
NOT_OURS = ("cert_", "DNS_CAArecord", "HSTS", "HPKP", "security_headers", "engine_problem", "cipher_order", "BREACH")


# Mozilla's intermediate profile (docs/decisions/0012).
TLS13 = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
TLS12 = {f"ECDHE-{key}-{cipher}" for key in ("ECDSA", "RSA")
         for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")}  # fmt: skip


def to_scan(rig):
    """A relay with an EC and an RSA certificate, stapled; and its authority."""
    ca = rig.authority()
    ec, rsa = ca.issue("example.org", "127.0.0.1"), ca.issue("example.org", "127.0.0.1", file="rsa", key="rsa")
    certificates = [ec.entry(ocsp=ca.ocsp(ec, "staple")), rsa.entry()]
    relay = rig.relay(rig.origin(answer()), workers=2, listener={"tls": {"certificates": certificates}},
                      tls={"handshake_rate": "unlimited"})  # fmt: skip
    return relay, ca


def test_what_is_offered(rig):
    """Each protocol and cipher that there is, tried one by one: exactly the profile is taken."""
    relay, _ = to_scan(rig)
    report = os.path.join(rig.directory, "scan.xml")
    subprocess.run(["sslscan", f"--xml={report}", "--sni-name=example.org", f"127.0.0.1:{relay.addr[1]}"],
                   stdin=subprocess.DEVNULL, capture_output=True, timeout=50, check=True)  # fmt: skip
    scan = ElementTree.parse(report)
    assert {p.get("version") for p in scan.iter("protocol") if p.get("enabled") == "1"} == {"1.2", "1.3"}
    assert scan.find(".//renegotiation").get("supported") == "0"
    assert {h.get("vulnerable") for h in scan.iter("heartbleed")} == {"0"}
    taken = {v: {c.get("cipher") for c in scan.iter("cipher") if c.get("sslversion") == v} for v in ("TLSv1.2", "TLSv1.3")}
    assert taken == {"TLSv1.2": TLS12, "TLSv1.3": TLS13}


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_no_weak_finding(rig):
    """Protocols, the server's choices, and every vulnerability that testssl.sh knows a test of."""
    relay, ca = to_scan(rig)
    report = os.path.join(rig.directory, "report.json")
    out = subprocess.run(
        ["testssl", "--quiet", "--color", "0", "--warnings", "off", "--sneaky", "--add-ca", ca.file, "--ip", "127.0.0.1",
         "--jsonfile", report, "-p", "-P", "-U", f"https://example.org:{relay.addr[1]}"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=220, check=False)  # fmt: skip
    with open(report, encoding="utf-8") as f:
        findings = json.load(f)
    by_id = {f["id"]: f["finding"] for f in findings}
    assert by_id.get("TLS1_3", "").startswith("offered") and by_id.get("TLS1_2", "").startswith("offered"), out.stdout[-3000:]
    for gone in ("SSLv2", "SSLv3", "TLS1", "TLS1_1"):
        assert by_id[gone] == "not offered", by_id[gone]
    assert len(findings) > 30, "the scan was not whole"
    weak = [f for f in findings if f["severity"] not in ("OK", "INFO") and not f["id"].startswith(NOT_OURS)]
    assert not weak, "\n".join(f"{f['severity']} {f['id']}: {f['finding']}" for f in weak)
