"""streams, stream, routes, upstreams, lanes, limits, totals, workers: what a live daemon shows, in both lanes."""

import os
import re
import shutil
import subprocess
import time

import pytest
from ctlkit.run import CTL, ROOT, Ctl, run_ctl
from lib.proc import wait_for

FIELDS = set(
    """id worker client route upstream server method host path status http requests lane lane_reason event_stream chunked
    encoded blocked bytes_in bytes_out events chunks pending pending_max blocked_ms age_ms last_in_ms last_out_ms head_ms
    first_event_ms spills flips heartbeats dropped_events spliced_bytes spliced_events send_queue unsent srtt_us sndbuf rcvbuf
    sndbuf_changes notsent_lowat user_timeout_ms heartbeat_ms idle_timeout_ms slow_policy slow_limit state tls truncated slot
    drops lag_ms rate events_per_s unacked queue_age_ms sndbuf_now cwnd mss rttvar_us tcp_acked tcp_last_sent_ms
    tcp_last_ack_ms retransmits retransmitted tcp_state""".split()
)


@pytest.fixture(scope="module")
def live(scene):
    """Three streams: one that is read, one whose client reads nothing, one that loses events."""
    client, body, up = scene.open("/chat/a")
    for n in range(5):
        up.event(n)
    body.until(b"data: 4\n\n")
    stuck = scene.open("/stuck", rcvbuf=4096)
    fill(stuck[2])
    lossy = scene.open("/lossy/x", rcvbuf=4096)
    fill(lossy[2], most=300)
    ctl = scene.ctl
    wait_for(lambda: ctl.one("/stuck")["blocked"] and ctl.one("/stuck")["lag_ms"] > 300, 10, why="a client that lags")
    wait_for(lambda: ctl.one("/lossy/x")["dropped_events"] > 0, 10, why="events left out")
    scene.up, scene.body, scene.stuck = up, body, stuck
    return scene


def fill(up, most=2000):
    """Events until the relay takes no more for a while."""
    from lib.wire import chunk

    n, rest, since = 0, b"", time.monotonic()
    while n < most and time.monotonic() - since < 0.3:
        rest = rest or chunk(b"data: %s\n\n" % (b"x" * 1000))
        sent = up.send_some(rest)
        rest = rest[sent:]
        n += not rest
        if sent:
            since = time.monotonic()
        else:
            time.sleep(0.005)


def test_json_fields_are_stable_and_told_in_the_manual(live):
    for s in live.ctl.streams():
        assert set(s) == FIELDS
    with open(os.path.join(ROOT, "docs/man/sluicectl.8"), encoding="utf-8") as f:
        told = set(re.findall(r"^\.It Va (\w+)", f.read(), re.M))
    assert told == FIELDS


def test_a_stream_that_is_read(live):
    s = live.ctl.one("/chat/a")
    assert (s["route"], s["lane"], s["http"], s["status"], s["tls"]) == ("chat", live.best, 11, 200, False)
    assert s["lane_reason"] == ("" if live.spliced else "copy asked for" if live.lane == "copy" else s["lane_reason"])
    assert s["events"] == 5 and s["chunks"] == 5 and s["pending"] == 0 and not s["blocked"]
    assert s["lag_ms"] == 0 and s["unsent"] == 0 and s["unacked"] == 0 and s["queue_age_ms"] == 0
    assert s["tcp_state"] == "established" and s["srtt_us"] > 0 and s["state"] == s["lane"]
    assert s["head_ms"] is not None and s["first_event_ms"] is not None and s["last_in_ms"] is not None

    def all_arrived():
        s = live.ctl.one("/chat/a")
        return s["tcp_acked"] == s["bytes_out"]

    wait_for(all_arrived, 3, why="every byte in the client's kernel, between two heartbeats")
    wait_for(lambda: live.ctl.one("/chat/a")["heartbeats"] > 0, 5, why="a heartbeat")


def test_a_client_that_reads_nothing(live):
    s = live.ctl.one("/stuck")
    assert s["blocked"] and s["pending"] > 0 and s["pending_max"] >= s["pending"] and s["blocked_ms"] > 0
    assert s["unsent"] > 0 and s["queue_age_ms"] > 0
    assert s["lag_ms"] >= s["blocked_ms"] - 50
    assert s["sndbuf"] == 8192 and s["sndbuf_now"] == 16384 and s["send_queue"] > 0
    if live.spliced:
        assert s["lane"] == "copy" and s["lane_reason"] == "client lags" and s["spills"] > 0


