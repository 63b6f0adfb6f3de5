"""sluicectl, run and read; and a live sluice with streams of every kind."""

import json
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BIN = os.path.join(ROOT, os.environ.get("SLUICE_BIN", "build/sluice"))
CTL = os.path.join(os.path.dirname(BIN), "sluicectl")
FAKE = os.path.join(os.path.dirname(BIN), "tests", "fake_daemon")


class Answer:
    def __init__(self, p):
        self.status, self.out, self.err = p.returncode, p.stdout, p.stderr

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def rows(self):
        """A table's rows behind its titles, split at white space."""
        return [line.split() for line in self.out.splitlines()[1:] if line]


def run_ctl(*argv, env=None):
    e = dict(os.environ, **(env or {}))
    for name in ("COLUMNS", "NO_COLOR"):
        if name not in (env or {}):
            e.pop(name, None)
    p = subprocess.run([CTL, *map(str, argv)], capture_output=True, text=True, timeout=30, env=e)
    assert "Sanitizer" not in p.stderr and "runtime error" not in p.stderr, p.stderr
    return Answer(p)


class Ctl:
    """sluicectl for one relay."""

    def __init__(self, relay):
        self.relay = relay

    def __call__(self, *argv, status=0, env=None):
        a = run_ctl("--admin", self.relay.admin_path, *argv, env=env)
        assert a.status == status, f"{argv}: status {a.status}\n{a.out}\n{a.err}"
        return a

    def streams(self, *argv):
        return self("streams", "--json", *argv).json

    def one(self, path):
        """The live stream with this path."""
        (s,) = self.streams(f"path={path}")
        return s


class Scene:
    def __init__(self, rig, lane):
        self.rig, self.lane = rig, lane
        self.origin = rig.origin()
        slow = {"slow": {"policy": "drop", "bytes": "8KiB"}, "sndbuf": "4KiB"}
        self.relay = rig.relay(
            self.origin, lane=lane, workers=2, upstream={"keepalive": "off"},
            routes=[
                {"name": "chat", "path": "/chat", "upstream": "app", "max_streams": 10, "heartbeat": "700ms"},
                {"name": "lossy", "path": "/lossy", "upstream": "app", **slow},
                {"name": "rest", "upstream": "app", "heartbeat": "off", "sndbuf": "8KiB"},
            ],
        )  # fmt: skip
        self.ctl = Ctl(self.relay)
        self.spliced = lane == "auto" and self.ctl("lanes", "--json").json["splice"]
        self.best = "splice" if self.spliced else "copy"

    def open(self, target, data=None, **kw):
        from lib.wire import event_request

        return self.rig.stream(self.relay, self.origin, data=data or event_request(target), **kw)
