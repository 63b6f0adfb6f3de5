"""The completions of bash and zsh, run in the shells themselves: they offer what the programs' --help tells, no more and no
less, and what a live daemon has."""

import os
import re
import shlex
import shutil
import subprocess

import pytest
from ctlkit.run import CTL, ROOT
from ctlkit.screen import Screen

BUILD = os.path.dirname(CTL)
BASH = os.path.join(ROOT, "conf/sluicectl.bash-completion")
ZSH = shutil.which("zsh")


def bash(function, *words):
    """What is offered for the last of `words`."""
    script = f"""
compopt() {{ :; }}
. {shlex.quote(BASH)}
COMP_WORDS=({" ".join(map(shlex.quote, words))})
COMP_CWORD={len(words) - 1}
{function} {shlex.quote(words[0])}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    p = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, timeout=20)
    assert p.returncode == 0 and not p.stderr, p.stderr
    return set(p.stdout.split())


def help_of(program, *words):
    return subprocess.run([os.path.join(BUILD, program), *words, "--help"], capture_output=True, text=True).stdout


def flags_of(text):
    return set(re.findall(r"(?:^  |, )(--[a-z-]+)", text, re.M))


def verbs():
    text = help_of("sluicectl")
    return set(re.findall(r"^  ([a-z]+) ", text, re.M))


def test_bash_offers_every_verb_and_its_flags():
    assert len(verbs()) >= 15
    assert bash("_sluicectl", CTL, "") == verbs()
    assert bash("_sluicectl", CTL, "st") == {"streams", "stream"}
    assert bash("_sluicectl", CTL, "--instance", "x", "dr") == {"drain"}
    for verb in verbs():
        assert bash("_sluicectl", CTL, verb, "--") == flags_of(help_of("sluicectl", verb)), verb
    assert bash("_sluicectl", CTL, "--") == flags_of(help_of("sluicectl"))


def test_bash_offers_words():
    columns = set(re.findall(r"^  (\w+)", help_of("sluicectl", "streams").split("columns:")[1], re.M))
    assert bash("_sluicectl", CTL, "streams", "--sort", "") == columns
    assert bash("_sluicectl", CTL, "streams", "--columns", "id,un") == {"id,unsent", "id,unacked"}
    assert bash("_sluicectl", CTL, "log", "") == {"level"}
    assert bash("_sluicectl", CTL, "log", "level", "") == {"error", "warn", "info", "debug"}
    assert bash("_sluicectl", CTL, "lane", "5", "") == {"copy", "splice"}


def test_bash_offers_live_ids(scene):
    scene.open("/completed")
    ids = {str(s["id"]) for s in scene.ctl.streams()}
    assert ids and bash("_sluicectl", CTL, "--admin", scene.relay.admin_path, "kill", "") == ids


def test_bash_offers_the_other_programs_flags():
    exporter, bench = os.path.join(BUILD, "sluice-exporter"), os.path.join(BUILD, "sluice-bench")
    assert bash("_sluice_exporter", exporter, "--") == flags_of(help_of("sluice-exporter"))
    commands = set(re.findall(r"^  sluice-bench (\w+)", help_of("sluice-bench"), re.M))
    assert len(commands) >= 4 and bash("_sluice_bench", bench, "") == commands | {"--help", "--version"}
    for command in commands:
        assert bash("_sluice_bench", bench, command, "--") == flags_of(help_of("sluice-bench", command)) | {"--help"}


@pytest.fixture
def zsh(tmp_path):
    """An interactive zsh with our completion, and a function that types a line and a TAB."""
    if not ZSH:
        pytest.skip("zsh is not installed")
    screens = []

    def complete(line, expect, columns=150):
        s = Screen([ZSH, "-f"], columns=columns, lines=60, env={"PATH": f"{BUILD}:{os.environ['PATH']}", "HOME": str(tmp_path)})
        screens.append(s)
        s.keys(f"PS1='rdy> '; fpath=({ROOT}/conf $fpath); autoload -Uz compinit; compinit -u -D; setopt nolistambiguous; LISTMAX=1000; echo do''ne\r")
        s.wait("done", 20)
        s.read(0.2)
        s.keys(line, "\t")
        return s.wait(expect, 20)

    yield complete
    for s in screens:
        s.close()


def test_zsh_offers_every_verb(zsh):
    text = zsh("sluicectl ", lambda t: "upstreams" in t and "workers" in t)
    for verb in verbs():
        assert re.search(rf"^{verb} +-- ", text, re.M), f"{verb}\n{text}"


@pytest.mark.parametrize("line", ["sluicectl streams --", "sluicectl lanes --", "sluice-exporter --", "sluice-bench compare --"])
def test_zsh_offers_every_flag(zsh, line):
    program, *words = line.split()[:-1]
    wanted = flags_of(help_of(program, *words)) - {"--version"}
    text = zsh(line, lambda t: all(f in t for f in wanted))
    assert wanted


@pytest.mark.parametrize("line, word", [("sluicectl log level d", "level debug"), ("sluicectl lane 1 s", "1 splice"),
                                        ("sluicectl dra", "drain"), ("sluice che", "sluice check"), ("sluice check --c", "--config")])
def test_zsh_completes(zsh, line, word):
    zsh(line, f"rdy> {line.rsplit(' ', 1)[0].split(' ')[0]}")
    zsh(line, word)
