"""A child process whose stderr is kept, line by line with times, and that is always ended by its pid."""

import os
import re
import signal
import subprocess
import threading
import time

from .wire import TIMEOUT


class Child:
    def __init__(self, argv, env=None, cwd=None, preexec=None, stdin=None):
        self.argv = [str(a) for a in argv]
        self.lines = []
        self.out = []
        self.proc = subprocess.Popen(
            self.argv,
            stdin=stdin if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            preexec_fn=preexec,
            start_new_session=True,
        )
        self._changed = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(self.proc.stderr, self.lines), daemon=True),
            threading.Thread(target=self._read, args=(self.proc.stdout, self.out), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe, lines):
        for raw in iter(pipe.readline, b""):
            with self._changed:
                lines.append(raw.decode("utf-8", "replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    @property
    def pid(self):
        return self.proc.pid

    def alive(self):
        return self.proc.poll() is None

    def wait_line(self, pattern, timeout=TIMEOUT * 3, since=0, stdout=False):
        """The first line (from index `since`) that the pattern matches; returns the match."""
        lines, found = (self.out if stdout else self.lines), None

        def look():
            nonlocal found
            found = next((m for m in (re.search(pattern, x) for x in lines[since:]) if m), None)
            return found or not self.alive()

        with self._changed:
            stop = time.monotonic() + timeout
            while not look() and time.monotonic() < stop:
                self._changed.wait(0.05)
            if not found and not self.alive():
                self._changed.wait(0.2)
                look()
        assert found, f"no line like {pattern!r} from {self.argv[0]} (exit {self.proc.poll()}):\n" + self.text()
        return found

    def text(self):
        return "\n".join(self.lines + self.out)

    def send_signal(self, sig):
        self.proc.send_signal(sig)

    def wait(self, timeout=TIMEOUT):
        code = self.proc.wait(timeout)
        for reader in self._readers:
            reader.join(1.0)
        return code

    def stop(self, sig=signal.SIGTERM, timeout=3.0):
        """Ends it, by force if need be; returns the exit code."""
        if self.alive():
            self.proc.send_signal(sig)
            try:
                self.proc.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.wait()

    def kill(self):
        """The whole session of the child: workers included."""
        try:
            os.killpg(self.proc.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.proc.wait(5)


def children(pid):
    """Pids of the direct children."""
    out = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
                out += [int(x) for x in f.read().split()]
    except FileNotFoundError:
        pass
    return sorted(out)


def wait_for(what, timeout=TIMEOUT, step=0.005, why="condition"):
    """Polls until what() is true; returns its value."""
    stop = time.monotonic() + timeout
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < stop, f"{why}: not within {timeout} s"
        time.sleep(step)
