#!/usr/bin/python3
"""Writes the seeds of fuzz_h2: one frame sequence of each kind that tests/net/test_h2_abuse.py sends. From the root of the tree:
tests/fuzz/corpus_h2.py tests/fuzz/corpus/fuzz_h2"""

import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "net"))
from lib.h2 import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PRIORITY,  # noqa: E402
                    PRIORITY_UPDATE, RST_STREAM, SETTINGS, WINDOW_UPDATE, WITH_PRIORITY, frame, literal, request_fields)

HELLO = frame(SETTINGS, 0, 0, struct.pack(">HIHI", 4, 1000, 1, 0)) + frame(SETTINGS, ACK)
WHOLE = END_HEADERS | END_STREAM


def get(n, **kw):
    return frame(HEADERS, WHOLE, n, literal(request_fields(**kw)))


def post(n, *fields):
    return frame(HEADERS, END_HEADERS, n, literal(request_fields("/up", "POST", fields)))


INDEXED = b"\x82\x87\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"  # GET https / www.example.com, Huffman
SEEDS = {
    "gets": HELLO + b"".join(get(n) for n in range(1, 30, 2)),
    "indexed": HELLO + frame(HEADERS, WHOLE, 1, INDEXED) + frame(HEADERS, WHOLE, 3, b"\x82\x87\x84\xbe"),
    "post": HELLO + post(1) + frame(DATA, 0, 1, b"body") + frame(DATA, END_STREAM, 1, b"end"),
    "length": HELLO + post(1, ("content-length", "4")) + frame(DATA, 0, 1, b"bo") + frame(DATA, END_STREAM, 1, b"dy"),
    "length-over": HELLO + post(1, ("content-length", "1")) + frame(DATA, END_STREAM, 1, b"body"),
    "trailers": HELLO + post(1) + frame(DATA, 0, 1, b"x") + frame(HEADERS, WHOLE, 1, literal([("x-sum", "1")])),
    "cookies": HELLO + get(1, fields=[("cookie", "a=b")] * 5 + [("te", "trailers"), ("host", "test.example")]),
    "bad": HELLO + get(1, fields=[("X", "y")]) + get(3, path="/ x") + get(5, fields=[("connection", "x")]) + get(7, method="TRACE"),
    "continuation": HELLO + frame(HEADERS, END_STREAM, 1, INDEXED[:3]) + frame(CONTINUATION, 0, 1) + frame(CONTINUATION, 4, 1, INDEXED[3:]),
    "padded": HELLO + frame(HEADERS, WHOLE | PADDED | WITH_PRIORITY, 1, b"\2\0\0\0\0\x10" + INDEXED + b"\0\0") + post(3)
    + frame(DATA, PADDED, 3, b"\3ab\0\0\0"),
    "resets": HELLO + b"".join(get(n) + frame(RST_STREAM, 0, n, b"\0\0\0\x08") for n in range(1, 20, 2)),
    "windows": HELLO + get(1) + frame(WINDOW_UPDATE, 0, 0, b"\0\0\xff\xff") + frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1") * 3
    + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 20)),
    "priorities": HELLO + frame(PRIORITY, 0, 5, b"\0\0\0\5\xff") + frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0\1u=1, i") + get(1, fields=[("priority", "u=7")]),
    "table": HELLO + frame(HEADERS, WHOLE, 1, b"\x20\x3f\xe1\x1f" + INDEXED),
    "control": HELLO + frame(PING, 0, 0, b"12345678") * 3 + frame(0x42, 1, 1, b"junk") + get(1) + frame(GOAWAY, 0, 0, bytes(8)),
}  # fmt: skip

for name, data in SEEDS.items():
    for mode in (0, 0x5B):  # plain; with everything that the modes add, but a preface of its own
        with open(os.path.join(sys.argv[1], f"{name}-{mode:02x}"), "wb") as f:
            f.write(bytes((mode,)) + data)
