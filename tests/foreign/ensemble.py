"""Servers of an ensemble on this machine, each from a zoo.cfg of its own."""
import os
import shutil
import signal
import socket
import subprocess
import time

# Most servers of one ensemble, and how many ports each of them gets.
SERVERS, PORTS = 10, 3
# The password of the user "super" is "test".
SUPER = "super:D/InIHSb7yEEbrWz8b9l71RjZJU="


def free_ports():
    """The first of enough ports that are free, below those that the system gives to outgoing connections."""
    first = 10_000 + os.getpid() * 61 % 16_000
    while True:
        sockets = []
        try:
            for port in range(first, first + SERVERS * PORTS):
                sockets.append(socket.create_server(("127.0.0.1", port)))
            return first
        except OSError:
            first = 10_000 + (first - 10_000 + SERVERS * PORTS) % 16_000
        finally:
            for each in sockets:
                each.close()


class Server:
    """One server: its files, and its process while it runs."""

    def __init__(self, ensemble, number):
        self.ensemble, self.number, self.process = ensemble, number, None
        self.client_port = ensemble.first_port + number
        self.folder = os.path.join(ensemble.folder, f"server-{number}")

    @property
    def address(self):
        return f"127.0.0.1:{self.client_port}"

    @property
    def running(self):
        return self.process is not None

    def run(self):
        """Starts the process, with the data that it has."""
        if self.running:
            return
        os.makedirs(os.path.join(self.folder, "data"), exist_ok=True)
        self._write("data/myid", f"{self.number}\n")
        self._write("zoo.cfg", self.ensemble.zoo_cfg(self))
        with open(os.path.join(self.folder, "server.log"), "ab") as log:
            self.process = subprocess.Popen(
                [self.ensemble.binary, "start-foreground", os.path.join(self.folder, "zoo.cfg")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self, how=signal.SIGTERM):
        if self.running:
            self.process.send_signal(how)
            self.process.wait(20)
            self.process = None

    def reset(self):
        """Stops, and forgets everything."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def mode(self):
        """leader, follower, observer; None while it does not serve."""
        try:
            with socket.create_connection(("127.0.0.1", self.client_port), 2) as connection:
                connection.sendall(b"srvr")
                answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        except OSError:
            return None
        modes = [line[6:] for line in answer.splitlines() if line.startswith("Mode: ")]
        return modes[0] if modes else None

    def get_logs(self):
        """The end of its log."""
        try:
            with open(os.path.join(self.folder, "server.log"), errors="replace") as log:
                return log.readlines()[-100:]
        except OSError:
            return []

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as file:
            file.write(text)


class Ensemble:
    """Servers 1 to `voters`, and observers behind them."""

    def __init__(self, binary, folder, voters=3, observers=0, settings=None):
        self.binary, self.folder, self.voters = binary, folder, voters
        self.settings = dict(settings or {})
        self.first_port = free_ports()
        self.servers = [Server(self, number + 1) for number in range(voters + observers)]

    def zoo_cfg(self, server):
        """As kazoo's own harness writes it, with what all clients here need."""
        settings = {
            "tickTime": 2000, "initLimit": 4, "syncLimit": 2, "dataDir": os.path.join(server.folder, "data"),
            "clientPort": server.client_port, "clientPortAddress": "127.0.0.1", "maxClientCnxns": 0,
            "4lw.commands.whitelist": "*", "admin.enableServer": "false", "extendedTypesEnabled": "true",
            "DigestAuthenticationProvider.superDigest": SUPER, **self.settings}
        for each in self.servers:
            role = ":observer" if each.number > self.voters else ""
            quorum, election = each.client_port + SERVERS, each.client_port + 2 * SERVERS
            settings[f"server.{each.number}"] = f"127.0.0.1:{quorum}:{election}{role}"
        if server.number > self.voters:
            settings["peerType"] = "observer"
        return "".join(f"{key}={value}\n" for key, value in settings.items())

    def start(self, seconds=60):
        """Starts all, and waits until all serve."""
        for server in self.servers:
            server.run()
        end = time.monotonic() + seconds
        while not all(server.mode() for server in self.servers):
            if time.monotonic() > end:
                raise RuntimeError("not all serve:\n" + "".join(x for s in self.servers for x in s.get_logs()))
            time.sleep(0.05)

    def leader(self):
        """The server that leads; None while there is none."""
        return next((server for server in self.servers if server.mode() == "leader"), None)

    def terminate(self):
        """Stops all; nothing is left."""
        for server in self.servers:
            server.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)
