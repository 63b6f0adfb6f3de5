#!/usr/bin/python3
"""Compares the commands and flags of sluice in the code (user/main/options.c, sluice.c) with docs/man/sluice.8,
conf/sluice.bash-completion and the table in docs/CONFIG.md. Exit 1 and one line per difference."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def read(path):
    return (ROOT / path).read_text()


def flags_in_code():
    """Flag list of each command that has one of its own; run and check share `config`."""
    lists = {}
    for name, body in re.findall(r"struct option (\w+)_flags\[\] = \{\n(.*?)\n\};", read("user/main/options.c"), re.S):
        lists[name] = re.findall(r'\{"([\w-]+)",', body)
    return lists


def differ(where, what, wanted, found):
    for name in wanted - found:
        yield f"{where}: {what} {name} is missing"
    for name in found - wanted:
        yield f"{where}: there is no {what} {name}"


def main():
    lists = flags_in_code()
    commands = set(re.findall(r'^\t\{"(\w+)", command_\w+,', read("user/main/sluice.c"), re.M))
    if sorted(lists) != ["config", "probe", "proxy"] or not commands or not all(lists.values()):
        sys.exit("user/main/options.c: its tables cannot be read any more: adapt tools/lint/cli_doc.py")
    every = {flag for flags in lists.values() for flag in flags}

    man = read("docs/man/sluice.8")
    synopsis = re.search(r"^\.Sh SYNOPSIS\n(.*?)^\.Sh", man, re.M | re.S)[1]
    described = set(re.findall(r"^\.It Fl Fl ([\w-]+)", man, re.M))
    completion = read("conf/sluice.bash-completion")
    offered = set(re.findall(r"--([\w-]+)", " ".join(re.findall(r"words='(.*)'", completion))))
    table = re.search(r"^## Flags of.*?\n(.*)", read("docs/CONFIG.md"), re.M | re.S)[1]

    found = [
        *differ("docs/man/sluice.8", "command", commands, set(re.findall(r"^\.It Ic (\w+)$", man, re.M))),
        *differ("docs/man/sluice.8 (synopsis)", "command", commands, set(re.findall(r"^\.Ic (\w+)$", synopsis, re.M))),
        *differ("docs/man/sluice.8 (synopsis)", "flag", every | {"version", "help"},
                set(re.findall(r"Fl Fl ([\w-]+)", synopsis))),
        *differ("docs/man/sluice.8", "flag", every, described),
        *differ("conf/sluice.bash-completion", "command", commands,
                set(re.search(r"compgen -W '([a-z ]*) --help", completion)[1].split())),
        *differ("conf/sluice.bash-completion", "flag", every, offered),
        *differ("docs/CONFIG.md", "flag", set(lists["proxy"]), set(re.findall(r"^\| `--([\w-]+)", table, re.M))),
    ]
    for line in found:
        print(line)
    if found:
        sys.exit(1)
    print(f"cli_doc: {len(commands)} commands and {len(every)} flags agree in code, manual, completion and docs/CONFIG.md")


if __name__ == "__main__":
    main()