def test_the_socket_is_the_streams_own(live):
    """Unsent and unacknowledged bytes against what ss says of the same connection."""

    def agree():
        s = live.ctl.one("/stuck")
        ss = subprocess.run(["ss", "-tniH", "dst", s["client"]], capture_output=True, text=True, check=True).stdout
        queue, unsent = int(ss.split()[2]), re.search(r"notsent:(\d+)", ss)
        return queue > 0 and unsent and (s["unsent"] + s["unacked"], s["unsent"]) == (queue, int(unsent[1]))

    wait_for(agree, 10, why="the same from both, at a moment when nothing moves")


def test_filters(live):
    ctl = live.ctl

    def paths(*words):
        return sorted(s["path"] for s in ctl.streams(*words))

    everything = ["/chat/a", "/lossy/x", "/stuck"]
    assert paths() == everything
    assert paths("route=chat") == ["/chat/a"] and paths("route!=chat") == everything[1:]
    assert paths("path~lossy") == ["/lossy/x"] and paths("path!~lossy", "route=rest") == ["/stuck"]
    assert paths("lag>200ms", "blocked>0") == sorted(s["path"] for s in ctl.streams() if s["blocked"])
    assert paths("lag<200ms", "route=chat") == ["/chat/a"]
    assert paths("dropped>=1") == ["/lossy/x"]
    assert paths("client=127.0.0.1") == everything and paths("client=10.0.0.1") == []
    assert paths("client=" + ctl.one("/stuck")["client"]) == ["/stuck"]
    assert paths("upstream=app", "state=copy", "lane=copy", "route=rest") == ["/stuck"]
    assert paths("age>1h") == [] and paths("age<1h") == everything and paths("events=5") == ["/chat/a"]
    assert paths(f"lane={live.best}", "reason!=client lags", "route=chat") == ["/chat/a"]
    assert paths("pending>1", "pending<100M", "last>=0", "route=rest") == ["/stuck"]


@pytest.mark.parametrize(
    "words, said",
    [
        (["nothing=1"], "there is no column 'nothing'; there are id, lane"),
        (["lag>soon"], "lag takes a time like 100ms"),
        (["pending>64Q"], "pending takes bytes"),
        (["lane>copy"], "lane is text"),
        (["events~3"], "events is a number"),
        (["chat"], "'chat' is no expression"),
        (["--sort", "x"], "there is no column 'x'"),
        (["--columns", "id,x"], "there is no column 'x'"),
        (["--limit", "0"], "--limit takes a number"),
        (["--wrong"], "there is no flag --wrong of streams"),
    ],
)
def test_mistakes_are_told(live, words, said):
    a = live.ctl("streams", *words, status=2)
    assert said in a.err and not a.out


def test_order_and_columns(live):
    ctl = live.ctl
    by_events = [r[0] for r in ctl("streams", "--columns", "path,events", "--sort", "events").rows]
    assert by_events[-1] == "/chat/a"
    assert [r[0] for r in ctl("streams", "--columns", "path", "--sort", "events", "--reverse").rows] == by_events[::-1]
    assert [r[0] for r in ctl("streams", "--columns", "path", "--sort", "path").rows] == ["/chat/a", "/lossy/x", "/stuck"]
    assert [s["path"] for s in ctl.streams("--sort", "path", "--limit", "1")] == ["/chat/a"]
    assert ctl("streams", "--columns", "id,lane").out.splitlines()[0].split() == ["ID", "LANE"]


def test_every_column_can_be_shown(live):
    """As the help of a mistake lists them."""
    names = re.findall(r"^  (\w+) ", live.ctl("streams", "--sort", "?", status=2).err, re.M)
    assert len(names) > 35
    out = live.ctl("streams", "--columns", ",".join(names)).out.splitlines()
    assert len(out) == 4


def test_rates(live):
    import threading

    stop = threading.Event()

    def feed():
        while not stop.wait(0.02):
            live.up.event("tick")
            live.body.pump(0)

    t = threading.Thread(target=feed)
    t.start()
    try:
        s = wait_for(lambda: [s for s in live.ctl.streams("--rates", "path=/chat/a") if s["events_per_s"] > 5], 10)[0]
    finally:
        stop.set()
        t.join()
    assert s["rate"] > 5 * len(b"data: tick\n\n")
    assert live.ctl.one("/chat/a")["rate"] is None


