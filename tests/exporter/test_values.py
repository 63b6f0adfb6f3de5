"""What is done to a real sluice is what the page says, on both lanes."""

import os
import signal
import subprocess
import time

import pytest
import yaml
from kit import Exporter, check_metrics, exporter, families
from lib.origin import answer
from lib.proc import wait_for
from lib.wire import chunk, connect, event_request, request

LANES = ["copy", pytest.param("splice", marks=pytest.mark.skipif(os.geteuid() != 0, reason="the splice lane is loaded as root"))]


def live(relay, n=1, **match):
    """Waits for n live records with these values."""
    return wait_for(lambda: [r for r in [[s for s in relay.admin("streams") if all(s[k] == v for k, v in match.items())]] if len(r) == n],
                    5, why=f"{n} streams with {match}: {relay.admin('streams')}")[0]


@pytest.mark.parametrize("lane", LANES)
def test_streams_events_times_and_ends(rig, lane):
    origin = rig.origin()
    relay = rig.relay(origin, lane=lane, workers=2, max_streams=64, route={"heartbeat": "off"})
    e = exporter(rig, relay)
    route = relay.config["routes"][0]["name"] if relay.config.get("routes") and relay.config["routes"][0].get("name") else "route 1"
    page = e.page()
    assert page.get("sluice_up") == 1 and page.get("sluice_workers") == 2 and page.get("sluice_max_streams") == 64
    assert page.get("sluice_splice_loaded") == (lane == "splice")
    assert page.get("sluice_events_total", lane=lane) == 0 and page.get("sluice_sent_bytes_total", lane=lane) == 0
    assert abs(page.get("sluice_start_time_seconds") - time.time()) < 30
    before = set(page.names())

    streams = [rig.stream(relay, origin) for _ in range(4)]
    live(relay, 4, lane=lane)
    page = e.page()
    reason = "none" if lane == "splice" else "copy asked for"
    assert page.all("sluice_streams", route=route, lane=lane) == [({"route": route, "lane": lane, "reason": reason}, 4)]
    assert page.get("sluice_event_streams", route=route) == 4 and page.get("sluice_event_streams_without_event", route=route) == 4
    assert page.get("sluice_connections") == 4 and page.get("sluice_requests_in_progress") == 4
    assert page.get("sluice_time_to_head_seconds_count") == 4 and page.get("sluice_time_to_first_event_seconds_count") == 0

    size = 0
    for n in range(5):
        for _, body, up in streams:
            up.part(b"data: %04d\n\n" % n)
            body.until(b"%04d" % n)
            size += len(chunk(b"data: %04d\n\n" % n))
        time.sleep(0.06)
    page = e.until("sluice_events_total", 20)
    assert page.get("sluice_events_total", lane=lane) == 20
    assert page.get("sluice_sent_bytes_total", lane=lane) >= size
    if lane == "splice":
        assert page.get("sluice_sent_bytes_total", lane="splice") == size
        assert page.get("sluice_splice_redirected_segments_total") == 20
    # the first event has nothing in front of it; the others had 60 ms and what the test took
    assert page.get("sluice_event_gap_seconds_count") == 16
    assert page.under("sluice_event_gap_seconds", "0.05") == 0 and page.under("sluice_event_gap_seconds", "5") == 16
    assert 16 * 0.06 <= page.get("sluice_event_gap_seconds_sum") < 16 * 1
    page = e.until("sluice_time_to_first_event_seconds_count", 4, timeout=12)
    assert page.get("sluice_event_streams_without_event", route=route) == 0
    assert page.get("sluice_event_stream_silence_max_seconds", route=route) < 15
    assert page.get("sluice_streams_ended_total") == 0 and page.get("sluice_stream_lifetime_seconds_count") == 0

    (c0, b0, u0), (c1, _, _), (c2, _, u2), _ = streams
    u0.finish()
    b0.to_end()
    c1.close()
    u2.rst()
    c2.wait_end()
    page = e.until("sluice_streams_ended_total", 3)
    assert page.get("sluice_streams_ended_total", by="complete", phase=lane) == 1
    assert page.get("sluice_streams_ended_total", by="client", phase=lane) == 1
    # the kernel is left before the end is read
    assert page.get("sluice_streams_ended_total", by="upstream") == 1
    assert page.get("sluice_truncations_total") == 1
    assert page.get("sluice_upstream_abort_seconds_count") == 1 and page.under("sluice_upstream_abort_seconds", "0.05") == 1
    assert page.get("sluice_stream_lifetime_seconds_count") == 3 and page.under("sluice_stream_lifetime_seconds", "59") == 3
    assert page.get("sluice_stream_pending_peak_bytes_count") == 3
    page = e.until("sluice_event_streams", 1, route=route)
    assert page.get("sluice_events_total", lane=lane) == 20, "counts stay when streams end"
    assert page.get("sluice_event_streams_total") == 4 and page.get("sluice_requests_total") == 4
    assert before <= page.names()
    check_metrics(page.text)
    # nothing is shown that is not in the lists, nothing is left out but what needs an option or a certificate
    shown = {n.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for n in page.names()}
    left = {"sluice_top_stream_pending_bytes", "sluice_top_stream_blocked_seconds", "sluice_certificate_expiry_timestamp_seconds"}
    assert shown <= set(families()) and set(families()) - shown <= left, set(families()) ^ shown


