"""A Wire through TLS: the same bytes and times, above the records; `end` tells a close_notify from a truncation."""

import os
import select
import ssl
import time

from .wire import TIMEOUT, NotInTime, Wire, tcp_connect


class TlsMixin:
    """`end` is "fin" after close_notify, "cut" when TCP ended without one, "rst" as ever."""

    def secure(self, context, server_side=False, name=None, session=None, timeout=TIMEOUT):
        self.sock.settimeout(timeout)
        self.sock = context.wrap_socket(
            self.sock, server_side=server_side, server_hostname=name, session=session, suppress_ragged_eofs=False
        )
        self.resumed = self.sock.session_reused
        self.sock.setblocking(False)
        return self

    def send(self, data, timeout=TIMEOUT):
        view, stop = memoryview(bytes(data)), time.monotonic() + timeout
        while view:
            try:
                view = view[self.sock.send(view) :]
                continue
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                pass
            left = stop - time.monotonic()
            if left <= 0 or not select.select([], [self.sock], [], left)[1]:
                raise NotInTime(f"peer took no more than all but {len(view)} bytes in {timeout} s")
        return time.monotonic()

    def fill(self, timeout=TIMEOUT, most=262144):
        if self.end:
            return False
        stop = time.monotonic() + timeout
        while True:
            try:
                data = self.sock.recv(most)
                break
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                left = max(0.0, stop - time.monotonic())
                if not select.select([self.sock], [], [], left)[0]:
                    return False
            except ssl.SSLError as e:
                cut = isinstance(e, ssl.SSLEOFError) or e.reason == "UNEXPECTED_EOF_WHILE_READING"
                self.end, self.end_time, self.alert = "cut" if cut else "alert", time.monotonic(), e.reason
                return False
            except (ConnectionResetError, BrokenPipeError):
                self.end, self.end_time = "rst", time.monotonic()
                return False
        if not data:
            self.end, self.end_time = "fin", time.monotonic()
            return False
        self.last_time = time.monotonic()
        self.buf += data
        self.log += data
        self.arrivals.append((self.last_time, len(self.log)))
        return True

    def fin(self):
        """close_notify, and the sending half of TCP."""
        try:
            self.sock.unwrap()
        except (ssl.SSLError, OSError):
            pass  # the peer's own close_notify is not there yet

    def cut(self):
        """TCP's end without close_notify."""
        os.close(self.sock.detach())
        return time.monotonic()


class TlsWire(TlsMixin, Wire):
    """A client's."""


def connect(addr, context, name="example.org", session=None, timeout=TIMEOUT, **kw):
    """A TlsWire to (host, port); ssl.SSLError when the handshake fails."""
    sock = tcp_connect(addr, timeout, **kw)
    wire = TlsWire(sock)
    try:
        return wire.secure(context, name=name, session=session, timeout=timeout)
    except BaseException:
        wire.sock.close()
        raise