def test_one_stream(live):
    s = live.ctl.one("/stuck")
    one = live.ctl("stream", s["id"], "--json").json
    assert set(one) == FIELDS and one["id"] == s["id"] and one["path"] == "/stuck"
    text = live.ctl("stream", s["id"]).out
    for word in ("blocked", "unsent", "unacked", "srtt", "spills", "route", "first", "/stuck"):
        assert word in text
    assert "no stream has the id 99" in live.ctl("stream", 99, status=1).err
    assert "is no stream's id" in live.ctl("stream", "x", status=2).err


def test_routes(live):
    by = {r["name"]: r for r in live.ctl("routes", "--json").json}
    assert list(by) == ["chat", "lossy", "rest"]
    assert by["chat"]["streams"] == 1 and by["chat"][live.best] == 1 and by["chat"]["max_streams"] == 10
    assert by["rest"]["blocked"] == 1 and by["rest"]["pending"] > 0 and by["rest"]["lag_ms"] > 200
    assert by["lossy"]["slow"]["policy"] == "drop"
    rows = {r[0]: r for r in live.ctl("routes").rows}
    assert rows["chat"][1:4] == ["*/chat…", "app", live.lane]


def test_upstreams(live):
    def look():
        (u,) = live.ctl("upstreams", "--json").json
        return u if u["connections"] == 3 else None

    u = wait_for(look, 5, why="the workers' next look")
    assert u["upstream"] == "app" and u["server"] == live.origin.address
    assert u["state"] == "up" and u["workers"] == u["workers_up"] == 2 and not u["health_checked"]
    assert u["requests"] == 3 and u["failures"] == 0
    assert live.ctl("upstreams").rows[0][:3] == ["app", live.origin.address, "up"]


def test_lanes(live):
    o = live.ctl("lanes", "--json").json
    assert o["kernel"] == os.uname().release and o["features"] is None
    assert sum(x["streams"] for x in o["streams"]) == 3
    counted = {(x["lane"], x["lane_reason"]): x["streams"] for x in o["streams"]}
    for s in live.ctl.streams():
        assert (s["lane"], s["lane_reason"]) in counted
    if live.lane == "copy":
        assert not o["splice"] and "lane: copy" in o["why"] and o["selftest"] == []
    elif o["splice"]:
        assert o["selftest_ok"] and len(o["selftest"]) >= 8 and all(c["ok"] for c in o["selftest"])
    text = live.ctl("lanes", "--features").out
    assert f"splice lane: {'on' if o['splice'] else 'off'}" in text and "ring buffers" in text


