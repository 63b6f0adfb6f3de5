"""Tables A, B and C of bad-inputs-and-faults.md: requests that must be refused, with the upstream's byte log empty.

Each row: its id in the table, what it is, the bytes, the statuses allowed, and the rule label that the access log names
(None: any). `/evil` is a request smuggled behind or inside; it must never be seen upstream.
"""

import collections

Bad = collections.namedtuple("Bad", "row what data statuses reasons")

EVIL = b"GET /evil HTTP/1.1\r\nHost: test.example\r\n\r\n"
H = b"Host: test.example\r\n"


def _post(fields, body=b""):
    return b"POST /upload HTTP/1.1\r\n" + H + fields + b"\r\n" + body


def _get(fields=b"", host=H):
    return b"GET /page HTTP/1.1\r\n" + host + fields + b"\r\n"


TE = b"Transfer-Encoding: chunked\r\n"
ROWS = []


def add(row, what, data, statuses=(400,), reasons=None):
    statuses = (statuses,) if isinstance(statuses, int) else statuses
    reasons = (reasons,) if isinstance(reasons, str) else reasons
    ROWS.append(Bad(row, what, data, statuses, reasons))


# -- A: framing --
add("A1", "CL then TE", _post(b"Content-Length: 5\r\n" + TE, b"0\r\n\r\n" + EVIL), reasons="cl_and_te")
add("A1", "CL 0 then TE", _post(b"Content-Length: 0\r\n" + TE, b"0\r\n\r\n"), reasons="cl_and_te")
add("A2", "TE then CL, smuggled GET", _post(TE + b"Content-Length: 6\r\n", b"0\r\n\r\nG" + EVIL), reasons="cl_and_te")
add("A2", "TE then CL that spans the GET", _post(TE + b"Content-Length: 49\r\n", b"0\r\n\r\n" + EVIL), reasons="cl_and_te")
add("A3", "two CL that differ", _post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello!"), reasons="cl_repeated")
add("A4", "two CL alike", _post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello"), reasons="cl_repeated")
for value in (b"10,10", b"1000,1000", b"10, 10"):
    add("A5", f"CL {value.decode()}", _post(b"Content-Length: " + value + b"\r\n", b"0123456789"))
for value in (b"+5", b"-5", b"-0", b"0x10", b"1_0", b"1e3", b"0o5"):
    add("A6", f"CL {value.decode()}", _post(b"Content-Length: " + value + b"\r\n", b"hello"), reasons="cl_malformed")
add("A7", "CL empty", _post(b"Content-Length:\r\n", b"hello"), reasons="cl_malformed")
add("A7", "CL of blanks", _post(b"Content-Length:   \r\n", b"hello"), reasons="cl_malformed")
add("A7", "CL empty then 43", _post(b"Content-Length:\r\nContent-Length: 43\r\n", EVIL), reasons=("cl_malformed", "cl_repeated"))
for value in (b"5 5", b"5\t5", b"5;"):
    add("A8", f"CL {value!r}", _post(b"Content-Length: " + value + b"\r\n", b"hello"), reasons="cl_malformed")
for what, value in (
    ("2^63", b"9223372036854775808"),
    ("2^64", b"18446744073709551616"),
    ("2^64+5", b"18446744073709551621"),
    ("400 digits", b"1" * 400),
    ("2^32 digits of zero then 5", b"0" * 400 + b"5"),
):
    add("A9", f"CL {what}", _post(b"Content-Length: " + value + b"\r\n", b"hello"), (400, 413))
add("A11", "SP before CL, then CL", b"POST / HTTP/1.1\r\n Content-Length: 100\r\n" + H + b"Content-Length: 1000\r\n\r\n",
    reasons="space_before_fields")  # fmt: skip
add("A11", "SP before CL in the middle", _post(b" Content-Length: 100\r\nContent-Length: 1000\r\n"), reasons="fold")
add("A12", "CL SP colon", _post(b"Content-Length : 5\r\n", b"hello"), reasons="space_before_colon")
add("A12", "TE SP colon", _post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"), reasons="space_before_colon")
add("A12", "TE TAB colon", _post(b"Transfer-Encoding\t: chunked\r\n", b"0\r\n\r\n"), reasons="space_before_colon")
for value in (b",chunked", b"chunked,", b"chunked, chunked"):
    add("A13", f"TE {value.decode()}", _post(b"Transfer-Encoding: " + value + b"\r\n", b"0\r\n\r\n"), (400, 501))
add("A14", "two TE", _post(TE + TE, b"0\r\n\r\n"), reasons="te_repeated")
add("A14", "two TE, the second unknown", _post(TE + b"Transfer-Encoding: cow\r\n", b"0\r\n\r\n"), (400, 501))
for value in (b"xchunked", b"blegh", b"identity", b"chunked, identity", b"gzip, chunked", b"gzip", b""):
    add("A15", f"TE {value.decode()!r}", _post(b"Transfer-Encoding: " + value + b"\r\n", b"0\r\n\r\n"), (400, 501))
for value in (b"\x0bchunked", b"\x0cchunked", b"chunked\x00", b"\xa0chunked", b'"chunked"', b"chunked;q=1", b"chunked\x0b"):
    add("A16", f"TE {value!r}", _post(b"Transfer-Encoding: " + value + b"\r\n", b"0\r\n\r\n"), (400, 501))
add("A17", "TE folded", _post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"), reasons="fold")
add("A19", "TE on HTTP/1.0", b"POST / HTTP/1.0\r\n" + H + TE + b"\r\n0\r\n\r\n", reasons="te_http10")
add("A20", "CR before TE", _post(b"\rTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), reasons="bare_cr")
add("A20", "CR TE behind a value", _post(b"X:X\rTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), reasons="bare_cr")

# -- B: fields --
add("B1", "NUL in a value", _get(b"X-A: a\0b\r\n"), reasons="nul")
add("B1", "NUL at a value's end", _get(b"X-A: a\0\r\n"), reasons="nul")
add("B1", "NUL in Host", _get(host=b"Host: test\0.example\r\n"), reasons="nul")
add("B1", "NUL in a name", _get(b"X\0A: a\r\n"), reasons="nul")
add("B2", "CR in a value", _get(b"X-A: a\rb\r\n"), reasons="bare_cr")
add("B2", "CR CR LF", _get(b"X-A: a\r\r\n"), reasons="bare_cr")
add("B3", "LF ends a field", _get(b"X-A: a\nX-B: b\r\n"), reasons="bare_lf")
add("B3", "LF ends every line", b"GET / HTTP/1.1\nHost: t\n\n", reasons="bare_lf")
add("B3", "LF LF ends the head", b"GET / HTTP/1.1\r\n" + H + b"X: y\n\n", reasons="bare_lf")
add("B3", "LF hides TE", _post(b"X-A: a\n" + TE + b"Content-Length: 3\r\n", b"0\r\n\r\n"), reasons="bare_lf")
add("B4", "fold with SP", _get(b"X-A: a\r\n b\r\n"), reasons="fold")
add("B4", "fold with TAB", _get(b"X-A: a\r\n\tb\r\n"), reasons="fold")
add("B4", "fold of Host", _get(host=b"Host:\r\n test.example\r\n"), reasons="fold")
add("B5", "empty name", _get(b": x\r\n"), reasons="name_empty")
add("B5", "lone colon", _get(b":\r\n"), reasons="name_empty")
add("B6", "no colon", _get(b"X-A\r\n"), reasons="no_colon")
add("B6", "name over two lines", _get(b"Transfer-\r\nEncoding: chunked\r\n"), reasons="no_colon")
for byte in b" \x01\x1f\x7f()<>@,;\\\"/[]?={}\x80\x85\xff":
    what = f"name with {bytes([byte])!r}"
    add("B7", what, _get(b"X" + bytes([byte]) + b"A: a\r\n"))
add("B7", "name ends in 0x85", _get(b"Content-Length\x85: 5\r\n"))
add("B7", "name ends in SP", _get(b"X-A : a\r\n"), reasons="space_before_colon")
add("B8", "SP line before the first field", b"GET / HTTP/1.1\r\n X: y\r\n" + H + b"\r\n", reasons="space_before_fields")
add("B8", "TAB line before the first field", b"GET / HTTP/1.1\r\n\tHost: t\r\n\r\n", reasons="space_before_fields")
for byte in (1, 2, 3, 4, 5, 6, 7, 8, 0x0B, 0x0C, 0x0E, 0x1B, 0x1F, 0x7F):
    add("B10", f"0x{byte:02x} in a value", _get(b"X-A: a" + bytes([byte]) + b"b\r\n"), reasons="control_byte")
add("B11", "field of 100 KB", _get(b"X-A: " + b"a" * 100_000 + b"\r\n"), 431, "head_too_large")
add("B11", "cookie of 64 KB", _get(b"Cookie: a=" + b"c" * 65536 + b"\r\n"), 431, "head_too_large")
add("B11", "name of 70 KB", _get(b"X" * 70_000 + b": a\r\n"), 431, "head_too_large")
add("B12", "1,001 fields", _get(b"".join(b"X-%d: y\r\n" % i for i in range(1001))), 431, "too_many_fields")
add("B12", "101 fields", _get(b"".join(b"X-%d: y\r\n" % i for i in range(100))), 431, "too_many_fields")
add("B12", "100,000 tiny fields", _get(b"a:\r\n" * 100_000), 431, ("too_many_fields", "head_too_large"))
add("B15", "Forwarded with a newline", _get(b"Forwarded: for=1.2.3.4\nX: y\r\n"), reasons="bare_lf")
add("B17", "Last-Event-ID with NUL", _get(b"Last-Event-ID: 1\0002\r\n"), reasons="nul")
add("B17", "Last-Event-ID of 1 MB", _get(b"Last-Event-ID: " + b"9" * 1_000_000 + b"\r\n"), 431, "head_too_large")

# -- C: request line, Host, target --
add("C1", "no Host", b"GET / HTTP/1.1\r\nAccept: */*\r\n\r\n", reasons="host_missing")
add("C1", "no field at all", b"GET / HTTP/1.1\r\n\r\n", reasons="host_missing")
add("C1", "two Hosts", _get(H), reasons="host_repeated")
add("C1", "two Hosts that differ", _get(b"Host: other.example\r\n"), reasons="host_repeated")
add("C1", "Host with a comma", _get(host=b"Host: a, b\r\n"), reasons="host_malformed")
add("C1", "Host empty", _get(host=b"Host:\r\n"), reasons="host_malformed")
for value in (b"a/b", b"user@a", b"a b", b"a:b", b"a:99999999", b"[::1", b"a\\b", b"a?b", b"a#b", b"http://a", b"a\tb"):
    add("C1", f"Host {value.decode()!r}", _get(host=b"Host: " + value + b"\r\n"))
for line in (b"GET !", b"GET  HTTP/1.1", b"GET HTTP/1.1", b"GET /a#b HTTP/1.1", "GET /é HTTP/1.1".encode(), b"GET /a b HTTP/1.1",
             b"GET /a\\b HTTP/1.1", b"GET a HTTP/1.1", b"GET * HTTP/1.1", b'GET /a"b HTTP/1.1', b"GET /<x> HTTP/1.1",
             b"GET ftp://test.example/ HTTP/1.1", b"GET http:///x HTTP/1.1", b"GET http://u@test.example/ HTTP/1.1"):  # fmt: skip
    add("C3", repr(line)[2:-1], line + b"\r\n" + H + b"\r\n")
for line, statuses in (
    (b"GET /", (400, 505)),
    (b"GET / HTTP/2.0", 505),
    (b"GET / HTTP/1.10", (400, 505)),
    (b"GET / http/1.1", (400, 505)),
    (b"GET / HTTP/4294967295.255", (400, 505)),
    (b"GET / HTTP/0.9", (400, 505)),
    (b"GET / HTTP/1.", (400, 505)),
    (b"GET / HTTP/11", (400, 505)),
    (b"GET / HTTPS/1.1", (400, 505)),
    (b"GET / HTTP/ 1.1", (400, 505)),
    (b"GET / HTTP/1.1x", (400, 505)),
):
    add("C5", repr(line)[2:-1], line + b"\r\n" + H + b"\r\n", statuses)
add("C6", "method with CTL", b"G\x01T / HTTP/1.1\r\n" + H + b"\r\n")
add("C6", "method in quotes", b'"GET" / HTTP/1.1\r\n' + H + b"\r\n", (400, 501))
add("C6", "method of 10 KB", b"G" * 10_240 + b" / HTTP/1.1\r\n" + H + b"\r\n", (400, 501, 414))
add("C6", "get", b"get / HTTP/1.1\r\n" + H + b"\r\n", (400, 501))
add("C6", "GET with a brace", b"GE{T / HTTP/1.1\r\n" + H + b"\r\n", (400, 501))
add("C7", "CONNECT", b"CONNECT test.example:443 HTTP/1.1\r\n" + H + b"\r\n", (405, 501), "connect")
add("C7", "TRACE", b"TRACE / HTTP/1.1\r\n" + H + b"\r\n", (405, 501), "trace")
add("C7", "PRI, and not the preface behind it", b"PRI * HTTP/2.0\r\n\r\nNO\r\n\r\n", (400, 405, 505), "h2_preface")
add("C8", "target of 64 KB", b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\n" + H + b"\r\n", 414, "line_too_long")
add("C8", "target of 64 KB that never ends", b"GET /" + b"a" * 65536, 414, "line_too_long")
for what, line in (
    ("TAB for SP", b"GET\t/ HTTP/1.1"),
    ("two SP before the target", b"GET  / HTTP/1.1"),
    ("two SP behind the target", b"GET /  HTTP/1.1"),
    ("SP at the end", b"GET / HTTP/1.1 "),
    ("SP at the start", b" GET / HTTP/1.1"),
    ("LF inside", b"GET /\n HTTP/1.1"),
    ("LF makes it 0.9", b"GET /evil\nX: y HTTP/1.1"),
    ("VT for SP", b"GET\x0b/ HTTP/1.1"),
    ("CR for SP", b"GET /\rHTTP/1.1"),
):
    add("C9", what, line + b"\r\n" + H + b"\r\n", (400, 505))
add("C10", "two empty lines first", b"\r\n\r\nGET / HTTP/1.1\r\n" + H + b"\r\n", reasons="empty_lines")
add("C10", "1 MB of CRLF", b"\r\n" * 500_000, reasons="empty_lines")
add("C10", "a lone LF first", b"\nGET / HTTP/1.1\r\n" + H + b"\r\n")
add("C11", "TLS ClientHello", bytes.fromhex("16030100a5010000a10303") + b"\x5a" * 160, reasons="tls_on_plain")
add("C11", "SSH banner", b"SSH-2.0-OpenSSH_9.2\r\n")
add("C11", "random bytes", bytes((i * 149 + 77) % 256 for i in range(512)))
add("C12", "PROXY v1", b"PROXY TCP4 1.2.3.4 5.6.7.8 1000 80\r\n" + _get(), reasons="proxy_header")
add("C12", "PROXY v2", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12) + _get())
add("A33", "Expect: bogus", _post(b"Expect: bogus\r\nContent-Length: 5\r\n", b"hello"), 417, "expect")
add("A18", "Transfer_Encoding", _post(b"Transfer_Encoding: chunked\r\n", b"0\r\n\r\n"), reasons="framing_lookalike")
add("A18", "Content_Length", _post(b"Content_Length: 5\r\n"), reasons="framing_lookalike")

# -- A21 to A29: chunked bodies. `data` is what stands behind a good head with Transfer-Encoding: chunked. --
CHUNKED_HEAD = _post(TE)
CHUNKS = []


def chunks(row, what, data, reasons=None):
    reasons = (reasons,) if isinstance(reasons, str) else reasons
    CHUNKS.append(Bad(row, what, data, (400,), reasons))


for size in (b"0x5", b"+5", b"-5", b"5_", b" 5", b"5 ", b"", b"5\t", b"g", b"5,5", b"\x005"):
    chunks("A21", f"size {size!r}", size + b"\r\nhello\r\n0\r\n\r\n" + EVIL)
chunks("A22", "size ffffffffffffffff", b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n", "chunk_overflow")
chunks("A22", "size of 17 digits", b"10000000000000005\r\nhello\r\n0\r\n\r\n", ("chunk_overflow", "chunk_size"))
chunks("A22", "size 8000000000000000", b"8000000000000000\r\nhello\r\n0\r\n\r\n", "chunk_overflow")
chunks("A22", "10 kB of zeros", b"0" * 10_000 + b"5\r\nhello\r\n0\r\n\r\n", ("chunk_overflow", "chunk_size"))
for line in (b"5;", b"5 x", b'5;a="b', b"5;a=\0", b"5;a=\x01", b"5;a=b c", b'5;a="b"c', b"5;=b", b"5;a;;b", b'5;a="\x7f"'):
    chunks("A23", f"line {line!r}", line + b"\r\nhello\r\n0\r\n\r\n", ("chunk_ext", "chunk_size", "chunk_line_end"))
chunks("A24", "CR CR in the size line", b"5\r\r;a\r\nhello\r\n0\r\n\r\n")
chunks("A24", "CR CR in the extension", b"5;a=b\r\rX\r\nhello\r\n0\r\n\r\n")
chunks("A24", "CR X", b"5\rX\r\nhello\r\n0\r\n\r\n")
chunks("A25", "LF behind the size", b"5\nhello\r\n0\r\n\r\n", "chunk_line_end")
chunks("A25", "LF behind the data", b"5\r\nhello\n0\r\n\r\n", ("chunk_data_end", "chunk_line_end"))
chunks("A25", "LF in a trailer", b"5\r\nhello\r\n0\r\nX-A: b\n\r\n")
chunks("A25", "LF behind the last size", b"5\r\nhello\r\n0\n\r\n", "chunk_line_end")
chunks("A25", "LF at the very end", b"5\r\nhello\r\n0\r\n\n" + EVIL)
chunks("A26", "no CRLF behind the data", b"5\r\nhelloXX0\r\n\r\n", "chunk_data_end")
chunks("A26", "data longer than its size", b"3\r\nhello\r\n0\r\n\r\n", "chunk_data_end")
chunks("A27", "junk for the last CRLF", b"5\r\nhello\r\n0\r\nXX" + EVIL)
chunks("A27", "request for the last CRLF", b"5\r\nhello\r\n0\r\n" + EVIL)
chunks("A28", "extension of 64 KB", b"5;a=" + b"b" * 65536 + b"\r\nhello\r\n0\r\n\r\n", "chunk_ext_long")
for name in (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Host: evil.example", b"Authorization: Basic x",
             b"X-A: a\0b", b"Cookie: a=b", b"Connection: close", b"X A: b", b": b", b"X-A"):  # fmt: skip
    chunks("A29", f"trailer {name!r}", b"5\r\nhello\r\n0\r\n" + name + b"\r\n\r\n")


def row_id(bad):
    return f"{bad.row} {bad.what}"