def test_refusals_limits_and_what_upstreams_do_wrong(rig):
    origin = rig.origin()
    conf = rig.config(origin, workers=1, route={"max_streams": 1})
    relay = rig.run(conf)
    e = exporter(rig, relay)
    assert b" 400 " in relay.get(b"GET / HTTP/1.1\r\n\r\n")[0].raw
    assert b" 400 " in relay.get(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")[0].raw
    page = e.until("sluice_streams_ended_total", 2, by="refused")
    assert page.get("sluice_requests_refused_total", rule="host_missing") == 1
    assert page.get("sluice_requests_refused_total", rule="host_repeated") == 1
    assert page.get("sluice_requests_refused_total") == 2
    assert page.get("sluice_requests_rejected_total") == 0

    client, _, _ = rig.stream(relay, origin)
    assert b" 503 " in relay.get(event_request())[0].raw
    page = e.until("sluice_requests_rejected_total", 1)
    assert page.get("sluice_requests_rejected_total", reason="route_max_streams") == 1
    assert page.get("sluice_streams_ended_total", by="overload", phase="route") == 1
    client.close()
    e.until("sluice_requests_in_progress", 0)

    wire = rig.connect(relay.addr)
    wire.send(request())
    up = origin.accept()
    up.request()
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n")
    assert b" 502 " in wire.final_head().raw
    page = e.until("sluice_bad_responses_total", 1)
    assert page.get("sluice_streams_ended_total", by="bad_response", phase="read_head") == 1
    assert page.get("sluice_request_duration_seconds_count") == page.get("sluice_streams_ended_total") - 1


def test_heartbeats_and_compressed_streams(rig):
    origin = rig.origin()
    relay = rig.relay(origin, workers=1, route={"heartbeat": "1s"})
    e = exporter(rig, relay)
    client, body, up = rig.stream(relay, origin)
    up.event("x")
    e.until("sluice_heartbeats_total", 2, timeout=5)
    client.close()
    wire = rig.connect(relay.addr)
    wire.send(event_request())
    up = origin.accept()
    up.request()
    up.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
    wire.final_head()
    page = e.until("sluice_compressed_event_streams_total", 1)
    assert page.get("sluice_event_streams_total") == 2


def lag(up, body_bytes=1000, quiet=0.3):
    """Events until the relay takes no more."""
    n, rest, last = 0, b"", time.monotonic()
    while time.monotonic() - last < quiet and n < 3000:
        if not rest:
            rest, n = chunk(b"data: " + b"x" * body_bytes + b"\n\n"), n + 1
        sent = up.send_some(rest)
        rest = rest[sent:]
        last = time.monotonic() if sent else last
        if not sent:
            if up.end:
                break
            up.fill(0.005)


@pytest.mark.parametrize("lane", LANES)
def test_a_client_that_lags(rig, lane):
    origin = rig.origin()
    relay = rig.relay(origin, lane=lane, workers=1, max_streams=64, route={"heartbeat": "off", "timeouts": {"stall": "60s"}})
    e = exporter(rig, relay, "--top", "3")
    client, body, up = rig.stream(relay, origin, rcvbuf=16384)
    up.part(b"data: 1\n\n")
    body.until(b"data: 1")
    lag(up)
    (record,) = live(relay, 1, blocked=True)
    page = e.page()
    assert page.get("sluice_blocked_streams") == 1
    assert page.get("sluice_pending_bytes") == record["pending"] > 0
    assert page.get("sluice_spills_total") == record["spills"] and (record["spills"] > 0) == (lane == "splice")
    ((labels, pending),) = page.all("sluice_top_stream_pending_bytes")
    assert pending == record["pending"] and labels["id"] == str(record["id"]) and labels["host"] == "test.example"
    assert labels["path"] == "/events" and labels["lane"] == "copy" and labels["client"] == record["client"]
    assert page.get("sluice_top_stream_blocked_seconds", id=labels["id"]) > 0
    if lane == "splice":
        assert page.get("sluice_streams", lane="copy", reason="client lags") == 1
        assert page.get("sluice_splice_passed_segments_total", why="room") >= 1
    check_metrics(page.text)
    client.close()
    page = e.until("sluice_requests_in_progress", 0)
    assert page.get("sluice_blocked_streams") == 0 and page.get("sluice_pending_bytes") == 0
    assert page.get("sluice_stream_pending_peak_bytes_sum") == relay.wait_log(event="end")["pending_max"]


def test_dropped_events(rig):
    origin = rig.origin()
    relay = rig.relay(origin, workers=1, route={"heartbeat": "off", "slow": {"policy": "drop", "bytes": "64KiB"}})
    e = exporter(rig, relay)
    client, _, up = rig.stream(relay, origin, rcvbuf=4096)
    lag(up)
    (record,) = live(relay, 1)
    page = e.page()
    assert page.get("sluice_dropped_events_total") == record["dropped_events"] > 0
    assert 0 < page.get("sluice_drops_total") <= record["dropped_events"]
    client.close()


def test_servers_retries_reloads_and_restarts(rig):
    origin, gone = rig.origin(), rig.origin()
    address = f"127.0.0.1:{gone.port}"
    gone.close()
    conf = rig.config(origin, workers=2)
    conf["upstreams"][0]["servers"] = [f"127.0.0.1:{origin.port}", address]
    conf["upstreams"][0]["balance"] = "round-robin"
    relay = rig.run(conf)
    relay.expect_deaths = True
    e = exporter(rig, relay)
    name = conf["upstreams"][0]["name"]
    for _ in range(4):
        client, _, _ = rig.stream(relay, origin)
        client.close()
    page = e.until("sluice_upstream_server_requests_total", 4, server=f"127.0.0.1:{origin.port}", timeout=5)
    failures = page.get("sluice_upstream_server_failures_total", upstream=name, server=address)
    assert 1 <= failures <= 4 and page.get("sluice_upstream_retries_total") >= failures
    assert page.get("sluice_upstream_server_up", server=f"127.0.0.1:{origin.port}") == 1
    assert page.get("sluice_upstream_server_failures_total", server=f"127.0.0.1:{origin.port}") == 0

    assert page.get("sluice_config_last_reload_successful") == 1
    relay.send_signal(signal.SIGHUP)
    page = e.until("sluice_config_reloads_total", 1, result="ok")
    time.sleep(0.3)
    page = e.page()
    assert page.get("sluice_upstream_server_requests_total", server=f"127.0.0.1:{origin.port}") == 4, "counts outlive a reload"
    loaded = page.get("sluice_config_last_reload_success_timestamp_seconds")
    assert abs(loaded - time.time()) < 30
    with open(relay.config_path, "a", encoding="utf-8") as f:
        f.write("\nnonsense: 1\n")
    relay.send_signal(signal.SIGHUP)
    page = e.until("sluice_config_reloads_total", 1, result="failed")
    assert page.get("sluice_config_last_reload_successful") == 0
    assert page.get("sluice_config_last_reload_success_timestamp_seconds") == loaded
    with open(relay.config_path, "w", encoding="utf-8") as f:
        yaml.safe_dump(conf, f)

    os.kill(relay.workers()[0], signal.SIGKILL)
    page = e.until("sluice_worker_restarts_total", 1)
    assert page.get("sluice_requests_total") == 4, "a worker's counts outlive it"


def test_tls_and_h2_rows_are_there(rig):
    """Every series from the start, at 0: what appears at 1 hides its first increase."""
    relay = rig.relay(rig.origin(), workers=1)
    page = exporter(rig, relay).page()
    for name, labels in (("sluice_tls_handshakes_total", {"side": "client"}), ("sluice_tls_client_handshake_failures_total", {"reason": "version"}),
                         ("sluice_h2_resets_received_total", {"code": "cancel"}), ("sluice_h2_goaways_sent_total", {"code": "enhance_your_calm"}),
                         ("sluice_h2_connections_ended_total", {"reason": "resets"}), ("sluice_streams_ended_total", {"by": "internal", "phase": "splice"}),
                         ("sluice_requests_rejected_total", {"reason": "fds"}), ("sluice_requests_refused_total", {"rule": "cl_and_te"})):
        assert page.get(name, **labels) == 0, name
    assert connect(relay.addr)


def curl(relay, *args):
    out = subprocess.run(["curl", "-sk", "-m", "5", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", *args, f"https://127.0.0.1:{relay.addr[1]}/x"],
                         stdout=subprocess.PIPE, timeout=10, text=True)
    return out.stdout


def test_tls_and_h2(rig):
    """Handshakes, versions and streams of real clients, and the certificate's end."""
    origin = rig.origin(answer())
    relay = rig.proxy(origin, "--tls-self-signed")
    e = rig._keep(Exporter("--admin", relay.admin_path))
    ((labels, ends),) = e.page().all("sluice_certificate_expiry_timestamp_seconds")
    assert labels["file"] == "self-signed" and "localhost" in labels["names"] and 29 * 86400 < ends - time.time() < 31 * 86400
    assert curl(relay, "--http1.1") == "1.1 200" and curl(relay, "--http2") == "2 200"
    page = e.until("sluice_tls_handshakes_total", 2, side="client")
    assert page.get("sluice_h2_connections_total") == 1 and page.get("sluice_h2_streams_total") == 1
    assert page.get("sluice_tls_client_handshake_failures_total") == 0
    e.until("sluice_h2_connections", 0)
    wire = rig.connect(relay.addr)
    wire.send(b"GET / HTTP/1.1\r\nHost: plain\r\n\r\n")
    wire.wait_end()
    page = e.until("sluice_tls_client_handshake_failures_total", 1)
    assert page.get("sluice_tls_client_handshake_failures_total", reason="not_tls") == 1
    assert curl(relay, "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0").endswith("000")
    page = e.until("sluice_tls_client_handshake_failures_total", 2)
    assert page.get("sluice_tls_client_handshake_failures_total", reason="version") == 1
    check_metrics(page.text)


def test_certificates_follow_a_reload(rig):
    """Two files, one of them shared by two listeners; then only one."""
    origin = rig.origin()
    conf = rig.config(origin, workers=1)
    directory = os.path.dirname(conf["admin"])
    for name, days in (("a", 10), ("b", 200)):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", str(days),
                        "-keyout", f"{directory}/{name}.key", "-out", f"{directory}/{name}.pem", "-subj", f"/CN={name}.test",
                        "-addext", f"subjectAltName=DNS:{name}.test"], check=True, stderr=subprocess.DEVNULL, timeout=20)

    def listener(name):
        return {"listen": "127.0.0.1:0", "tls": {"certificates": [{"certificate": f"{directory}/{name}.pem", "key": f"{directory}/{name}.key"}]}}

    conf["listeners"] = [listener("a"), listener("a"), listener("b")]
    relay = rig.run(conf)
    e = exporter(rig, relay)
    page = e.until("sluice_up", 1)
    found = {l["names"]: (l["file"], v - time.time()) for l, v in page.all("sluice_certificate_expiry_timestamp_seconds")}
    assert set(found) == {"a.test", "b.test"} and len(page.all("sluice_certificate_expiry_timestamp_seconds")) == 2
    assert found["a.test"][0] == f"{directory}/a.pem"[:111] and 9 * 86400 < found["a.test"][1] < 11 * 86400 and found["b.test"][1] > 199 * 86400
    conf["listeners"] = [listener("b")]
    with open(relay.config_path, "w", encoding="utf-8") as f:
        yaml.safe_dump(conf, f)
    relay.send_signal(signal.SIGHUP)
    page = e.until("sluice_config_reloads_total", 1, result="ok")
    page = e.page()
    assert [l["names"] for l, _ in page.all("sluice_certificate_expiry_timestamp_seconds")] == ["b.test"]


