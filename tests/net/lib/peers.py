"""Real programs on either side of the relay: Node, Express and uvicorn origins, the eventsource client, nginx."""

import json
import os
import shutil
import socket
import time

from .proc import Child, wait_for
from .wire import TIMEOUT, connect

PEERS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peers")
PYTHON = "/usr/bin/python3"


class Peer(Child):
    """A child that prints JSON records on stdout, the first of which says its port."""

    def __init__(self, argv):
        super().__init__(argv, cwd=PEERS)
        self.port = int(self.wait_line(r'"listening", ?"port": ?(\d+)', 20, stdout=True).group(1))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def addr(self):
        return ("127.0.0.1", self.port)

    def records(self, event=None):
        out = []
        for line in list(self.out):
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if event is None or record.get("event") == event:
                out.append(record)
        return out

    def wait_record(self, event, n=1, timeout=TIMEOUT):
        """The n-th record of that kind."""
        return wait_for(lambda: self.records(event)[n - 1 : n], timeout, why=f"{event} from {self.argv[1]}")[0]


def node_origin():
    return Peer(["node", "node_origin.mjs"])


def express_origin():
    return Peer(["node", "express_origin.cjs"])


def asgi_origin():
    return Peer([PYTHON, "asgi_origin.py"])


ORIGINS = {"node": node_origin, "express": express_origin, "uvicorn": asgi_origin}


class EventSourceClient(Child):
    """The npm client on a URL."""

    def __init__(self, url, events=0):
        super().__init__(["node", "eventsource_client.mjs", url, events], cwd=PEERS)

    records = Peer.records
    wait_record = Peer.wait_record


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


NGINX_CONF = """
worker_processes 1;
daemon off;
master_process off;
pid {dir}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    {http}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {to};
            {location}
        }}
    }}
}}
"""

# What the seeds say to write, and what they say happens without it.
NGINX_TUNED = "proxy_http_version 1.1; proxy_set_header Connection ''; proxy_buffering off; proxy_cache off; gzip off;"
NGINX_GZIP = "gzip on; gzip_types text/event-stream; gzip_min_length 0;"


class Nginx(Child):
    """nginx in front of `to`, with Debian's defaults but for what is given."""

    def __init__(self, directory, to, location="", http=""):
        for attempt in range(5):
            self.port = free_port()
            conf = os.path.join(directory, f"nginx-{self.port}.conf")
            with open(conf, "w", encoding="ascii") as f:
                f.write(NGINX_CONF.format(dir=directory, port=self.port, to=to, location=location, http=http))
            super().__init__([shutil.which("nginx") or "/usr/sbin/nginx", "-p", directory, "-c", conf, "-e", "stderr"])
            if self._up():
                return
            assert "Address already in use" in self.text() and attempt < 4, self.text()

    def _up(self):
        stop = time.monotonic() + 5
        while self.alive() and time.monotonic() < stop:
            try:
                connect(self.addr, 0.5).close()
                return True
            except OSError:
                time.sleep(0.01)
        return False

    @property
    def addr(self):
        return ("127.0.0.1", self.port)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"
