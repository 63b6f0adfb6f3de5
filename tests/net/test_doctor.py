"""sluicectl doctor against real proxies: what each does to a stream is found, by its name, in its place."""

import re
import json
import os
import shutil
import subprocess
import time

import pytest
from lib.peers import NGINX_GZIP, NGINX_TUNED, free_port
from lib.proc import Child, wait_for
from lib.relay import BIN, SANITIZERS
from lib.wire import connect

CTL = os.path.join(os.path.dirname(BIN), "sluicectl")
pytestmark = pytest.mark.skipif(not os.access(CTL, os.X_OK), reason=f"{CTL} is not built")

HAPROXY = """
global
    maxconn 100
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    {extra}
frontend f
    bind 127.0.0.1:{port}
    default_backend b
backend b
    server s {to}
"""
CADDY = """{{
    admin off
    auto_https off
}}
http://127.0.0.1:{port} {{
    {extra}
    reverse_proxy {to}
}}
"""


def up(child, port):
    def look():
        assert child.alive(), child.text()
        try:
            connect(("127.0.0.1", port), 0.5).close()
            return True
        except OSError:
            return False

    wait_for(look, 10, 0.05, "the proxy listens")
    return f"http://127.0.0.1:{port}"


def proxy(rig, program, template, argv, to, extra):
    path = shutil.which(program) or f"/usr/sbin/{program}"
    if not os.access(path, os.X_OK):
        pytest.skip(f"{program} is not installed: `make deps-test` brings it")
    directory, port = rig._new_directory(), free_port()
    conf = os.path.join(directory, f"{program}.conf")
    with open(conf, "w", encoding="ascii") as f:
        f.write(template.format(port=port, to=to.address, extra=extra))
    env = {"HOME": directory, "XDG_DATA_HOME": directory, "XDG_CONFIG_HOME": directory}
    return up(rig._keep(Child([path, *argv, conf], env=env)), port)


def haproxy(rig, to, extra="timeout server 60s"):
    return proxy(rig, "haproxy", HAPROXY, ["-db", "-f"], to, extra)


def caddy(rig, to, extra=""):
    return proxy(rig, "caddy", CADDY, ["run", "--adapter", "caddyfile", "--config"], to, extra)


def run(*args, timeout=40):
    return subprocess.run([CTL, "doctor", *args], capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, **SANITIZERS, "LC_ALL": "C.UTF-8"})  # fmt: skip


class Verdict:
    def __init__(self, p):
        assert p.returncode in (0, 1), p.stderr + p.stdout
        self.status, self.json = p.returncode, json.loads(p.stdout)
        self.found = {f["id"]: f for f in self.json["findings"] if f["weight"] != "advice"}
        self.hops = [h["hop"] for h in self.json["hops"]]
        assert self.json["healthy"] == (self.status == 0) == (not self.found), self.json["findings"]

    def first_fix(self, word):
        """Of the recognised hops."""
        return [x["config"] for x in self.found[word]["fixes"] if x["seen"]]


def look(url, *args, direct=None, seconds=2):
    more = ["--direct", direct.url + "/events"] if direct else []
    return Verdict(run(url + "/events", "--json", "--seconds", str(seconds), *more, *args))


def ticking(gap=0.05, before=b"", pad=120):
    """A handler: an event each `gap` seconds until the client goes."""

    def handler(conn):
        conn.request(60)
        conn.stream_head(b"Cache-Control: no-cache, no-transform\r\n" + before)
        n = 0
        while True:
            conn.event(b"x" * pad, id=n)
            n += 1
            time.sleep(gap)

    return handler


def falling_silent(conn):
    conn.request(60)
    conn.stream_head()
    for n in range(3):
        conn.event(n)
        time.sleep(0.1)


def breaking(conn):
    """Ends its connection in the middle of an event."""
    falling_silent(conn)
    conn.part(b"data: hal")
    time.sleep(0.05)
    conn.close()


@pytest.fixture(scope="module")
def ticker(shared):
    return shared.origin(ticking())


def test_a_chain_through_sluice_is_healthy(shared, ticker):
    v = look(shared.relay(ticker).url, direct=ticker)
    assert v.status == 0 and not v.json["findings"] and v.hops == ["sluice"]
    chain = v.json["looks"]["chain"]
    assert chain["events"] >= 5 and chain["head_ms"] < 1000 and chain["end"] == "open"