def test_tls_towards_servers(rig):
    """Another relay with a certificate that nobody knows stands in for a server."""
    origin = rig.origin(answer())
    server = rig.proxy(origin, "--tls-self-signed")
    conf = rig.config(f"127.0.0.1:{server.addr[1]}", workers=1)
    conf["upstreams"][0]["tls"] = {"verify": False}
    relay = rig.run(conf)
    e = exporter(rig, relay)
    assert b" 200 " in relay.get(request())[0].raw
    page = e.until("sluice_tls_handshakes_total", 1, side="upstream")
    assert page.get("sluice_tls_upstream_handshake_failures_total") == 0 and page.get("sluice_tls_handshakes_total", side="client") == 0
    conf = rig.config(f"127.0.0.1:{server.addr[1]}", workers=1)
    conf["upstreams"][0]["tls"] = {"verify": True}
    relay = rig.run(conf)
    e = exporter(rig, relay)
    assert b" 503 " in relay.get(request())[0].raw
    page = e.page()
    tries = page.get("sluice_tls_upstream_handshake_failures_total")
    assert tries >= 1 and page.get("sluice_tls_upstream_handshake_failures_total", reason="certificate") == tries
    assert page.get("sluice_tls_handshakes_total", side="upstream") == 0
    # the server is told by an alert
    seen = rig._keep(Exporter("--admin", server.admin_path)).until("sluice_tls_client_handshake_failures_total", tries)
    assert seen.get("sluice_tls_client_handshake_failures_total", reason="peer_alert") == tries
