"""Everything that one test starts, in one place, so that it all ends with the test and is judged on the way out."""

import os
import shutil
import tempfile

from .certs import Authority
from .origin import Origin
from .peers import ORIGINS, EventSourceClient, Nginx
from .relay import LANE, Relay, config, instance_name, write_config
from .tls import connect as tls_connect
from .wire import connect


class Rig:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="sluice-test-")
        os.chmod(self.directory, 0o755)  # the workers run as nobody and may need a socket in here
        self.things = []
        self.relays = []

    def path(self, name):
        return os.path.join(self.directory, name)

    def _keep(self, thing):
        self.things.append(thing)
        return thing

    # -- the relay --
    def config(self, to=None, **kw):
        """A config's dict, for tests that change it before they start or reload it."""
        return config(self._address(to), self._new_directory(), **kw)

    def _new_directory(self):
        directory = tempfile.mkdtemp(dir=self.directory)
        os.chmod(directory, 0o755)
        return directory

    @staticmethod
    def _address(to):
        if isinstance(to, (list, tuple)):
            return [Rig._address(t) for t in to]
        if hasattr(to, "address"):
            return to.address
        return to if to is None or isinstance(to, str) else f"127.0.0.1:{to.port}"

    def run(self, conf, preexec=None, env=None, wait=True):
        """`sluice run` on a config (dict)."""
        directory = os.path.dirname(conf["admin"])
        path = write_config(directory, conf)
        relay = self._keep(Relay(["run", "--config", path], directory, preexec=preexec, env=env))
        relay.config_path, relay.config = path, conf
        self.relays.append(relay)
        return relay.ready(len(conf["listeners"])) if wait else relay

    def relay(self, to=None, preexec=None, env=None, **kw):
        """A relay in front of `to`: an Origin, a peer, an address, or a list of those."""
        return self.run(self.config(to, **kw), preexec=preexec, env=env)

    def proxy(self, to, *args):
        """`sluice proxy`, the one-liner."""
        directory = self._new_directory()
        relay = self._keep(
            Relay(
                ["proxy", "--listen", "127.0.0.1:0", "--to", to if isinstance(to, str) else to.url, "--lane", LANE,
                 "--workers", "1", "--instance", instance_name(directory),
                 "--admin", os.path.join(directory, "admin.sock"), *args],
                directory,
            )
        )  # fmt: skip
        self.relays.append(relay)
        return relay.ready()

    # -- the others --
    def origin(self, handler=None, **kw):
        return self._keep(Origin(handler, **kw))

    def peer(self, name):
        return self._keep(ORIGINS[name]())

    def nginx(self, to, location="", http=""):
        return self._keep(Nginx(self._new_directory(), to.url, location, http))

    def eventsource(self, url, events=0):
        return self._keep(EventSourceClient(url, events))

    def connect(self, addr, tls=None, **kw):
        """`tls`: the client's context; `name` is then the SNI, example.org if not said."""
        return self._keep(tls_connect(addr, tls, **kw) if tls else connect(addr, **kw))

    def authority(self, name="test authority"):
        """An authority whose files end with the test."""
        return Authority(self._new_directory(), name)

    def stream(self, relay, origin, data=None, **kw):
        """An open event stream: client Wire, its Body, and the origin's side; the head has gone through."""
        from .wire import event_request

        client = self.connect(relay.addr, **kw)
        client.send(data or event_request())
        up = origin.accept()
        up.request()
        up.stream_head()
        head = client.final_head()
        assert head.status == 200, head.raw
        return client, client.response_body(head), up

    def report(self):
        """What the relays said, for a failed test."""
        out = []
        for relay in self.relays:
            out.append("$ " + " ".join(relay.argv) + "\n" + relay.text())
            records = "\n".join(str(r) for r in relay.log()[-12:])
            out.append("access log, last lines:\n" + records)
        return "\n".join(out)

    def close(self):
        """Ends everything, the newest first; raises the first thing that was wrong."""
        wrong = []
        for thing in reversed(self.things):
            try:
                if isinstance(thing, Relay):
                    if not thing.checked:
                        thing.quit()
                elif hasattr(thing, "stop"):
                    thing.stop()
                else:
                    thing.close()
                    wrong += [AssertionError(f"origin: {e}") for e in getattr(thing, "errors", [])]
            except OSError:
                pass
            except AssertionError as e:
                wrong.append(e)
        shutil.rmtree(self.directory, ignore_errors=True)
        if wrong:
            raise wrong[0]
