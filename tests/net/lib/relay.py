"""The program under test: starts it, reads what it says, ends it, and judges whether it stayed well."""

import functools
import json
import os
import re
import signal
import time

import yaml

from .proc import Child, children, wait_for
from .wire import TIMEOUT, connect

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BIN = os.path.join(ROOT, os.environ.get("SLUICE_BIN", "build/sluice"))
BENCH = os.path.join(ROOT, os.environ.get("SLUICE_BENCH", os.path.join(os.path.dirname(BIN), "sluice-bench")))
LANE = os.environ.get("SLUICE_LANE", "copy")  # the suite holds for every lane
LANES = ("copy",) if LANE == "copy" else ("copy", "splice")  # what a stream's lane and phase may be called
ILL = re.compile(
    r"Sanitizer|runtime error:|was ended by signal|\) ended with status|access log's process .* has ended|"
    r"please report this|do not end; killing|worker ends:|stack smashing|corrupted|Assertion"
)
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99:strict_string_checks=1:quarantine_size_mb=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


@functools.cache
def sanitized():
    """The binary is an ASan build: slower, and every allocation of it is padded and kept for a while."""
    with open(BIN, "rb") as f:
        return b"__asan_init" in f.read()


def grown(relay, since, allowed_kib):
    """Memory of the workers has not grown by more than this since `since` (rss_kib); ASan's own share is not judged."""
    now = relay.rss_kib()
    allowed = allowed_kib + 16 * 1024 if sanitized() else allowed_kib
    assert now - since < allowed, f"{now - since} KiB more than before, {allowed_kib} allowed"
    return True


class Relay(Child):
    """A running sluice. `expect_deaths`: a test that kills workers itself says so."""

    def __init__(self, args, directory, env=None, preexec=None):
        self.directory = str(directory)
        self.access_log_path = os.path.join(self.directory, "access.log")
        self.admin_path = os.path.join(self.directory, "admin.sock")
        self.expect_deaths = False
        self.checked = False
        assert os.access(BIN, os.X_OK), f"{BIN} is not there: run `make build`, or set SLUICE_BIN"
        super().__init__([BIN, *args], env={**SANITIZERS, **(env or {})}, preexec=preexec)

    def ready(self, listeners=1):
        """Waits until it serves; returns the addresses in the config's order."""
        for n in range(listeners):
            wait_for(
                lambda n=n: len(self._listening()) > n or not self.alive(),
                TIMEOUT * 4,
                why=f"listening on … from sluice:\n{self.text()}",
            )
        assert self.alive(), f"sluice ended ({self.proc.poll()}):\n{self.text()}"
        self.addrs = self._listening()
        return self

    def _listening(self):
        out = []
        for line in list(self.lines):
            m = re.search(r"listening on (?:unix:(\S+)|\[(.+)\]:(\d+)|([\d.]+):(\d+))", line)
            if m:
                out.append(m.group(1) or (m.group(2) or m.group(4), int(m.group(3) or m.group(5))))
        return out

    @property
    def addr(self):
        return self.addrs[0]

    @property
    def url(self):
        return f"http://{self.addr[0]}:{self.addr[1]}"

    def connect(self, **kw):
        return connect(self.addr, **kw)

    def get(self, data, timeout=TIMEOUT):
        """Sends a request on a connection of its own; returns head and payload."""
        wire = self.connect()
        wire.send(data)
        try:
            return wire.response(timeout=timeout)
        finally:
            wire.close()

    # -- access log --
    def log(self, **match):
        """Records of the access log so far, those with these values."""
        try:
            with open(self.access_log_path, encoding="utf-8") as f:
                text = f.read()
        except FileNotFoundError:
            return []
        records = [json.loads(line) for line in text.split("\n")[:-1]]
        return [r for r in records if all(r.get(k) == v for k, v in match.items())]

    def wait_log(self, n=1, timeout=TIMEOUT, **match):
        """The n-th record with these values."""
        try:
            return wait_for(lambda: self.log(**match)[n - 1 : n], timeout, why="log")[0]
        except AssertionError:
            raise AssertionError(f"no log record {n} with {match}; log: {json.dumps(self.log(), indent=1)}") from None

    # -- admin socket --
    def admin(self, question):
        """One question to the admin socket; returns the answer, read as JSON."""
        wire = connect(self.admin_path)
        try:
            wire.send(question.encode() + b"\n")
            wire.wait_end()
            return json.loads(bytes(wire.buf))
        finally:
            wire.close()

    # -- processes --
    def workers(self):
        """Pids of the worker processes."""
        out = []
        for pid in children(self.pid):
            try:
                with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as f:
                    if f.read().strip() == "sluice-worker":
                        out.append(pid)
            except FileNotFoundError:
                pass
        return out

    def fds(self):
        """Open descriptors of all workers."""
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.workers())

    def rss_kib(self):
        """Anonymous memory of all workers."""
        total = 0
        for pid in self.workers():
            with open(f"/proc/{pid}/status", encoding="ascii") as f:
                total += int(re.search(r"RssAnon:\s+(\d+)", f.read()).group(1))
        return total

    def quit(self):
        """TERM, and again for those who do not want to wait for the drain; judges the exit and what was said."""
        self.checked = True
        if self.alive():
            self.send_signal(signal.SIGTERM)
            time.sleep(0.02)
            if self.alive():
                self.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(10)
            except Exception:
                self.kill()
                self.wait()
                raise AssertionError(f"sluice did not end within 10 s of two SIGTERM:\n{self.text()}") from None
        code = self.wait()
        self.judge()
        assert code == 0, f"sluice ended with {code}:\n{self.text()}"

    def judge(self):
        """Fails when a sanitizer spoke or a worker died."""
        ill = [x for x in self.lines if ILL.search(x)]
        if self.expect_deaths:
            ill = [x for x in ill if re.search(r"Sanitizer|runtime error", x)]
        assert not ill, "sluice is unwell:\n" + self.text()


def write_config(directory, config, name="sluice.yaml"):
    path = os.path.join(str(directory), name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False))
    return path


def config(to=None, directory=None, route=None, upstream=None, listener=None, **top):
    """A config with one listener, one upstream and one route; every part can be given or extended."""
    servers = [] if to is None else [{"address": t} for t in ([to] if isinstance(to, str) else to)]
    out = {
        "workers": 1,
        "lane": LANE,
        "drain": "200ms",
        "listeners": [{"listen": "127.0.0.1:0", **(listener or {})}],
        "upstreams": [{"name": "app", "servers": servers, **(upstream or {})}],
        "routes": [{"name": "all", "upstream": "app", **(route or {})}],
    }
    if directory:
        out["instance"] = instance_name(directory)
        out["admin"] = os.path.join(str(directory), "admin.sock")
        out["log"] = {"access": os.path.join(str(directory), "access.log")}
    out.update(top)
    return out


def instance_name(directory):
    """A name that no other test uses."""
    return f"t{os.getpid()}-{abs(hash(str(directory))) % 10**8}"
