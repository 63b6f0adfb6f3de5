"""kill, drain, reload, lane, log level: what the daemon is told to do, and does."""

import os
import signal
import threading
import time

import pytest
from ctlkit.run import Ctl, run_ctl
from lib.proc import wait_for
from lib.relay import write_config
from lib.wire import event_request


def test_kill_ends_one_stream(scene):
    client, body, up = scene.open("/chat/kill")
    other = scene.open("/other")
    s = scene.ctl.one("/chat/kill")
    assert f"stream {s['id']} is being ended" in scene.ctl("kill", s["id"]).out
    wait_for(lambda: not scene.ctl.streams("path=/chat/kill"), why="its end")
    assert scene.relay.wait_log(event="end", id=s["id"])["ended_by"] == "admin"
    other[2].event("still here")
    other[1].until(b"still here")
    assert "no stream has this id" in scene.ctl("kill", s["id"], status=1).err
    assert "takes ID" in scene.ctl("kill", status=2).err
    assert scene.ctl("kill", scene.ctl.one("/other")["id"], "--json").json == {"ok": True}


def test_log_level_reaches_master_and_workers(scene):
    assert scene.ctl("log", "level").out == "info\n"
    scene.ctl("log", "level", "debug")
    assert scene.ctl("log", "level", "--json").json == {"ok": True, "level": "debug"}
    scene.ctl("log", "level", "info")
    assert scene.ctl("log", "level").out == "info\n"
    assert "'loud' is no level: error, warn, info or debug" in scene.ctl("log", "level", "loud", status=2).err
    assert "log knows 'level'" in scene.ctl("log", "volume", status=2).err


def test_lane_changes_on_a_live_stream_byte_for_byte(scene):
    """Flipped many times while events come: the client gets every byte, once, in order."""
    client, body, up = scene.open("/flip")
    ctl, sent, stop = scene.ctl, [], threading.Event()

    def feed():
        n = 0
        while not stop.is_set():
            sent.append(up.event(b"%d %s" % (n, b"y" * (n % 700))))
            n += 1
            time.sleep(0.001)

    up.event("first")
    body.until(b"first\n\n")
    ident = ctl.one("/flip")["id"]
    feeder = threading.Thread(target=feed)
    reader = threading.Thread(target=lambda: [body.pump(0.02) for _ in iter(stop.is_set, True)])
    feeder.start()
    reader.start()
    try:
        for _ in range(6):
            assert ctl("lane", ident, "copy").out == f"stream {ident}: copy, copy asked for\n"
            s = ctl.one("/flip")
            assert (s["lane"], s["lane_reason"]) == ("copy", "copy asked for")
            time.sleep(0.03)
            assert ctl.one("/flip")["lane"] == "copy", "it stays there"
            if scene.spliced:
                ctl("lane", ident, "splice")
                wait_for(lambda: ctl.one("/flip")["lane"] == "splice", 5, why="the splice lane again")
            else:
                a = ctl("lane", ident, "splice", status=1)
                assert f"stream {ident} stays on copy: kernel" in a.err
    finally:
        stop.set()
        feeder.join()
        reader.join()
    flips = ctl.one("/flip")["flips"]
    up.finish()
    assert body.to_end(10) == b"data: first\n\n" + b"".join(sent) and len(sent) > 50
    if scene.spliced:
        assert flips >= 12
    record = scene.relay.wait_log(event="end", id=ident)
    assert record["ended_by"] == "complete" and record["events"] == len(sent) + 1


def test_a_lane_that_cannot_be_had(scene):
    """The answer is the reason, and nothing happens to the stream."""
    assert "no stream has this id" in scene.ctl("lane", 123456789, "copy", status=1).err
    assert "can be made copy or splice, not 'tunnel'" in scene.ctl("lane", 1, "tunnel", status=2).err
    client, body, up = scene.open("/h10", data=None)
    s = scene.ctl.one("/h10")
    a = scene.ctl("lane", s["id"], "copy", "--json").json
    assert a == {"ok": True, "lane": "copy", "lane_reason": "copy asked for"}
    up.event("on")
    body.until(b"on\n\n")


def test_copy_by_order_in_a_lagging_stream(scene):
    """SETTLE and a blocked client in between lose nothing."""
    client, body, up = scene.open("/lag-flip", rcvbuf=4096)
    ident, sent = scene.ctl.one("/lag-flip")["id"], []
    for n in range(40):
        sent.append(up.event(b"%d %s" % (n, b"z" * 900)))
    wait_for(lambda: scene.ctl.one("/lag-flip")["events"] >= 5, 5)
    scene.ctl("lane", ident, "copy")
    up.finish()
    assert body.to_end(10) == b"".join(sent)


def test_reload_good_and_bad(rig):
    origin = rig.origin()
    conf = rig.config(origin)
    relay = rig.run(conf)
    ctl = Ctl(relay)
    conf["routes"][0]["name"] = "renamed"
    write_config(os.path.dirname(conf["admin"]), conf)
    assert "reloaded: new requests" in ctl("reload").out
    assert [r["name"] for r in ctl("routes", "--json").json] == ["renamed"]
    conf["routes"][0]["heartbeat"] = "often"
    write_config(os.path.dirname(conf["admin"]), conf)
    a = ctl("reload", status=1)
    assert "sluicectl: reload: " in a.err and "heartbeat" in a.err and ".yaml:" in a.err
    assert ctl("reload", "--json", status=1).out == ""
    assert [r["name"] for r in ctl("routes", "--json").json] == ["renamed"], "the old settings stay"
    client, body, up = rig.stream(relay, origin)
    assert ctl.streams()[0]["route"] == "renamed"


def test_drain(rig):
    origin = rig.origin()
    relay = rig.relay(origin)
    ctl = Ctl(relay)
    client, body, up = rig.stream(relay, origin)
    assert "draining" in ctl("drain").out
    client.wait_end(5)
    assert relay.wait() == 0
    assert relay.wait_log(event="end")["ended_by"] == "drain"
    relay.checked = True
    a = run_ctl("--admin", relay.admin_path, "streams")
    assert a.status == 1 and "no sluice answers there" in a.err


@pytest.mark.skipif(os.geteuid() != 0, reason="pins are read by root")
def test_a_stopped_master_does_not_hide_the_streams(rig):
    """The pins tell all about the streams; what only the master can do says that it does not answer."""
    origin = rig.origin()
    relay = rig.relay(origin, lane="auto")
    ctl = Ctl(relay)
    if not ctl("lanes", "--json").json["splice"]:
        pytest.skip("the splice lane is off here, and then the master alone hands out the memory")
    rig.stream(relay, origin)
    name = relay.config["instance"]
    os.kill(relay.pid, signal.SIGSTOP)
    try:
        assert len(run_ctl("--instance", name, "streams", "--json").json) == 1
    finally:
        os.kill(relay.pid, signal.SIGCONT)