def test_http2_over_tls(shared, ticker):
    """ALPN brings HTTP/2, which the advice of an https stream without it is about; an unknown authority is no finding."""
    relay = shared.proxy(ticker.url, "--tls-self-signed")
    url = relay.url.replace("http:", "https:")
    v = look(url, "--insecure", direct=ticker)
    assert v.status == 0 and not v.json["findings"] and v.json["looks"]["chain"]["http"] == 20
    p = run(url + "/events", "--seconds", "1")
    assert p.returncode == 2 and "certificate" in p.stderr


def test_nginx_default_holds_head_and_events(shared, ticker):
    """Events of 130 bytes, 20 a second: a 4 KiB buffer takes about 1.6 s to fill."""
    v = look(shared.nginx(ticker).url, direct=ticker, seconds=6)
    assert set(v.found) == {"head-held", "batches"} and v.hops == ["nginx"]
    assert all(f["where"] == "chain" for f in v.found.values()) and v.json["origin_healthy"]
    assert "the head came" in v.found["head-held"]["evidence"] and 1000 < v.json["looks"]["chain"]["head_ms"] < 4000
    assert "buffer of 4 KiB" in v.found["batches"]["cause"]
    assert "proxy_buffering off" in v.first_fix("batches")[0] and "proxy_http_version 1.1" in v.first_fix("batches")[0]


def test_nginx_with_its_cure_is_healthy(shared, ticker):
    assert look(shared.nginx(ticker, location=NGINX_TUNED).url, direct=ticker).status == 0


def test_nginx_with_gzip_compresses(shared, ticker):
    v = look(shared.nginx(ticker, location="proxy_buffering off; proxy_http_version 1.1;", http=NGINX_GZIP).url, direct=ticker)
    assert v.found["compressed"]["where"] == "chain" and "gzip" in v.found["compressed"]["evidence"]
    assert "gzip off" in v.first_fix("compressed")[0]


def test_nginx_with_gzip_and_buffering_does_both(shared):
    """Compressed events fill a buffer slowly: many of them, and not alike."""
    def random(conn):
        conn.request(60)
        conn.stream_head()
        while True:
            conn.event(os.urandom(300).hex().encode())
            time.sleep(0.02)

    origin = shared.origin(random)
    v = look(shared.nginx(origin, http=NGINX_GZIP).url, direct=origin, seconds=6)
    assert {"compressed", "batches"} <= set(v.found), v.found
    assert v.found["batches"]["where"] == v.found["compressed"]["where"] == "chain"


def test_nginx_asking_http10_makes_a_broken_stream_look_complete(shared):
    origin = shared.origin(breaking)
    v = look(shared.nginx(origin, location="proxy_buffering off;").url)
    assert v.found["end-in-event"]["fixes"] and "HTTP/1.0" in v.found["end-in-event"]["cause"]
    assert "proxy_http_version 1.1" in v.first_fix("end-in-event")[0]
    # The same break through HTTP/1.1 is one that a client can tell.
    v = look(shared.nginx(origin, location=NGINX_TUNED).url)
    assert "end-in-event" not in v.found and v.found.keys() <= {"cut", "drop-at-age"} and v.found


