#!/usr/bin/python3
"""Compares the keys of sluice.yaml in the code (user/conf/keys.h) with docs/CONFIG.md, docs/man/sluice.yaml.5 and
conf/sluice.yaml.example: each key stands in each of them, in its section, with its range and its default; no other key
does. Exit 1 and one line per difference."""

import pathlib
import re
import sys
from typing import NamedTuple, Optional

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEYS = "user/conf/keys.h"
CHOICES = "user/conf/value.c"
DOC = "docs/CONFIG.md"
MAN = "docs/man/sluice.yaml.5"
EXAMPLE = "conf/sluice.yaml.example"

# Heading of each section in the documents.
HEADINGS = {
    "top": "The top", "log": "log", "client": "client", "tls": "tls", "http2": "http2", "certificate": "certificates",
    "listener_tls": "TLS of a listener", "upstream_tls": "TLS of an upstream", "listener": "listeners", "upstream": "upstreams",
    "server": "servers", "health": "health", "route": "routes", "timeouts": "timeouts", "slow": "slow", "edit": "headers",
}
DURATION = [("d", 86400000), ("h", 3600000), ("m", 60000), ("s", 1000), ("ms", 1)]
SIZE = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)]


class Row(NamedTuple):
    key: str
    type: str  # the row's letter: N C V H M L T
    kind: str
    default: Optional[str]
    zero: Optional[str]
    low: int
    high: int
    choices: str
    section: str  # of M and L


def number(text, names):
    """A product of constants, as C writes them."""
    value = 1
    for factor in text.strip("()").replace(" ", "").split("*"):
        if factor in names:
            value *= names[factor]
        else:
            value *= int(factor.removesuffix("ULL"), 8 if factor.startswith("0") and len(factor) > 1 else 10)
    return value


def unquote(text):
    return None if text == "NULL" else text.strip('"')


def make_row(kind, args, names, choices):
    key = args[0]
    row = dict(key=key, type=kind, kind="", default=None, zero=None, low=0, high=0, choices="", section="")
    if kind == "N":
        row.update(kind=args[1], default=unquote(args[3]), zero=unquote(args[4]), low=number(args[5], names),
                   high=number(args[6], names))
    elif kind == "C":
        row.update(choices=choices[args[1]], default=unquote(args[3]))
    elif kind == "V":
        row.update(kind=args[1], default=unquote(args[3]))
    elif kind == "H":
        row.update(kind=args[1], default=unquote(args[2]))
    elif kind in "ML":
        row.update(section=args[1])
    else:
        row.update(kind=args[1])
    return Row(**row)


def read_keys():
    """Section -> rows, in their order."""
    text = (ROOT / KEYS).read_text()
    names, sections = {}, {}
    for name, value in re.findall(r"#define (MS|SEC|HOUR|DAY|KIB|MIB|GIB|TIB) (.*)", text):
        names[name] = number(value, names)
    choices = dict(re.findall(r'^CHOICES\((\w+), "([^"]*)"', (ROOT / CHOICES).read_text(), re.M))
    lists = dict(re.findall(r"#define (\w+_KEYS)\(N, C.*?\n((?:\t.*\n)+)", text))
    for section, name in re.findall(r"^\tS\((\w+), (\w+_KEYS),", text, re.M):
        found = re.findall(r'^\t([NCVHMLT])\(X, (.*?)\)(?: \\)?$', lists[name], re.M)
        sections[section] = [make_row(kind, [a.strip() for a in args.split(",")], names, choices) for kind, args in found]
    return sections


def in_unit(value, units):
    return next(f"{value // factor}{unit}" for unit, factor in units if value % factor == 0)


def allowed_cell(row):
    """What the third column must say; free for texts."""
    if row.type == "C":
        return re.sub(r"[\w.-]+(?=,| or|$)|(?<= or )[\w.-]+", r"`\g<0>`", row.choices)
    if row.type != "N":
        return "–"
    units = {"DURATION": DURATION, "SIZE": SIZE}.get(row.kind)
    if row.kind == "MODE":
        return f"{row.low:04o} to {row.high:04o}"
    low, high = (in_unit(row.low, units), in_unit(row.high, units)) if units else (row.low, row.high)
    return f"{low} to {high}" + (f", or `{row.zero}`" if row.zero else "")


