"""What testssl.sh, as an outsider, finds in the TLS configuration."""

import json
import os
import subprocess

import pytest

from lib.origin import answer

# The client's order is Mozilla's advice (docs/decisions/0006); the rest is the certificate's, the DNS's or the site's.
NOT_OURS = ("cert_", "DNS_CAArecord", "HSTS", "HPKP", "security_headers", "engine_problem", "cipher_order", "BREACH")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_no_weak_finding(rig):
    ca = rig.authority()
    ec, rsa = ca.issue("example.org", "127.0.0.1"), ca.issue("example.org", "127.0.0.1", file="rsa", key="rsa")
    certificates = [ec.entry(ocsp=ca.ocsp(ec, "staple")), rsa.entry()]
    relay = rig.relay(rig.origin(answer()), workers=2, listener={"tls": {"certificates": certificates}},
                      tls={"handshake_rate": "unlimited"})  # fmt: skip
    report = os.path.join(rig.directory, "report.json")
    out = subprocess.run(
        ["testssl", "--quiet", "--color", "0", "--warnings", "off", "--sneaky", "--add-ca", ca.file, "--ip", "127.0.0.1",
         "--jsonfile", report, "-p", "-s", "-f", "-P", "-S", "-U", f"https://example.org:{relay.addr[1]}"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=220, check=False)  # fmt: skip
    with open(report, encoding="utf-8") as f:
        findings = json.load(f)
    by_id = {f["id"]: f["finding"] for f in findings}
    assert by_id.get("TLS1_3", "").startswith("offered") and by_id.get("TLS1_2", "").startswith("offered"), out.stdout[-3000:]
    for gone in ("SSLv2", "SSLv3", "TLS1", "TLS1_1"):
        assert by_id[gone] == "not offered", by_id[gone]
    assert len(findings) > 60, "the scan was not whole"
    weak = [f for f in findings if f["severity"] not in ("OK", "INFO") and not f["id"].startswith(NOT_OURS)]
    assert not weak, "\n".join(f"{f['severity']} {f['id']}: {f['finding']}" for f in weak)