def test_http10_and_close_framing_at_the_client(shared):
    origin = shared.origin(lambda conn: (conn.request(60), conn.send(
        b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"), conn.send(b"data: 1\n\n")))  # fmt: skip
    assert "HTTP/1.0" in look(origin.url, seconds=1).found["http10"]["evidence"]
    origin = shared.origin(lambda conn: (conn.request(60), conn.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"), conn.send(b"data: 1\n\n")))  # fmt: skip
    v = look(haproxy(shared, origin), seconds=1)
    assert "neither chunks nor a length" in v.found["http10"]["evidence"]


def test_haproxys_short_timeout_is_measured(shared):
    origin = shared.origin(falling_silent)
    v = look(haproxy(shared, origin, "timeout server 2s"), direct=origin, seconds=6)
    found = v.found["drop-after-silence"]
    # HAProxy's timers may be a few milliseconds early, and the last byte seen late.
    assert found["where"] == "chain" and re.search(r"and again after (1\.[5-9]\d|[23]\.\d+) s", found["evidence"]), found
    assert 1500 < v.json["looks"]["chain_again"]["longest_silence_ms"] < 4000
    assert v.hops == [] and any("timeout server" in f["config"] for f in found["fixes"] if f["hop"] == "haproxy")


def test_haproxy_corks_small_events_and_its_cure_helps(shared):
    """Without http-no-delay three events of ten a second come together; found with real HAProxy 2.6."""
    origin = shared.origin(ticking(0.1))
    v = look(haproxy(shared, origin), direct=origin, seconds=3)
    assert v.found["batches"]["where"] == "chain"
    assert look(haproxy(shared, origin, "timeout server 60s\n    option http-no-delay"), direct=origin).status == 0


def test_sluice_keeps_a_silent_stream_alive_through_haproxy(shared):
    origin = shared.origin(falling_silent)
    relay = shared.relay(origin, route={"heartbeat": "500ms"})
    v = look(haproxy(shared, relay_address(relay), "timeout server 1s\n    option http-no-delay"), seconds=3)
    assert v.status == 0 and v.json["looks"]["chain"]["comments"] >= 4


class relay_address:  # noqa: N801: reads as a function
    def __init__(self, relay):
        self.address = f"{relay.addr[0]}:{relay.addr[1]}"


def test_caddy_is_healthy_and_known(shared, ticker):
    v = look(caddy(shared, ticker), direct=ticker)
    assert v.status == 0 and v.hops == ["caddy"]


def test_an_absolute_lifetime_is_told_from_silence(shared):
    def limited(conn):
        conn.request(60)
        conn.stream_head()
        for n in range(50):
            conn.event(n)
            time.sleep(0.05)
        conn.close()

    v = look(shared.origin(limited).url, seconds=6)
    assert "drop-at-age" in v.found and "and again" in v.found["drop-at-age"]["evidence"]


def test_silence_without_heartbeats(shared):
    origin = shared.origin(falling_silent)
    v = look(origin.url, seconds=21)
    assert v.found.keys() == {"no-heartbeat"} and "no byte for 20." in v.found["no-heartbeat"]["evidence"]


@pytest.mark.parametrize(
    "answer, word",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok", "content-type"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "status"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\ndata: 1\n\n", "content-length"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nAge: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "cached"),
    ],
)  # fmt: skip
def test_odd_answers(shared, answer, word):
    v = look(shared.origin(lambda conn: (conn.request(60), conn.send(answer))).url, seconds=1)
    assert set(v.found) == {word}


def test_redirect_and_cors(shared, ticker):
    where = ticker.url + "/events"
    origin = shared.origin(lambda conn: (conn.request(60), conn.send(
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % where.encode())))  # fmt: skip
    v = look(origin.url, "--header", "Origin: https://a.example", "--header", "X-Other: 1", seconds=1)
    assert set(v.found) == {"redirect", "cors"} and v.json["looks"]["chain"]["url"] == where
    assert b"Origin: https://a.example" in ticker.log_of_all() and b"X-Other: 1" in ticker.log_of_all()


def test_it_asks_as_browsers_do(shared, ticker):
    look(ticker.url, seconds=0.3)
    log = ticker.log_of_all()
    assert b"Accept: text/event-stream" in log and b"Accept-Encoding: gzip, deflate, br" in log


def test_could_not_look_is_2(shared):
    p = run(f"http://127.0.0.1:{free_port()}/", "--seconds", "1")
    assert p.returncode == 2 and "cannot look at" in p.stderr
    for bad in (["ftp://x/"], ["http://x/", "--seconds", "0"], ["http://x/", "--header", "no colon"], []):
        p = run(*bad)
        assert p.returncode == 2 and "doctor" in p.stderr, p


def test_the_report_for_eyes(shared, ticker):
    p = run(shared.nginx(ticker).url + "/events", "--direct", ticker.url + "/events", "--seconds", "4")
    assert p.returncode == 1 and "\033" not in p.stdout
    lines = p.stdout.splitlines()
    assert lines[0].startswith("not healthy: 2 problems, 0 warnings; the origin itself is fine")
    picture = {x.split()[0]: x for x in lines if x.startswith(("  chain  ", "  origin ")) and "http" not in x}
    assert "█" in picture["chain"] and "•" in picture["origin"] and "H" in picture["chain"]
    assert "in the chain" in p.stdout and "proxy_buffering off;" in p.stdout and "Looked for 4 s" in p.stdout
