"""The command line: what it says, where it says it, and with which status it ends."""

import json
import os
import re
import socket
import subprocess

import pytest
from lib.origin import answer
from lib.peers import free_port
from lib.proc import children
from lib.relay import BIN, ROOT, sanitized, write_config
from lib.wire import request


def sluice(*args, timeout=20):
    return subprocess.run([BIN, *args], capture_output=True, text=True, timeout=timeout, check=False)


def test_proxy_says_where_it_listens(rig):
    origin = rig.origin(answer())
    relay = rig.proxy(origin)
    assert relay.lines[-1] == f"sluice: listening on 127.0.0.1:{relay.addr[1]}"
    assert relay.get(request())[1] == b"ok"


def test_proxy_serves_when_it_says_so(rig):
    """Connect on the very line, twenty times."""
    origin = rig.origin(answer())
    for _ in range(5):
        relay = rig.proxy(origin)
        assert relay.get(request())[0].status == 200
        relay.quit()


def test_proxy_to_a_url_with_a_path(rig):
    """A base path in --to is put before the target, or refused with a reason; never lost in silence."""
    origin = rig.origin(answer())
    out = None
    try:
        relay = rig.proxy(origin.url + "/base")
    except AssertionError as e:
        out = str(e)
        rig.relays[-1].checked = True
    if out is None:
        relay.get(request(target="/x"))
        assert origin.conns[0].requests[0].target == b"/base/x"
    else:
        assert "--to" in out


@pytest.mark.parametrize(
    "args, word",
    [
        ((), "sluice"),
        (("proxy",), "--listen"),
        (("proxy", "--listen", "127.0.0.1:0"), "--to"),
        (("proxy", "--listen", "nonsense", "--to", "http://127.0.0.1:1"), "listen"),
        (("proxy", "--listen", "127.0.0.1:0", "--to", "ftp://x"), "to"),
        (("proxy", "--listen", "127.0.0.1:0", "--to", "http://127.0.0.1:1", "--lane", "fast"), "lane"),
        (("proxy", "--listen", "127.0.0.1:0", "--to", "http://127.0.0.1:1", "--workers", "-1"), "workers"),
        (("proxy", "--listen", "127.0.0.1:0", "--to", "http://127.0.0.1:1", "--heartbeat", "soon"), "heartbeat"),
        (("proxy", "--listen", "127.0.0.1:0", "--to", "http://127.0.0.1:1", "--instance", "a/b"), "instance"),
        (("proxy", "--nonsense"), "nonsense"),
        (("run",), "--config"),
        (("check",), "--config"),
        (("dance",), "dance"),
    ],
)
def test_wrong_flags_are_named(args, word):
    out = sluice(*args)
    assert out.returncode in (1, 2) and word in out.stderr, out


def test_help_and_version():
    out = sluice("--help")
    assert out.returncode == 0 and "proxy" in out.stdout and "check" in out.stdout and not out.stderr
    out = sluice("--version")
    assert out.returncode == 0 and re.match(r"^sluice \d+\.\d+\.\d+$", out.stdout.strip())


def test_port_in_use_is_said(rig):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        flags = ("--admin", rig.path("a.sock"), "--instance", "t-inuse")
        out = sluice("proxy", "--listen", f"127.0.0.1:{port}", "--to", "http://127.0.0.1:1", *flags)
    assert out.returncode == 1 and f"127.0.0.1:{port}" in out.stderr and "in use" in out.stderr.lower()


def test_two_daemons_do_not_share_an_admin_socket(rig):
    origin = rig.origin(answer())
    relay = rig.relay(origin)
    flags = ("--admin", relay.admin_path, "--instance", "t-second")
    out = sluice("proxy", "--listen", "127.0.0.1:0", "--to", origin.url, *flags)
    assert out.returncode == 1 and relay.admin_path in out.stderr
    assert relay.admin("workers")[0]["pid"] in relay.workers()


def test_config_file_that_is_not_there():
    for command in ("run", "check"):
        out = sluice(command, "--config", "/nonexistent/sluice.yaml")
        assert out.returncode == 1 and "/nonexistent/sluice.yaml" in out.stderr


def test_check_accepts_the_example():
    out = sluice("check", "--config", os.path.join(ROOT, "conf/sluice.yaml.example"))
    # Certificates are the operator's own: that they are not there is all that may be amiss.
    for line in out.stderr.splitlines():
        assert re.match(r"/etc/sluice/\S+: cannot be read: No such file or directory$", line), out.stderr


BAD = """\
listeners:
  - listen: 127.0.0.1:99999
  - listen: unix:relative.sock
upstreams:
  - name: app
    servers:
      - address: 127.0.0.1:4000
        weight: 0
    balance: best
routes:
  - upstream: nobody
    heartbeat: often
    slow:
      policy: panic
    errors: 500
"""


