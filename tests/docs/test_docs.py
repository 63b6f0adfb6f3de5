"""Help, man pages, completion, docs and code agree."""

import os
import re
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SLUICE = os.path.join(ROOT, os.environ.get("SLUICE_BIN", "build/sluice"))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def test_every_admin_verb_is_in_the_protocol():
    code = read("user/admin/verbs.c")
    verbs = re.findall(r'^\t\{"([a-z-]+)", do_', code, re.M)
    assert len(verbs) >= 7
    for verb in verbs:
        assert re.search(rf"^ \*   {verb}\b", read("include/sluice/admin.h"), re.M), f"{verb} is not in admin.h"


def test_every_end_and_reason_is_explained():
    text = read("docs/OPERATIONS.md")
    for path, macro in (("include/sluice/end_by.def", "SLUICE_END_BY"), ("include/sluice/lane_reasons.def", "SLUICE_REASON")):
        for word in re.findall(macro + r'\(\w+, "([^"]+)"\)', read(path)):
            assert f"`{word}`" in text, f"{word} ({path}) is not in docs/OPERATIONS.md"


@pytest.mark.parametrize("script", ["tools/lint/config_doc.py", "tools/lint/cli_doc.py", "tools/lint/ctl_doc.py", "tools/lint/metrics_doc.py"])
def test_doc_scripts(script):
    p = subprocess.run(["/usr/bin/python3", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert p.returncode == 0, p.stdout + p.stderr


def test_links_between_pages_lead_somewhere():
    pages = ["README.md"] + [os.path.join("docs", n) for n in os.listdir(os.path.join(ROOT, "docs")) if n.endswith(".md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)\)", read(page)):
            path = os.path.join(ROOT, os.path.dirname(page), target)
            assert os.path.exists(path), f"{page} links to {target}"


def test_files_stay_readable():
    """House style: files under about 500 lines."""
    out = subprocess.run(["git", "ls-files", "user", "bpf", "include", "tools"], cwd=ROOT, capture_output=True, text=True)
    if out.returncode != 0:
        pytest.skip("not a git checkout: the list of the project's files is not known")
    for path in out.stdout.split():
        if path.endswith((".c", ".h", ".py", ".sh")):
            assert read(path).count("\n") <= 500, path


def test_the_example_config_is_good():
    p = subprocess.run([SLUICE, "check", "--config", os.path.join(ROOT, "conf/sluice.yaml.example")],
                       capture_output=True, text=True, timeout=10)
    # Certificates are the operator's own: that they are not there is all that may be amiss.
    for line in p.stderr.splitlines():
        assert re.match(r"/etc/sluice/\S+: cannot be read: No such file or directory$", line), p.stderr
