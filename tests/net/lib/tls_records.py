"""Records of TLS 1.3 made by hand, for what no library sends. The handshake is Python's; its keylog has the secret."""

import hashlib
import hmac
import os
import struct
import tempfile

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HASHES = {"TLS_AES_128_GCM_SHA256": ("sha256", 16), "TLS_AES_256_GCM_SHA384": ("sha384", 32)}
HANDSHAKE, DATA, ALERT = 22, 23, 21


def keylog(context):
    """Makes the context write its secrets to a file of its own; call before the handshake."""
    fd, path = tempfile.mkstemp(prefix="sluice-keylog-")
    os.close(fd)
    context.keylog_filename = path
    return path


class Records:
    """The client's sending half of a connection, from its first application record on."""

    def __init__(self, wire, path):
        self.fd = wire.sock.fileno()
        self.hash, self.key_len = HASHES[wire.sock.cipher()[0]]
        with open(path, encoding="ascii") as f:
            lines = [line.split() for line in f]
        os.unlink(path)
        (secret,) = [x[2] for x in lines if x and x[0] == "CLIENT_TRAFFIC_SECRET_0"]
        self._use(bytes.fromhex(secret))

    def _expand(self, secret, label, n):
        """HKDF-Expand-Label of RFC 8446 7.1, for outputs of one block."""
        info = struct.pack(">HB", n, 6 + len(label)) + b"tls13 " + label + b"\0\1"
        return hmac.new(secret, info, self.hash).digest()[:n]

    def _use(self, secret):
        self.secret, self.sequence = secret, 0
        self.aead = AESGCM(self._expand(secret, b"key", self.key_len))
        self.iv = self._expand(secret, b"iv", 12)

    def record(self, kind, data):
        nonce = bytes(a ^ b for a, b in zip(self.iv, self.sequence.to_bytes(12, "big")))
        self.sequence += 1
        head = struct.pack(">BHH", 23, 0x0303, len(data) + 17)
        return head + self.aead.encrypt(nonce, data + bytes([kind]), head)

    def key_update(self, request=False):
        out = self.record(HANDSHAKE, b"\x18\0\0\1" + bytes([request]))
        self._use(self._expand(self.secret, b"traffic upd", hashlib.new(self.hash).digest_size))
        return out

    def send(self, data):
        """As much as the peer takes; False when it has ended the connection."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self.fd, view) :]
        except OSError:
            return False
        return True
