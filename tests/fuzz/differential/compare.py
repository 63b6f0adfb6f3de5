"""Holds sluice's HTTP/1 parser against Node's: what sluice accepts, Node must read as the same message.

Inputs are the seeds of fuzz_h1 and a seeded, repeatable set of mutations of them. Refusing more than Node does is fine
and is counted. What differs all the same must be in EXCEPTIONS, each with the reason why it is no danger.
"""
import json
import pathlib
import random
import struct
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = HERE.parent / "corpus" / "fuzz_h1"
MUTATIONS = 3000
SEED_MAX = 2000  # bytes of a seed that is mutated
SEED = 20240607

# Methods that llhttp has no number for are refused by Node; RFC 9110 9.1 lets any token be a method.
NODE_METHODS = set(
    "DELETE GET HEAD POST PUT OPTIONS COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND UNBIND ACL "
    "REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK UNLINK SOURCE "
    "QUERY".split())


def odd_method(sluice, _node):
    return sluice["kind"] == "request" and sluice["method"] not in NODE_METHODS


EXCEPTIONS = {
    "method that Node does not know": odd_method,
}

SPICE = [b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b",", b";", b"\x0b", b"\x7f", b"\x80", b"\xff", b"_", b"0", b"-",
         b"\"", b"\\", b"#", b"?", b"/", b"chunked", b"\r\n ", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
         b"Connection: upgrade\r\n", b"Upgrade: websocket\r\n", b"Host: b\r\n", b"Expect: 100-continue\r\n", b"HTTP/1.1",
         b"HTTP/1.0", b"0\r\n\r\n", b"5\r\nhello\r\n"]


def mutate(rng, seeds):
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 3)):
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


def inputs():
    """All inputs by name, always the same ones."""
    seeds = {p.name: p.read_bytes() for p in sorted(CORPUS.iterdir())}
    small = [data for data in seeds.values() if len(data) <= SEED_MAX]
    rng = random.Random(SEED)
    found = dict(seeds)
    for i in range(MUTATIONS):
        found[f"mutation-{i}"] = mutate(rng, small)
    return found


def run(command, messages):
    stdin = b"".join(struct.pack("<I", len(m)) + m for m in messages)
    done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, check=True, timeout=300)
    return [json.loads(line) for line in done.stdout.decode("ascii" if command[0] != "node" else "utf-8").splitlines()]


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
    ours, theirs = run([dump], messages), run(["node", "--no-deprecation", str(HERE / "node_parser.js")], messages)
    assert len(ours) == len(theirs) == len(messages)
    counts = {"inputs": len(messages), "accepted by both alike": 0, "refused by both": 0, "refused by sluice only": 0,
              "unfinished": 0}
    failures = []
    for (name, message), sluice, node in zip(names_and_bytes, ours, theirs):
        if verdict(sluice) == "more":
            counts["unfinished"] += 1
        elif verdict(sluice) == "refused":
            counts["refused by both" if node["verdict"] == "refused" else "refused by sluice only"] += 1
        else:
            found = differences(sluice, node)
            reason = next((r for r, applies in EXCEPTIONS.items() if found and applies(sluice, node)), None)
            if reason:
                counts["exception: " + reason] = counts.get("exception: " + reason, 0) + 1
            elif found:
                failures.append((name, message, found))
            else:
                counts["accepted by both alike"] += 1
    return counts, failures
