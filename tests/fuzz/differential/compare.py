"""Holds sluice's HTTP/1 parser against Node's: what sluice accepts, Node must read as the same message.

Inputs are the seeds of fuzz_h1, mutations of them and built messages, seeded and so repeatable. Refusing more
than Node does is fine and is counted. What differs all the same must be in EXCEPTIONS, each with the reason why
it is no danger.
"""
import json
import pathlib
import random
import re
import struct
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = HERE.parent / "corpus" / "fuzz_h1"
MUTATIONS = 3000
SEED_MAX = 2000  # bytes of a seed that is mutated
SEED = 20240607

# Methods that llhttp has no number for are refused by Node; RFC 9110 9.1 lets any token be a method.
NODE_METHODS = set(
    "DELETE GET HEAD POST PUT OPTIONS COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND UNBIND "
    "ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK "
    "UNLINK SOURCE QUERY".split())


def odd_method(_message, sluice, node):
    return (sluice["kind"] == "request" and sluice["method"] not in NODE_METHODS
            and node.get("error") == "HPE_INVALID_METHOD")


# A higher minor version is to be read as the highest one known (RFC 9110 2.5). The upstream gets HTTP/1.1.
def higher_minor(message, sluice, node):
    return sluice["minor"] == 1 and re.search(rb"^(?:\r\n)?[^\r]*HTTP/1\.[2-9]", message) and node.get(
        "error") == "HPE_INVALID_VERSION"


# No 1xx has a body (RFC 9112 6.3); Node believes the Content-Length of those it has no name for. What follows is
# read as the next response, so an upstream that sends such a body gets a 502.
def body_of_unknown_interim(_message, sluice, _node):
    return sluice["kind"] == "response" and 104 <= sluice["status"] <= 199 and sluice["framing"] == "none"


EXCEPTIONS = {
    "method that Node does not know": odd_method,
    "HTTP/1.2 to HTTP/1.9 read as HTTP/1.1": higher_minor,
    "1xx that Node does not know, with a length": body_of_unknown_interim,
}

SPICE = [
    b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b",", b";", b"\x0b", b"\x7f", b"\x80", b"\xff", b"_",
    b"0", b"-", b"\"", b"\\", b"#", b"?", b"/", b"chunked", b"\r\n ", b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Connection: upgrade\r\n", b"Upgrade: websocket\r\n",
    b"Host: b\r\n", b"Expect: 100-continue\r\n", b"HTTP/1.1", b"HTTP/1.0", b"0\r\n\r\n", b"5\r\nhello\r\n",
]


def mutate(rng, data, seeds, steps):
    data = bytearray(data)
    for _ in range(steps):
        at = rng.randint(0, len(data))
        op = rng.randrange(7)
        if op == 0:
            data[at:at] = rng.choice(SPICE)
        elif op == 1 and data:
            at %= len(data)
            data[at] = rng.randrange(256)
        elif op == 2:
            del data[at:at + rng.randint(1, 4)]
        elif op == 3:  # one line again, somewhere else
            lines = bytes(data).split(b"\r\n")
            lines.insert(rng.randint(0, len(lines)), rng.choice(lines))
            data = bytearray(b"\r\n".join(lines))
        elif op == 4:  # two lines change places
            lines = bytes(data).split(b"\r\n")
            i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[i], lines[j] = lines[j], lines[i]
            data = bytearray(b"\r\n".join(lines))
        elif op == 5:  # the rest of another seed
            other = rng.choice(seeds)
            data = data[:at] + other[rng.randint(0, len(other)):]
        else:
            end = at + rng.randint(1, 12)
            data[at:end] = bytes(data[at:end]).swapcase()
    return bytes(data)


METHODS = [
    b"GET", b"GET", b"POST", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"PATCH", b"M-SEARCH", b"PURGE",
]
TARGETS = [
    b"/", b"/events?room=1&x=%20", b"/a//b/../c;d=e", b"http://b.example/x?y", b"https://[::1]:8443", b"/?",
    b"/{|}^`[]", b"//b/c", b"/" + b"long" * 100,
]
FIELDS = [
    b"Accept: text/event-stream", b"X-Empty:", b"x-Case:  a  b\t", b"Cookie: a=b; c=\"d\"",
    b"X-Obs: \xc3\xa4\xff", b"Last-Event-ID: 7", b"Connection: keep-alive, X-Case", b"Connection: close",
    b"Upgrade: websocket", b"TE: trailers", b"Connection: upgrade", b"Keep-Alive: timeout=5",
    b"!#$%&'*+-.^_`|~: tchar", b"Via: 1.1 a", b"X-Colon: a:b: c", b"X-Accel-Buffering: yes",
    b"Content-Type: text/event-stream; charset=utf-8", b"Cache-Control: no-cache",
]
CHUNKS = [
    b"5\r\nhello\r\n", b"A\r\n0123456789\r\n", b"001;a=b;c=\"d\\\"\"\r\nx\r\n", b"b\r\ndata: abc\n\n\r\n",
]
STATUSES = [
    b"200 OK", b"200 OK", b"204 No Content", b"304 Not Modified", b"404 Not  Found", b"200 ",
    b"100 Continue", b"503 \xe4",
]


