"""Bodies whose every part says where it belongs, and the comparison that names the first byte that is wrong."""

import random

from lib.sse import Stream
from lib.wire import LAST_CHUNK, chunk

HEARTBEAT = b": heartbeat\n\n"


def event(n, size=0, end=b"\n"):
    """Event number n, padded to `size` bytes where that is more."""
    text = b"id: %d%sdata: %010d" % (n, end, n)
    return text + b" " + b"x" * max(0, size - len(text) - 1 - 2 * len(end)) + end + end


def events(count, size=0, first=0, end=b"\n"):
    return b"".join(event(n, size, end) for n in range(first, first + count))


def numbered(size):
    """Event-stream text of exactly so many bytes; the last event may be cut short."""
    out, n, length = [], 0, 0
    while length < size:
        out.append(event(n, 60))
        length += len(out[-1])
        n += 1
    return b"".join(out)[:size]


def pieces(data, size):
    return [data[i : i + size] for i in range(0, len(data), size)]


def chunked(data, size, last=True):
    """The whole body in chunks of `size`."""
    return b"".join(chunk(p) for p in pieces(data, size)) + (LAST_CHUNK if last else b"")


def odd_text(seed, length):
    """Event-stream text with everything that may stand in one: CR, LF and CRLF, comments, fields without a colon, empty data,
    blocks without data, and a BOM in front."""
    rng = random.Random(seed)
    out = [b"\xef\xbb\xbf"] if seed % 2 else []
    n = size = 0
    while size < length:
        end = rng.choice((b"\n", b"\r\n", b"\r"))
        line = rng.choice(
            (b"data: %d" % n, b"data", b"data:", b": comment %d" % n, b"id: %d" % n, b"event: e", b"dat", b"datax: y", b"retry: 5",
             b"data: " + b"y" * rng.randrange(200), b"", b"", b"")
        )  # fmt: skip
        out.append(line + end)
        size += len(out[-1])
        n += 1
    return b"".join(out) + b"\n\n"


def count_events(payload):
    """The truth: what an EventSource would dispatch."""
    return len(Stream(payload).events)


def difference(got, want):
    """Where two byte strings part, in words; None when they are the same."""
    if got == want:
        return None
    n = min(len(got), len(want))
    at = next((i for i in range(0, n, 4096) if got[i : i + 4096] != want[i : i + 4096]), n)
    while at < n and got[at] == want[at]:
        at += 1
    return (
        f"{len(got)} bytes came, {len(want)} were meant; they part at byte {at}: "
        f"came …{bytes(got[max(0, at - 60) : at + 60])!r}, meant …{bytes(want[max(0, at - 60) : at + 60])!r}"
    )


def assert_same(got, want, what="body"):
    wrong = difference(got, want)
    assert not wrong, f"{what}: {wrong}"


def assert_prefix(got, want, what="body"):
    assert_same(got, want[: len(got)] if len(got) <= len(want) else want, what + " (a prefix of what was sent)")