def test_limits(live):
    rows = {(r["scope"], r["limit"]): r for r in live.ctl("limits", "--json").json}
    assert rows["sluice", "max_streams"] == {"scope": "sluice", "limit": "max_streams", "unit": "", "value": 65536, "used": 3}
    assert rows["route chat", "max_streams"]["value"] == 10 and rows["route chat", "max_streams"]["used"] == 1
    assert rows["route rest", "sndbuf"]["value"] == 8192 and rows["route rest", "sndbuf"]["unit"] == "bytes"
    assert rows["route chat", "heartbeat"] == {
        "scope": "route chat", "limit": "heartbeat", "unit": "ms", "value": 700, "used": None}
    for w in live.ctl("workers", "--json").json:
        fds = rows[f"worker {w['worker']}", "fds"]
        assert fds["used"] == len(os.listdir(f"/proc/{w['pid']}/fd")) and fds["value"] > 1000
    assert rows["client", "head_timeout"]["value"] == 10000 and rows["http1", "head"]["value"] == 65536
    assert rows["http2", "window"]["value"] == 65536 and rows["http2", "window"]["unit"] == "bytes"
    assert ("tls", "handshake_rate") in rows and ("http2", "max_streams") in rows
    assert ("upstream app " + live.origin.address, "max_connections") in rows
    assert "worker 0" in live.ctl("limits").out


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("version, proto, reason", [("--http2", "h2+tls", "tls"), ("--http1.1", "h1.1+tls", "tls")])
def test_tls_and_http2_streams(rig, version, proto, reason):
    """Their socket is the connection's; they can be looked at and killed as others; TLS and h2 have limits of their own."""
    origin = rig.origin()
    relay = rig.proxy(origin, "--tls-self-signed", "--lane", "auto")
    ctl = Ctl(relay)
    url = f"https://127.0.0.1:{relay.addr[1]}/secure"
    curl = subprocess.Popen(["curl", "-skN", version, url], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        up = origin.accept()
        up.request()
        up.stream_head()
        up.event("hello")
        s = wait_for(lambda: [s for s in ctl.streams() if s["events"] == 1], 5)[0]
        assert s["tls"] and s["http"] == (20 if proto == "h2+tls" else 11)
        assert s["lane"] == "copy" and s["lane_reason"] == reason
        assert s["tcp_state"] == "established" and s["unsent"] == 0 and s["srtt_us"] > 0
        assert ctl("streams", "--columns", "proto,path").rows == [[proto, "/secure"]]
        a = ctl("lane", s["id"], "copy")
        assert "copy asked for" in a.out
        assert f"stays on copy: {reason}" in ctl("lane", s["id"], "splice", status=1).err
        rows = {(r["scope"], r["limit"]): r for r in ctl("limits", "--json").json}
        assert ("listener 127.0.0.1:0 tls", "handshake_timeout") in rows
        ctl("kill", s["id"])
        wait_for(lambda: not ctl.streams(), 5, why="its end")
        assert curl.wait(10) is not None
    finally:
        curl.kill()
        curl.wait()


def test_totals_and_workers(live):
    t = live.ctl("totals", "--json").json
    assert t["requests"] >= 3 and t["streams_now"] == 3
    assert re.search(r"^requests +\d+$", live.ctl("totals").out, re.M)
    workers = live.ctl("workers", "--json").json
    assert [w["pid"] for w in workers] == sorted(live.relay.workers()) or len(workers) == 2
    assert len(live.ctl("workers").rows) == 2


def test_a_table_is_plain_in_a_pipe(live):
    assert "\033" not in live.ctl("streams").out
    assert max(map(len, live.ctl("streams").out.splitlines())) > 100, "nothing is cut where no terminal sets a width"


def test_control_characters_do_not_reach_the_terminal(live):
    from lib.wire import request

    wire = live.rig.connect(live.relay.addr)
    wire.send(request(target="/raw", host="x\x1b[31mred", fields=[("Accept", "text/event-stream")]))
    try:
        wire.fill(0.3)
    except AssertionError:
        pass
    assert "\033" not in live.ctl("streams").out


def test_by_instance_name_with_splice_or_run_dir(live):
    """Without --admin: the pins, or the default socket, tell."""
    name = live.relay.config["instance"]
    a = run_ctl("--instance", name, "streams", "--json")
    if live.spliced:
        assert {s["path"] for s in a.json} == {"/chat/a", "/stuck", "/lossy/x"}
    else:
        assert a.status == 1 and f"no sluice runs as instance '{name}'" in a.err


def test_help_and_version():
    a = run_ctl("--help")
    assert a.status == 0 and "usage: sluicectl" in a.out
    for verb in ("streams", "stream", "top", "routes", "upstreams", "lanes", "limits", "kill", "drain", "reload", "lane", "log"):
        assert re.search(rf"^  {verb} ", a.out, re.M)
        v = run_ctl(verb, "--help")
        assert v.status == 0 and v.out.startswith(f"usage: sluicectl {verb}")
    assert run_ctl().status == 2 and run_ctl("nope").status == 2
    assert run_ctl("--version").out.startswith("sluicectl ")


def test_nobody_runs():
    a = run_ctl("--instance", "nobody-here", "streams")
    assert a.status == 1 and "no sluice runs as instance 'nobody-here'; running: " in a.err
    a = run_ctl("--admin", "/tmp/no-such.sock", "routes")
    assert a.status == 1 and "/tmp/no-such.sock: no sluice answers there" in a.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_no_permission(live):
    os.chmod(os.path.dirname(live.relay.admin_path), 0o755)
    p = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", CTL, "--admin",
                        live.relay.admin_path, "streams"], capture_output=True, text=True, timeout=20)
    if "failed to execute" in p.stderr:
        pytest.skip("the tree is not readable for nobody: " + p.stderr.strip())
    assert p.returncode == 1 and "no permission: run this as root" in p.stderr
