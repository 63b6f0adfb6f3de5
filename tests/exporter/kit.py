"""The exporter under test, its page read as numbers, and Prometheus."""

import http.client
import json
import os
import re
import subprocess
import time
import urllib.parse
import urllib.request

from lib.proc import Child, wait_for
from lib.relay import BIN, ROOT, SANITIZERS

EXPORTER = os.path.join(os.path.dirname(BIN), "sluice-exporter")
FAKE = os.path.join(os.path.dirname(BIN), "tests", "exporter_fake")
SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\.)*)"(?:,|$)')
UNESCAPED = {"\\\\": "\\", "\\n": "\n", '\\"': '"'}


def parse(text):
    """[(name, labels, value)] of a page in the text format; fails on any line that is not one. (Prometheus's own parser looks at
    the same pages; this one is for reading values.)"""
    out = []
    for line in text.split("\n"):
        if not line or line.startswith("#"):
            continue
        m = SAMPLE.match(line)
        assert m, repr(line)
        labels, at = {}, 0
        while at < len(m[2] or ""):
            pair = LABEL.match(m[2], at)
            assert pair, repr(line)
            labels[pair[1]] = re.sub(r'\\.', lambda e: UNESCAPED[e[0]], pair[2])
            at = pair.end()
        out.append((m[1], labels, float(m[3])))
    return out


class Page:
    def __init__(self, text):
        self.text = text
        self.samples = parse(text)

    def all(self, name, **labels):
        return [(l, v) for n, l, v in self.samples if n == name and all(l.get(k) == w for k, w in labels.items())]

    def get(self, name, **labels):
        """The sum over the samples with these labels; None: there is none."""
        found = self.all(name, **labels)
        return sum(v for _, v in found) if found else None

    def names(self):
        return {n for n, _, _ in self.samples}

    def under(self, name, bound):
        """Observations up to this bucket of a histogram."""
        return next(v for l, v in self.all(name + "_bucket") if l["le"] == bound)


class Exporter(Child):
    def __init__(self, *args):
        super().__init__([EXPORTER, "--listen", "127.0.0.1:0", *args], env=SANITIZERS)
        self.port = int(self.wait_line(r"listening on 127\.0\.0\.1:(\d+)")[1])

    def ask(self, path, method="GET", headers=None, timeout=10):
        """(status, headers, text)"""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            c.request(method, path, headers=headers or {})
            r = c.getresponse()
            return r.status, r.headers, r.read().decode("utf-8")
        finally:
            c.close()

    def page(self):
        status, _, text = self.ask("/metrics")
        assert status == 200, text
        return Page(text)

    def wait(self, *args, **kw):
        code = super().wait(*args, **kw)
        assert "Sanitizer" not in self.text() and "runtime error" not in self.text(), self.text()
        return code

    def until(self, name, value, timeout=10, **labels):
        """Waits until a value is there; returns the page."""
        page = None

        def look():
            nonlocal page
            page = self.page()
            return page.get(name, **labels) == value

        try:
            wait_for(look, timeout, why=name)
        except AssertionError:
            raise AssertionError(f"{name} {labels}: {value} wanted, {page.get(name, **labels)} found") from None
        return page


def exporter(rig, relay, *args):
    return rig._keep(Exporter("--instance", relay.config["instance"], "--admin", relay.admin_path, *args))


class Fake(Child):
    """A daemon's tables without a daemon (tools/exporter/test/fake_daemon.c)."""

    def __init__(self, path, streams, *args):
        self.path = path
        super().__init__([FAKE, path, streams, *args], env=SANITIZERS, stdin=subprocess.PIPE)
        self.wait_line("ready", stdout=True)


def promtool(*args, text=None):
    p = subprocess.run(["promtool", *args], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, text=True)
    return p.returncode, p.stdout


def check_metrics(text):
    code, said = promtool("check", "metrics", text=text)
    assert code == 0 and not said.strip(), said


class Prometheus(Child):
    """Debian's, with a config of the test's own, scraping every half second."""

    def __init__(self, directory, targets, rules=()):
        config = os.path.join(directory, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as f:
            json.dump({"global": {"scrape_interval": "500ms", "scrape_timeout": "400ms", "evaluation_interval": "500ms"},
                       "rule_files": list(rules),
                       "scrape_configs": [{"job_name": "sluice", "static_configs": [{"targets": targets}]}]}, f)
        super().__init__(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory}/data",
                          "--web.listen-address=127.0.0.1:0", "--log.level=info"], cwd=directory)
        self.port = int(self.wait_line(r'Listening on".*address=127\.0\.0\.1:(\d+)', 30)[1])
        self.wait_line("ready to receive web requests", 30)

    def api(self, path, **params):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?" + urllib.parse.urlencode(params)
        try:
            with urllib.request.urlopen(url, timeout=10) as r:
                return json.load(r)
        except urllib.error.HTTPError as e:
            return json.load(e)

    def query(self, expr):
        """[(labels, value)] of an instant vector."""
        answer = self.api("query", query=expr)
        assert answer["status"] == "success", (expr, answer)
        return [(r["metric"], float(r["value"][1])) for r in answer["data"]["result"]]

    def until(self, expr, value, timeout=20):
        found = None
        stop = time.monotonic() + timeout
        while time.monotonic() < stop:
            found = self.query(expr)
            if len(found) == 1 and found[0][1] == value:
                return found[0]
            time.sleep(0.1)
        raise AssertionError(f"{expr}: {value} wanted, {found} found")


def families():
    """Family name -> type, of docs/METRICS.md's lists."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("metrics_doc", os.path.join(ROOT, "tools/lint/metrics_doc.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {f[0]: f[1] for f in module.families()}


def sample_names():
    """Every name that a sample can have."""
    out = set()
    for name, kind in families().items():
        out |= {name + s for s in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
    return out
