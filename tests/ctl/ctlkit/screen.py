"""A program in a terminal of its own: a pty, and pyte to read what it painted."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

import pyte

KEYS = {"down": "\033OB", "up": "\033OA", "pgdn": "\033[6~", "pgup": "\033[5~", "end": "\033OF", "home": "\033OH",
        "enter": "\r", "esc": "\033", "backspace": "\177"}


class Screen:
    def __init__(self, argv, columns=140, lines=30, env=None):
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            e = {**os.environ, "TERM": "xterm-256color", **(env or {})}
            for name in {"COLUMNS", "LINES", "NO_COLOR"} - set(env or {}):
                e.pop(name, None)
            os.execve(argv[0], argv, e)
        self.raw = b""
        self._size(columns, lines)
        self.status = None

    def _size(self, columns, lines):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns, lines):
        self.screen.resize(lines, columns)
        self._size(columns, lines)
        os.kill(self.pid, signal.SIGWINCH)

    def read(self, seconds=0.05):
        """Takes in what comes for so long."""
        end = time.monotonic() + seconds
        while True:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            if not ready:
                return
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return
            if not data:
                return
            self.raw += data
            self.stream.feed(data)

    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display)

    def lines(self):
        return [line.rstrip() for line in self.screen.display]

    def wait(self, what, timeout=5):
        """Until `what` (text, or a function of the screen's text) is there."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self.read(0.05)
            if what(self.text()) if callable(what) else what in self.text():
                return self.text()
        raise AssertionError(f"{what!r} did not come; the screen:\n{self.text()}")

    def keys(self, *keys):
        for k in keys:
            os.write(self.fd, KEYS.get(k, k).encode())

    def end(self, timeout=5):
        """Exit status, once it has ended by itself."""
        stop = time.monotonic() + timeout
        while self.status is None and time.monotonic() < stop:
            self.read(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        assert self.status is not None, f"it did not end; the screen:\n{self.text()}"
        return self.status

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)
