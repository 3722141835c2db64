"""Servers of an ensemble on this machine, each from a zoo.cfg of its own."""
import os
import shutil
import signal

import server
from server import wait_for

# Most servers of one ensemble, and how many ports each of them gets.
SERVERS, PORTS = 10, 3


class Server(server.Server):
    """One server of an ensemble, with the names that kazoo's harness knows."""

    def __init__(self, ensemble, number):
        self.ensemble, self.number = ensemble, number
        home = os.path.join(ensemble.folder, f"server-{number}")
        super().__init__(home, [ensemble.binary, "start-foreground", "{config}"], ensemble.first_port + number)

    @property
    def client_port(self):
        return self.port

    @property
    def address(self):
        return f"{server.HOST}:{self.port}"

    @property
    def running(self):
        return self.process is not None

    def run(self):
        """Starts the process, with the data that it has."""
        if not self.running:
            self.write(self.ensemble.settings_of(self), myid=self.number)
            self.start()

    def reset(self):
        """Stops, and forgets everything."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def get_logs(self):
        """The end of its log."""
        return self.log().splitlines(keepends=True)[-100:]


class Ensemble:
    """Servers 1 to `voters`, and observers behind them."""

    def __init__(self, binary, folder, voters=3, observers=0, settings=None):
        self.binary, self.folder, self.voters = binary, folder, voters
        self.settings = dict(settings or {})
        self.first_port = server.free_ports(SERVERS * PORTS)
        self.servers = [Server(self, number + 1) for number in range(voters + observers)]

    def settings_of(self, one):
        """As kazoo's own harness has them."""
        settings = {"tickTime": 2000, "initLimit": 4, "syncLimit": 2, **self.settings}
        for each in self.servers:
            role = ":observer" if each.number > self.voters else ""
            quorum, election = each.port + SERVERS, each.port + 2 * SERVERS
            settings[f"server.{each.number}"] = f"{server.HOST}:{quorum}:{election}{role}"
        if one.number > self.voters:
            settings["peerType"] = "observer"
        return settings

    def start(self, seconds=60):
        """Starts all, and waits until all serve."""
        for each in self.servers:
            each.run()
        try:
            wait_for("all serve", lambda: all(each.mode() for each in self.servers), seconds)
        except AssertionError as late:
            raise RuntimeError("not all serve:\n" + "".join(x for s in self.servers for x in s.get_logs())) from late

    def leader(self):
        """The server that leads; None while there is none."""
        return next((each for each in self.servers if each.mode() == "leader"), None)

    def terminate(self):
        """Stops all; nothing is left."""
        for each in self.servers:
            each.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)