def default_cell(row):
    return f"`{row.default}`" if row.default else "–"


def check_doc(sections):
    text = (ROOT / DOC).read_text()
    parts = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    for section, rows in sections.items():
        heading = HEADINGS[section]
        table = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \|$", parts.get(heading, ""), re.M)
        written = {key: (what, allowed, default) for key, what, allowed, default in table}
        yield from compare(DOC, heading, [r.key for r in rows], [t[0] for t in table])
        for row in rows:
            if row.key not in written:
                continue
            what, allowed, default = written[row.key]
            if len(what) < 10:
                yield f"{DOC}: {heading}: `{row.key}`: a sentence, found {what!r}"
            if allowed != allowed_cell(row):
                yield f"{DOC}: {heading}: `{row.key}`: allowed is {allowed_cell(row)}, found {allowed}"
            if default != default_cell(row):
                yield f"{DOC}: {heading}: `{row.key}`: the default is {default_cell(row)}, found {default}"


def check_man(sections):
    text = (ROOT / MAN).read_text()
    parts = dict(re.findall(r"^\.Ss (.*?)\n(.*?)(?=^\.S[sh] |\Z)", text, re.M | re.S))
    for section, rows in sections.items():
        heading = HEADINGS[section]
        items = re.findall(r"^\.It Ic (\w+)\n(.*?)(?=^\.It |^\.El|\Z)", parts.get(heading, ""), re.M | re.S)
        yield from compare(MAN, heading, [r.key for r in rows], [i[0] for i in items])
        written = dict(items)
        for row in rows:
            body = written.get(row.key, "")
            allowed, default = allowed_cell(row).replace("`", ""), default_cell(row).replace("`", "")
            if allowed != "–" and f"\nAllowed: {allowed}.\n" not in body and row.key in written:
                yield f"{MAN}: {heading}: {row.key}: a line \"Allowed: {allowed}.\", found none"
            if default != "–" and f"\nDefault: {default}.\n" not in body and row.key in written:
                yield f"{MAN}: {heading}: {row.key}: a line \"Default: {default}.\", found none"


def compare(where, heading, known, written):
    for key in known:
        if key not in written:
            yield f"{where}: {heading}: `{key}` is missing"
    for key in written:
        if key not in known:
            yield f"{where}: {heading}: `{key}` is no key of this section"
        elif written.count(key) > 1:
            yield f"{where}: {heading}: `{key}` stands there twice"


def used_keys(sections, section, node, used):
    """Which keys of each section the example has, anywhere."""
    rows = {row.key: row for row in sections[section]}
    for key, value in node.items():
        used[section].add(key)
        row = rows.get(key)
        if row is None or not row.section:
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                used_keys(sections, row.section, item, used)


def check_example(sections):
    text = (ROOT / EXAMPLE).read_text()
    used = {section: set() for section in sections}
    used_keys(sections, "top", yaml.safe_load(text), used)
    for section, rows in sections.items():
        yield from compare(EXAMPLE, HEADINGS[section], [r.key for r in rows], sorted(used[section]))
        for row in rows:
            # A line that says "(default)" shows it.
            for shown in re.findall(rf"^\s*-?\s*{row.key}: (\S+) #[^\n]*\(default\)", text, re.M):
                others = {r.default for rs in sections.values() for r in rs if r.key == row.key}
                if shown not in others:
                    yield f"{EXAMPLE}: {row.key}: the default is {row.default}, found {shown}"


def main():
    sections = read_keys()
    if sorted(sections) != sorted(HEADINGS) or not all(sections.values()):
        sys.exit(f"{KEYS}: its rows cannot be read any more: adapt tools/lint/config_doc.py")
    differences = [*check_doc(sections), *check_man(sections), *check_example(sections)]
    for line in differences:
        print(line)
    if differences:
        sys.exit(1)
    print(f"config_doc: {sum(map(len, sections.values()))} keys agree in {KEYS}, {DOC}, {MAN} and {EXAMPLE}")


if __name__ == "__main__":
    main()
