"""A hand-made TCP at the far end of a TUN device: it accepts one connection and sends whatever segments the test wants."""

import os
import select
import socket
import struct
import threading
import time

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ISS = 0xFFFFF000  # sequence numbers wrap early in every test


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class MiniServer:
    """Answers SYN, acknowledges what it gets in order, and keeps it. Stream offsets count from 0."""

    def __init__(self, fd, address, port):
        self.fd, self.ip, self.port = fd, socket.inet_aton(address), port
        self.peer = None  # (ip, port) of the only connection
        self.rcv_nxt = 0
        self.got = bytearray()
        self.una = 0  # of ours, acknowledged so far
        self.sent = 0
        self.ended = False
        self.stopping = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _out(self, seq, flags, data=b"", options=b""):
        offset = (5 + len(options) // 4) << 4
        header = struct.pack("!HHIIBBHHH", self.port, self.peer[1], seq & 0xFFFFFFFF, self.rcv_nxt & 0xFFFFFFFF, offset, flags, 65535, 0, 0)
        pseudo = self.ip + self.peer[0] + struct.pack("!BBH", 0, 6, len(header) + len(options) + len(data))
        total = checksum(pseudo + header + options + data)
        tcp = header[:16] + struct.pack("!H", total) + header[18:] + options + data
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0, self.ip, self.peer[0])
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        os.write(self.fd, ip + tcp)

    def _in(self, packet):
        if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != 6 or packet[16:20] != self.ip:
            return
        ihl = (packet[0] & 15) * 4
        sport, dport, seq, ack, offset, flags = struct.unpack("!HHIIBB", packet[ihl : ihl + 14])
        data = packet[ihl + (offset >> 4) * 4 : struct.unpack("!H", packet[2:4])[0]]
        if dport != self.port:
            return
        if flags & SYN:
            self.peer = (packet[12:16], sport)
            self.rcv_nxt = seq + 1
            self._out(ISS, SYN | ACK, options=struct.pack("!BBH", 2, 4, 1460))
            return
        if not self.peer or self.peer[1] != sport:
            return
        if flags & ACK:
            acked = (ack - ISS - 1) & 0xFFFFFFFF
            if acked < 1 << 31:
                self.una = max(self.una, acked)
        if seq == self.rcv_nxt & 0xFFFFFFFF and data:
            self.got += data
            self.rcv_nxt += len(data)
            self._out(ISS + 1 + self.sent, ACK)
        if flags & (FIN | RST):
            self.ended = True
            if flags & FIN:
                self.rcv_nxt += 1
                self._out(ISS + 1 + self.sent, ACK)

    def _run(self):
        while not self.stopping:
            try:
                if not select.select([self.fd], [], [], 0.2)[0]:
                    continue
                packet = os.read(self.fd, 4096)
            except (BlockingIOError, InterruptedError):
                continue
            except (OSError, ValueError):
                return
            with self.changed:
                self._in(packet)
                self.changed.notify_all()

    def _wait(self, what, timeout, why):
        with self.changed:
            assert self.changed.wait_for(what, timeout), f"{why}: not in {timeout} s; acknowledged {self.una} of {self.sent}, ended {self.ended}"

    def wait_request(self, end, timeout):
        self._wait(lambda: end in self.got, timeout, "a request")

    def segment(self, offset, data):
        """One segment whose first byte is number `offset` of the stream, whether or not it makes sense."""
        with self.changed:
            self.sent = max(self.sent, offset + len(data))
            self._out(ISS + 1 + offset, ACK | PSH, data)

    def send(self, data):
        """In order, and acknowledged before it returns."""
        at = self.sent
        self.segment(at, data)
        self.wait_acked(at + len(data), 3)

    def acked(self):
        with self.changed:
            return self.una

    def wait_acked(self, offset, timeout):
        self._wait(lambda: self.una >= offset or self.ended, timeout, f"byte {offset} acknowledged")
        assert not self.ended, "the relay ended the connection"

    def close(self):
        self.stopping = True
        if self.peer and not self.ended:
            with self.changed:
                self._out(ISS + 1 + self.sent, RST | ACK)
        self.thread.join(1)
        os.close(self.fd)
