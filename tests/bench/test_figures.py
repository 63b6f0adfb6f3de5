"""What `compare`, `scale` and `plots` write: JSON of the promised shape, well-formed SVG that says what it shows, a page."""

import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest

BEGIN, END = "<!-- scale: begin; written by `make bench-scale` -->\n", "<!-- scale: end -->\n"
needs_gnuplot = pytest.mark.skipif(shutil.which("gnuplot") is None, reason="no gnuplot (Debian: gnuplot-nox)")


def run(*argv, code=0):
    p = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=55)
    assert p.returncode == code, f"status {p.returncode}, {code} was meant\n{p.stdout}\n{p.stderr}"
    return p


def words(svg):
    """The text of a well-formed SVG."""
    root = ET.parse(svg).getroot()
    assert root.tag.endswith("}svg")
    return " | ".join("".join(t.itertext()) for t in root.iter() if t.tag.endswith("}text"))


@pytest.fixture(scope="module")
def measured(bench, tmp_path_factory):
    """A comparison and a grid, both far too short for figures."""
    to = tmp_path_factory.mktemp("figures")
    run(bench, "compare", "--streams", 10, "--rate", 20, "--rounds", 2, "--seconds", 0.5, "--warmup", 0.2, "--pause", 0,
        "--contenders", "none,sluice-copy", "--json", to / "pair.json")  # fmt: skip
    page = to / "page.md"
    page.write_text("# Scale\n" + BEGIN + "nothing yet\n" + END + "below\n")
    p = run(bench, "scale", "--streams", "5,20", "--rates", "5,20", "--rounds", 1, "--seconds", 0.5, "--warmup", 0.1, "--contenders",
            "none,sluice-copy", "--json", to / "grid.json", "--page", page)  # fmt: skip
    return to, p


def test_comparison_in_json(measured):
    out = json.loads((measured[0] / "pair.json").read_text())
    assert out["format"] == 1 and out["settings"]["topology"] == "local"
    for c in out["contenders"]:
        assert len(c["rounds"]) == 2
        for r in c["rounds"]:
            assert set(r) == set(out["units"])
            assert r["cores_machine"] > 0 and r["events_per_s"] > 100
    relay = out["contenders"][1]
    assert all(r["memory_user"] > 1e6 for r in relay["rounds"])
    assert relay["above_none"]["cpu_machine"]["min"] <= relay["above_none"]["cpu_machine"]["median"]


def test_grid_in_json(measured):
    out = json.loads((measured[0] / "grid.json").read_text())
    assert out["kind"] == "scale" and out["format"] == 1
    places = [(r["contender"], r["streams"], r["rate"]) for r in out["runs"]]
    assert sorted(places) == sorted((c, s, r) for c in ("none", "sluice-copy") for s in (5, 20) for r in (5, 20))
    assert all(set(out["units"]) < set(r) for r in out["runs"])


def test_page_gets_the_tables(measured):
    to, p = measured
    text = (to / "page.md").read_text()
    assert text.startswith("# Scale\n" + BEGIN) and text.endswith(END + "below\n")
    assert "nothing yet" not in text
    inside = text[text.index(BEGIN) + len(BEGIN) : text.index(END)]
    assert inside in p.stdout
    assert re.search(r"^\| `sluice-copy` \| -?[\d.]+ ± [\d.]+ \|", inside, re.M)
    for table in inside.split("\n\n"):
        rows = [line for line in table.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in rows}) <= 1, table


def test_model_from_the_file_is_the_same(bench, measured):
    to, p = measured
    again = run(bench, "scale", "--from", to / "grid.json")
    assert again.stdout == p.stdout


@needs_gnuplot
def test_plots(bench, measured):
    to, _ = measured
    p = run(bench, "plots", "--from", f"{to / 'pair.json'},{to / 'grid.json'}", "--to", to / "svg")
    made = p.stdout.split()
    assert [os.path.basename(m) for m in made] == ["pair-cpu.svg", "pair-latency.svg", "grid-by-streams.svg", "grid-by-rate.svg"]
    assert "gnuplot" not in p.stderr
    for svg in made:
        text = words(svg)
        assert "sluice-copy" in text and "us" in text and "lower is better" in text
        assert re.search(r"\d+ CPUs; Linux .*\d{4}-\d\d-\d\d", text), text
        assert "sluice-copy: sluice " in text
    assert "10 streams x 20 events/s x 200 B" in words(made[0])


@needs_gnuplot
def test_memory_of_idle_streams(bench, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("/proc/slabinfo is root's")
    run(bench, "scale", "--streams", "50,400,1200", "--rates", "0", "--rounds", 1, "--seconds", 0.5, "--warmup", 0.1, "--contenders",
        "none,sluice-copy", "--idle-seconds", 0.5, "--plots", tmp_path / "new")  # fmt: skip
    text = words(tmp_path / "new" / "scale-memory.svg")
    assert "KiB per stream" in text and "kernel" in text
    sums = [float(x) for x in re.findall(r"\| (\d+\.\d+) \|", text)]
    assert len(sums) == 1 and 0 < sums[0] < 1000, text  # other work on the machine is in the kernel's part


@needs_gnuplot
@pytest.mark.parametrize("scenario, name, unit", [("setup", "rate", "streams a second"), ("abort", "close", "ms (logarithmic")])
def test_plots_of_scenarios(bench, tmp_path, scenario, name, unit):
    p = run(bench, "compare", "--scenario", scenario, "--streams", 10, "--rounds", 1, "--seconds", 0.5, "--warmup", 0.1, "--contenders",
            "none,sluice-copy", "--plots", tmp_path)  # fmt: skip
    assert (tmp_path / f"{scenario}-h1.json").exists()
    assert p.stdout.splitlines()[-1] == f"{tmp_path}/{scenario}-h1-{name}.svg"
    text = words(tmp_path / f"{scenario}-h1-{name}.svg")
    assert unit in text and "sluice-copy" in text and "sluice-copy: sluice " in text


@pytest.mark.parametrize(
    "text, said",
    [("{", "line 1"), ('{"format": 1}', "no file of `compare` or `scale`"), ('{"kind": "scale"}', "not a file of `sluice-bench scale`")],
)
def test_wrong_files_are_refused(bench, tmp_path, text, said):
    path = tmp_path / "wrong.json"
    path.write_text(text)
    p = run(bench, "plots", "--from", path, "--to", tmp_path, code=1)
    assert said in p.stderr
    assert not list(tmp_path.glob("*.svg"))


@pytest.mark.parametrize(
    "args, said",
    [
        (["--streams", "10,x"], "--streams: allowed: whole numbers"),
        (["--rates", "1,,2"], "--rates: allowed: numbers"),
        (["--contenders", "nginx"], "--contenders: allowed: a list with none in it"),
        (["--topology", "x"], "--topology: allowed: local remote"),
    ],
)
def test_wrong_grids_are_refused(bench, args, said):
    assert said in run(bench, "scale", *args, code=2).stderr