def body(rng):
    """Framing fields, and a body after them; now and then less or more than the whole body."""
    kind = rng.randrange(4)
    if kind == 0:
        return [], b""
    if kind == 1:
        chunks = b"".join(rng.choices(CHUNKS, k=rng.randrange(4)))
        return [b"Transfer-Encoding: chunked"], chunks + rng.choice(
            [b"0\r\n\r\n", b"0\r\n\r\nGET /next", b"000;x\r\nX-Sum: 1\r\nY:\r\n\r\n", b"0\r\n", b""])
    length = rng.randrange(30)
    return [b"Content-Length: %d" % length], b"b" * (length + rng.choice([0, 0, -1, 3]))


def build(rng):
    """A message that should be accepted, by most."""
    framing, rest = body(rng)
    fields = rng.sample(FIELDS, rng.randrange(6)) + framing
    rng.shuffle(fields)
    if rng.randrange(4):
        minor = rng.choice([b"1", b"1", b"1", b"0"])
        first = b"%b %b HTTP/1.%b" % (rng.choice(METHODS), rng.choice(TARGETS), minor)
        host = rng.choice([b"a", b"a.example:8080", b"[2001:db8::1]"])
        fields.insert(rng.randint(0, len(fields)), b"Host: " + host)
    else:
        first = b"HTTP/1.%b %b" % (rng.choice([b"1", b"1", b"0"]), rng.choice(STATUSES))
    return b"\r\n".join([first, *fields, b"", b""]) + rest


def inputs():
    """All inputs by name, always the same ones."""
    seeds = {p.name: p.read_bytes() for p in sorted(CORPUS.iterdir())}
    small = [data for data in seeds.values() if len(data) <= SEED_MAX]
    rng = random.Random(SEED)
    found = dict(seeds)
    for i in range(MUTATIONS):
        if i % 3:
            found[f"built-{i}"] = mutate(rng, build(rng), small, rng.randrange(3))
        else:
            found[f"mutation-{i}"] = mutate(rng, rng.choice(small), small, rng.randint(1, 3))
    return found


def run(command, messages):
    stdin = b"".join(struct.pack("<I", len(m)) + m for m in messages)
    done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, check=True, timeout=300)
    # Not splitlines(): a value may hold U+0085, which is a line end to it.
    return [json.loads(line) for line in done.stdout.decode().split("\n") if line]


def pairs(message):
    return [(f["name"], f["value"]) for f in message["fields"]]


def differences(sluice, node):
    """What Node read in another way than sluice, for a message that sluice accepts."""
    if node["verdict"] != "accepted":
        return [f"Node: {node['verdict']} ({node.get('error')})"]
    found = []
    keys = ["kind", "used", "body"]
    keys += ["method", "target"] if sluice["kind"] == "request" else ["status", "reason"]
    for key in keys:
        if sluice[key] != node[key]:
            found.append(f"{key}: {sluice[key]!r}, Node {node[key]!r}")
    if sluice["complete"] != node["complete"]:
        found.append(f"complete: {sluice['complete']}, Node {node['complete']}")
    if pairs(sluice) != pairs(node):
        found.append(f"fields: {pairs(sluice)}, Node {pairs(node)}")
    if (1, sluice["minor"]) != (node["major"], node["minor"]):
        found.append(f"version: 1.{sluice['minor']}, Node {node['major']}.{node['minor']}")
    return found


def verdict(sluice):
    """A body that breaks a rule is a refusal, too."""
    return "refused" if sluice.get("body_rule") else sluice["verdict"]


def compare(dump):
    """Returns (counts, failures); a failure is (name, bytes, differences)."""
    names_and_bytes = list(inputs().items())
    messages = [m for _, m in names_and_bytes]
    ours = run([dump], messages)
    theirs = run(["node", "--no-deprecation", str(HERE / "node_parser.js")], messages)
    assert len(ours) == len(theirs) == len(messages)
    counts = {"inputs": len(messages), "accepted by both alike": 0, "refused by both": 0,
              "refused by sluice only": 0, "unfinished": 0}
    failures = []
    for (name, message), sluice, node in zip(names_and_bytes, ours, theirs):
        if verdict(sluice) == "more":
            counts["unfinished"] += 1
        elif verdict(sluice) == "refused":
            counts["refused by both" if node["verdict"] == "refused" else "refused by sluice only"] += 1
        else:
            found = differences(sluice, node)
            reasons = [r for r, applies in EXCEPTIONS.items() if found and applies(message, sluice, node)]
            if reasons:
                counts["exception: " + reasons[0]] = counts.get("exception: " + reasons[0], 0) + 1
            elif found:
                failures.append((name, message, found))
            else:
                counts["accepted by both alike"] += 1
    return counts, failures
