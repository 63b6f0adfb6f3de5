"""The network of the failover tests: a router in the middle, and around it the clients, two relays and the origin.

    clients 10.1.0.2 --- router --- 10.2.0.2 relay a    both relays also have 10.99.0.1, to which the router has the route
                            |  \\--- 10.3.0.2 relay b
                            \\------ 10.4.0.2 origin
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile

from kit.net import Namespace
from lib.proc import Child
from lib.relay import BIN, LANE, ROOT

VIP, PORT = "10.99.0.1", 8080
ORIGIN = ("10.4.0.2", 9000)
ADDRESS = {"client": "10.1.0.2", "a": "10.2.0.2", "b": "10.3.0.2", "origin": "10.4.0.2"}
SCRIPT = os.path.join(ROOT, "conf", "sluice-ecmp-health.sh")

CONFIG = """
instance: {instance}
workers: 1
lane: {lane}
user: root
admin: {directory}/admin.sock
drain: 1s
listeners: [ "0.0.0.0:{port}" ]
upstreams:
  - name: origin
    servers: {origin}
routes:
  - upstream: origin
    heartbeat: 500ms
    response_headers:
      - set: "X-Relay: {name}"
"""


class Network:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="sluice-failover-")
        self.places = {name: Namespace() for name in ("router", *ADDRESS)}
        self.children, self.relays = [], {}
        router = self.places["router"]
        for name, address in ADDRESS.items():
            gateway = address.rsplit(".", 1)[0] + ".1"
            place, device = self.places[name], "to-" + name
            router.run("ip", "link", "add", device, "type", "veth", "peer", "name", "router", "netns", f"/proc/{os.getpid()}/fd/{place.fd}")
            router.run("ip", "addr", "add", gateway + "/30", "dev", device)
            router.run("ip", "link", "set", device, "up")
            place.run("ip", "addr", "add", address + "/30", "dev", "router")
            place.run("ip", "link", "set", "router", "up")
            place.run("ip", "route", "add", "default", "via", gateway)
        for name in ("a", "b"):
            self.places[name].run("ip", "addr", "add", VIP + "/32", "dev", "lo")
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        router.run("sysctl", "-qw", "net.ipv4.fib_multipath_hash_policy=1")  # ports count as well as addresses

    def _child(self, place, argv):
        with self.places[place].inside():
            child = Child(argv)
        self.children.append(child)
        return child

    def start_relay(self, name):
        directory = os.path.join(self.directory, name)
        os.makedirs(directory, exist_ok=True)
        path = os.path.join(directory, "sluice.yaml")
        with open(path, "w", encoding="ascii") as f:
            f.write(CONFIG.format(instance=f"failover-{os.getpid()}-{name}", lane=LANE, directory=directory, port=PORT,
                                  origin=f"{ORIGIN[0]}:{ORIGIN[1]}", name=name))  # fmt: skip
        self.relays[name] = self._child(name, [BIN, "run", "--config", path])
        self.relays[name].wait_line("listening on", 15)

    def kill_relay(self, name):
        """As a crash or the OOM killer does it: the kernel closes the sockets."""
        self.relays[name].kill()

    def unplug(self, name):
        """As a power cut: nobody says a word any more."""
        self.places[name].run("ip", "link", "set", "router", "down")

    def health(self, **options):
        """Starts the shipped script on the router."""
        argv = [SCRIPT, "-r", VIP + "/32", "-p", str(PORT)]
        for key, value in options.items():
            argv += ["-" + key, str(value)]
        child = self._child("router", [*argv, ADDRESS["a"], ADDRESS["b"]])
        child.wait_line("route .* to ", 10)
        return child

    @staticmethod
    def script():
        return SCRIPT

    def members(self):
        """Addresses of the relays to which the route leads now."""
        with self.places["router"].inside():
            out = subprocess.run(["ip", "-json", "nexthop", "show"], capture_output=True, text=True, check=True, timeout=10).stdout
        hops = {hop["id"]: hop for hop in json.loads(out)}
        groups = [hop["group"] for hop in hops.values() if "group" in hop]
        return sorted({hops[member["id"]]["gateway"] for member in groups[0]}) if groups else []

    def close(self):
        for child in self.children:
            child.stop(signal.SIGTERM)
        for place in self.places.values():
            place.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def why_no_ecmp():
    """None when this kernel can hash flows over a resilient nexthop group; else the reason."""
    if os.geteuid() != 0:
        return "network namespaces are made as root"
    place = Namespace()
    try:
        place.run("ip", "addr", "add", "10.9.0.1/24", "dev", "lo")
        for n in (1, 2):
            place.run("ip", "nexthop", "add", "id", str(n), "via", f"10.9.0.{n + 1}", "dev", "lo")
        place.run("ip", "nexthop", "add", "id", "3", "group", "1/2", "type", "resilient", "buckets", "8")
    except subprocess.CalledProcessError as e:
        return f"this kernel or iproute2 has no resilient nexthop groups: `{' '.join(e.cmd)}` failed"
    finally:
        place.close()
    return None


def why_no_ipvs():
    """None when this kernel has IPVS and its tool is there; else the reason."""
    if os.geteuid() != 0:
        return "network namespaces are made as root"
    if shutil.which("modprobe"):
        subprocess.run(["modprobe", "-q", "ip_vs"], check=False, stderr=subprocess.DEVNULL)
    if not os.path.exists("/proc/net/ip_vs"):
        return "this kernel has no IPVS (CONFIG_IP_VS; /proc/net/ip_vs is not there)"
    if not shutil.which("ipvsadm"):
        return "no ipvsadm (Debian: ipvsadm)"
    return None
