"""The exporter's flags, pages and limits in its code, manual and help."""

import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXPORTER = os.path.join(ROOT, os.path.dirname(os.environ.get("SLUICE_BIN", "build/sluice")), "sluice-exporter")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def test_flags():
    code = set(re.findall(r'\{"([a-z-]+)", (?:required|no)_argument', read("tools/exporter/main.c")))
    man = read("docs/man/sluice-exporter.8")
    assert code == {f for line in re.findall(r"^\.It (Fl Fl .*)$", man, re.M) for f in re.findall(r"Fl Fl ([\w-]+)", line)}
    synopsis = re.search(r"^\.Sh SYNOPSIS\n(.*?)^\.Sh", man, re.M | re.S)[1]
    assert code == set(re.findall(r"Fl Fl ([\w-]+)", synopsis))
    p = subprocess.run([EXPORTER, "--help"], stdout=subprocess.PIPE, timeout=10, text=True)
    assert p.returncode == 0 and code == set(re.findall(r"--([a-z]+)", p.stdout))


def test_numbers_and_pages():
    code, man = read("tools/exporter/http.c") + read("tools/exporter/main.c"), read("docs/man/sluice-exporter.8")

    def number(name):
        return re.search(rf"#define {name}\s+(\S+)", code)[1].strip('"')

    assert f"at most {number('MAX_CONNECTIONS')} connections, {number('MAX_OF_ONE_PEER')} of one address" in man
    assert f"after {number('IDLE_SECONDS')} seconds" in man and f"at most {number('TOP_MAX')}" in man
    listen = number("DEFAULT_LISTEN")
    for where in (man, read("conf/sluice-exporter.service"), read("conf/prometheus/prometheus.yml.example")):
        assert listen in where
    assert set(re.findall(r'\{"(/\w*)", on_', code)) == set(re.findall(r"^\.It Pa (/\w*)$", man, re.M))


def test_the_manual_is_well_formed():
    p = subprocess.run(["man", "--warnings", "-l", "-Tutf8", os.path.join(ROOT, "docs/man/sluice-exporter.8")], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=20, text=True) if os.path.exists("/usr/bin/man") else None
    assert p is None or (p.returncode == 0 and not p.stderr), p.stderr
