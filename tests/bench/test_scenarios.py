"""`compare --scenario`: each of them tiny, against sluice and a peer. No figure is judged, only that all that a scenario promises
is there, that it is plausible, and that nothing went wrong. And the three ways that clients come."""

import json
import math
import subprocess

import pytest

# What each scenario fills in the JSON beside cores_*, and the streams that it is given here.
SCENARIOS = {
    "events": (10, ["cpu_contender", "cpu_machine", "latency_p50", "latency_p999", "head_p50", "events_per_s"]),
    "idle": (20, ["idle_user", "idle_resident", "idle_slab", "idle_sockets", "idle_cpu", "head_p50"]),
    "setup": (4, ["setups_per_s", "setup_cpu_contender", "setup_cpu_machine", "head_p50", "head_p99"]),
    "abort": (20, ["abort_p50", "abort_p90", "abort_p99", "abort_max", "abort_missed"]),
    "stall": (20, ["stall_user", "stall_sockets", "stall_ended", "latency_p50", "stall_latency_p50", "stall_cpu_contender"]),
    "saturate": (10, ["events_per_s", "cpu_contender", "cpu_machine", "latency_p50"]),
}
CLIENTS = [("h1", name) for name in SCENARIOS] + [("tls", "events"), ("tls", "abort"), ("h2", "events"), ("h2", "setup"), ("h2", "abort")]


@pytest.mark.parametrize("client,scenario", CLIENTS)
def test_scenario(bench, tmp_path, client, scenario):
    streams, promised = SCENARIOS[scenario]
    contenders = ["nginx", "sluice-copy"]
    path = tmp_path / "out.json"
    argv = [bench, "compare", "--scenario", scenario, "--client", client, "--contenders", ",".join(contenders), "--json", path]
    argv += ["--streams", str(streams), "--rounds", "1", "--seconds", "1" if scenario == "events" else "0.5", "--warmup", "0.2", "--pause", "0"]
    if client == "h2":
        argv += ["--streams-per-connection", "5"]
    p = subprocess.run(argv, capture_output=True, text=True, timeout=55)
    assert p.returncode == 0, p.stderr
    out = json.loads(path.read_text())
    assert out["settings"]["scenario"] == scenario and out["settings"]["client"] == client
    assert [c["name"] for c in out["contenders"]] == contenders
    for c in out["contenders"]:
        assert c["left_out"] == ""
        (run,) = c["rounds"]
        for key in promised:
            assert key in run and key in out["units"], key
            assert math.isfinite(run[key]) and c["summary"][key]["median"] == run[key]
        assert run["wrong"] == 0, p.stdout
        others = tuple(n + "_" for n in SCENARIOS if n not in (scenario, "events"))
        assert not [k for k in run if k.startswith(others)]
        if scenario == "abort":
            assert run["abort_missed"] == 0 and 0 < run["abort_p50"] <= run["abort_max"] < 3e6
        elif scenario == "setup":
            assert run["setups_per_s"] > 4 and run["setup_cpu_machine"] > run["setup_cpu_contender"] > 0
        elif scenario in ("events", "saturate"):
            assert run["events_per_s"] > 0 and run["cpu_machine"] > run["cpu_contender"] > 0
        elif scenario == "stall":
            assert run["stall_latency_p50"] > 0
    assert all(name in p.stdout for name in contenders)


def test_no_h2_without_a_relay(bench):
    p = subprocess.run([bench, "compare", "--client", "h2", "--contenders", "none,nginx"], capture_output=True, text=True, timeout=10)
    assert p.returncode == 2 and "the origin itself speaks no HTTP/2" in p.stderr


@pytest.mark.parametrize("option,allowed", [("--client", "h1 tls h2"), ("--scenario", "events idle setup abort stall saturate")])
def test_wrong_names_are_refused(bench, option, allowed):
    p = subprocess.run([bench, "compare", option, "lunar"], capture_output=True, text=True, timeout=10)
    assert p.returncode == 2 and f"{option}: allowed: {allowed}; found: lunar" in p.stderr
