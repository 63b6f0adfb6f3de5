"""What sluice sets on sockets, as the kernel sees it (ss) and as the admin socket tells it."""

import os
import re
import signal
import subprocess
import time

from lib.origin import answer
from lib.relay import BIN, write_config
from lib.wire import request


def ss(relay, client):
    """The kernel's words on the relay's end of this connection."""
    out = subprocess.run(
        ["ss", "-tnoimH", f"sport = :{relay.addr[1]} and dport = :{client.sock.getsockname()[1]}"],
        capture_output=True, text=True, check=True, timeout=10,
    )  # fmt: skip
    assert out.stdout, "the connection is not there"
    return out.stdout


def test_client_socket_of_an_event_stream(rig):
    origin = rig.origin()
    relay = rig.relay(origin, client={"tcp_keepalive": "20s", "user_timeout": "30s", "notsent_lowat": "8KiB"})
    client, body, up = rig.stream(relay, origin)
    body.until(up.event("x"))
    text = ss(relay, client)
    assert "tb32768" in text, "16 KiB asked for, which the kernel doubles"
    keepalive = re.search(r"timer:\(keepalive,(\d+)sec", text)
    assert keepalive and int(keepalive.group(1)) <= 20, text
    record = next(r for r in relay.admin("streams") if r["path"] == "/events")
    assert find(record, "sndbuf") == 16384
    assert find(record, "notsent_lowat") == 8192
    assert find(record, "user_timeout_ms") == 30000


def find(record, key):
    """The value of a key, however deep the record is."""
    if key in record:
        return record[key]
    for value in record.values():
        if isinstance(value, dict):
            found = find(value, key)
            if found is not None:
                return found
    return None


def test_send_buffer_of_the_route(rig):
    origin = rig.origin()
    relay = rig.relay(origin, route={"sndbuf": "64KiB"})
    client, _, _ = rig.stream(relay, origin)
    assert "tb131072" in ss(relay, client)


def test_other_responses_keep_the_systems_buffer(rig):
    origin = rig.origin(answer())
    relay = rig.relay(origin)
    client = rig.connect(relay.addr)
    client.send(request())
    client.response()
    assert "tb32768" not in ss(relay, client)


def test_small_events_leave_at_once(rig):
    """TCP_NODELAY on both sides: two small writes in a row are not held for an acknowledgement (40 ms)."""
    origin = rig.origin()
    client, body, up = rig.stream(rig.relay(origin), origin)
    slow = 0
    for i in range(30):
        began = time.monotonic()
        sent = up.event(i) + up.event(i)
        body.until(len(body.payload) + len(sent))
        slow += client.last_time - began > 0.030
    assert slow <= 3


def test_descriptors_are_raised_to_the_hard_limit(rig):
    """The soft limit of a shell must not bound the relay."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

    def soft_only():
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 300), hard))

    relay = rig.relay(rig.origin(answer()), preexec=soft_only)
    for pid in relay.workers():
        with open(f"/proc/{pid}/limits", encoding="ascii") as f:
            line = next(x for x in f if x.startswith("Max open files"))
        assert int(line.split()[3]) == hard, line


def test_stderr_that_has_gone_ends_nothing(rig):
    """Fault 34: whoever read our words has left; no SIGPIPE, no exit."""
    origin = rig.origin(answer())
    conf = rig.config(origin)
    ours, theirs = os.pipe()
    argv = [BIN, "run", "--config", write_config(os.path.dirname(conf["admin"]), conf)]
    child = subprocess.Popen(argv, stderr=theirs, stdout=theirs, stdin=subprocess.DEVNULL, start_new_session=True)
    os.close(theirs)
    try:
        said = b""
        while b"\n" not in said:
            said += os.read(ours, 4096)
        addr = ("127.0.0.1", int(said.split(b":")[-1]))
        os.close(ours)
        for _ in range(4):
            child.send_signal(signal.SIGHUP)
            time.sleep(0.05)
            client = rig.connect(addr)
            client.send(request())
            assert client.response()[1] == b"ok"
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
