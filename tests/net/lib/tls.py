"""A Wire through TLS: the same bytes and times, above the records; `end` tells a close_notify from a truncation."""

import os
import ssl
import time

from .wire import TIMEOUT, Wire, tcp_connect


class TlsMixin:
    """`end` is "fin" after close_notify, "cut" when TCP ended without one, "rst" as ever."""

    AGAIN = (ssl.SSLWantReadError, ssl.SSLWantWriteError)  # both are SSLError too: looked for before BROKEN
    BROKEN = (*Wire.BROKEN, ssl.SSLError)
    PIECE = 16384  # a record: ssl counts as sent only what went out whole

    def secure(self, context, server_side=False, name=None, session=None, timeout=TIMEOUT):
        self.sock.settimeout(timeout)
        self.sock = context.wrap_socket(
            self.sock, server_side=server_side, server_hostname=name, session=session, suppress_ragged_eofs=False
        )
        self.resumed = self.sock.session_reused
        self.sock.setblocking(False)
        return self

    def ended_by(self, error):
        if not isinstance(error, ssl.SSLError):
            return super().ended_by(error)
        self.alert = error.reason
        return "cut" if isinstance(error, ssl.SSLEOFError) or error.reason == "UNEXPECTED_EOF_WHILE_READING" else "alert"

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