def test_check_names_every_mistake_with_its_line(tmp_path):
    path = write_config(tmp_path, BAD)
    out = sluice("check", "--config", path)
    assert out.returncode == 1
    lines = out.stderr.strip().split("\n")
    for line in lines:
        assert re.match(rf"^{re.escape(path)}:\d+: \S+: .+found", line) or re.match(rf"^{re.escape(path)}:\d+: ", line), line
    found = {int(re.match(r".*?:(\d+): ", x).group(1)) for x in lines}
    assert {2, 3, 8, 9, 11, 12, 14, 15} <= found, out.stderr


@pytest.mark.parametrize(
    "text, line, word",
    [
        ("listeners: [\n", None, ""),
        ("listeners:\n  - listen: 127.0.0.1:0\n\tbad: tab\n", 3, ""),
        ("listenerz: []\n", 1, "listenerz"),
        ("workers: many\nlisteners: [127.0.0.1:0]\nupstreams: [{name: a, servers: [127.0.0.1:1]}]\n", 1, "workers"),
        ("listeners: [127.0.0.1:0]\nupstreams: [{name: a, servers: [127.0.0.1:1]}, {name: a, servers: [127.0.0.1:2]}]\n", 2, "name"),
        ("", None, "listeners"),
        ("- just\n- a list\n", 1, ""),
        ("listeners: [127.0.0.1:0]\nupstreams: [{name: a, servers: []}]\n", 2, "servers"),
    ],
)
def test_check_on_single_mistakes(tmp_path, text, line, word):
    path = write_config(tmp_path, text)
    out = sluice("check", "--config", path)
    assert out.returncode == 1 and out.stderr.startswith(path) and word in out.stderr, out
    if line:
        assert f"{path}:{line}: " in out.stderr, out.stderr


def test_run_with_a_bad_config_starts_nothing(tmp_path):
    out = sluice("run", "--config", write_config(tmp_path, BAD))
    assert out.returncode == 1 and "listening" not in out.stderr and ":8: " in out.stderr


def test_probe():
    out = sluice("probe")
    assert out.returncode == 0 and "kernel" in out.stdout
    out = sluice("probe", "--json")
    found = json.loads(out.stdout)
    assert found["kernel"] == os.uname().release
    assert {"so_reuseport", "tcp_user_timeout"} <= {f["name"] for f in found["host"]}
    assert all({"name", "ok", "detail", "fallback"} <= set(f) for f in found["host"])


def test_short_form_of_a_config(tmp_path, rig):
    """The least that runs: one listener, one upstream."""
    origin = rig.origin(answer())
    conf = rig.config(origin)
    port = free_port()
    short = {k: conf[k] for k in ("instance", "admin", "log")}
    short.update(listeners=[f"127.0.0.1:{port}"], upstreams=[{"name": "app", "servers": [origin.address]}])
    relay = rig.run(short)
    assert relay.addr == ("127.0.0.1", port)
    assert relay.get(request())[1] == b"ok"


def test_default_number_of_workers(rig):
    conf = rig.config(rig.origin(answer()))
    del conf["workers"]
    relay = rig.run(conf)
    assert len(relay.workers()) == len(os.sched_getaffinity(0))


def test_workers_do_not_run_as_root(rig):
    if os.geteuid() != 0:
        pytest.skip("not root: the workers run as whoever started them")
    relay = rig.relay(rig.origin(answer()))
    for pid in relay.workers():
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            status = f.read()
        uids = re.search(r"Uid:\s+(\d+)\s+(\d+)\s+(\d+)", status).groups()
        assert "0" not in uids
        assert int(re.search(r"CapEff:\s+(\S+)", status).group(1), 16) == 0
        assert re.search(r"NoNewPrivs:\s+1", status)


def test_what_strangers_talk_to_runs_under_seccomp(rig):
    """The workers and the status page's process; and the page serves all that it has under its filter."""
    if sanitized():
        pytest.skip("a build with sanitizers needs system calls of its own and takes no filter")
    port = free_port()
    origin = rig.origin()
    relay = rig.run(rig.config(origin, admin_http=f"127.0.0.1:{port}"))
    page = [pid for pid in children(relay.pid) if open(f"/proc/{pid}/comm", encoding="ascii").read() == "sluice-status\n"]
    assert len(page) == 1
    client = rig.connect(("127.0.0.1", port))
    client.send(request(host="127.0.0.1"))
    assert client.response()[0].status == 200
    client.send(request(target="/events", host="127.0.0.1"))
    body = client.response_body(client.final_head())
    for turn in (b'"streams":0', b'"streams":1'):
        body.until(turn, 10)
        if turn.endswith(b"0"):
            rig.stream(relay, origin)
    for pid in [*relay.workers(), *page]:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            assert re.search(r"Seccomp:\s+2\b", f.read()), pid
