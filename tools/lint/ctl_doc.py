#!/usr/bin/python3
"""Compares the verbs and flags of sluicectl (tools/ctl/verbs.c, command.c), its columns (column.c) and the keys of top
(top_state.c) with docs/man/sluicectl.8. The completions ask the program itself; tests/ctl/test_completion.py runs them.
Exit 1 and one line per difference."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def flags_of(text):
    return set(re.findall(r'\{"([a-z-]+)",\s*(?:"[^"]*"|NULL),', text))


def verbs_in_code():
    """Name -> its flags."""
    table = re.search(r"struct verb verbs\[\] = \{\n(.*?)\n\};", read("tools/ctl/verbs.c"), re.S)[1]
    rows = re.split(r"(?m)^\t\{(?=\")", table)[1:]
    out = {}
    for row in rows:
        name, rest = re.match(r'"([a-z]+)",(.*)', row, re.S).groups()
        out[name] = flags_of(rest[rest.index("verb_") :])
    return out


def verbs_in_manual(man):
    """Name -> the flags of the list behind it."""
    body = man[man.index(".Ss Looking") : man.index(".Sh COLUMNS")]
    parts = re.split(r"(?m)^\.It Ic ", body)[1:]
    return {re.match(r"\w+", p)[0]: set(re.findall(r"^\.It Fl Fl ([\w-]+)", p, re.M)) for p in parts}


def differ(what, wanted, found):
    for name in sorted(wanted - found):
        yield f"docs/man/sluicectl.8: {what} {name} is missing"
    for name in sorted(found - wanted):
        yield f"docs/man/sluicectl.8: there is no {what} {name}"


def main():
    man = read("docs/man/sluicectl.8")
    code, told = verbs_in_code(), verbs_in_manual(man)
    common = flags_of(re.search(r"common_flags\[\] = \{\n(.*?)\n\};", read("tools/ctl/command.c"), re.S)[1])
    columns = set(re.findall(r'^\t[NTA]\((\w+), "', read("tools/ctl/column.c"), re.M))
    keys = set("".join(re.findall(r'^\t\{"([^"]+)", "', read("tools/ctl/top_state.c"), re.M)).replace(" ", ""))
    if len(code) < 10 or len(common) < 5 or len(columns) < 30 or not keys:
        sys.exit("tools/ctl: its tables cannot be read any more: adapt tools/lint/ctl_doc.py")
    section = re.search(r"^\.Sh COLUMNS\n(.*?)^\.El", man, re.M | re.S)[1]
    top = re.search(r"^\.Sh TOP\n(.*?)^\.Pp", man, re.M | re.S)[1]
    everywhere = re.search(r"^\.Ss Flags of every verb\n(.*?)^\.Ss", man, re.M | re.S)[1]
    found = [
        *differ("verb", set(code), set(told)),
        *differ("flag of every verb", common, set(re.findall(r"^\.It Fl Fl ([\w-]+)", everywhere, re.M))),
        *differ("column", columns, set(re.findall(r"^\.It Cm (\w+)$", section, re.M))),
        *differ("key", keys, set("".join(re.findall(r"^\.It (.*)$", top, re.M)).replace(",", "").replace(" ", ""))),
    ]
    for verb in set(code) & set(told):
        found += differ(f"{verb}'s flag", code[verb], told[verb])
    for line in found:
        print(line)
    if found:
        sys.exit(1)
    print(f"ctl_doc: {len(code)} verbs and {len(columns)} columns agree in code and manual")


if __name__ == "__main__":
    main()
