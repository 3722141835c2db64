"""One server on this machine, ours or Apache's, started from a zoo.cfg."""
import os
import pathlib
import signal
import socket
import subprocess
import time

HOST = "127.0.0.1"
# The password of the user "super" is "test".
SUPER = "super:D/InIHSb7yEEbrWz8b9l71RjZJU="
# What all clients here need.
SETTINGS = {
    "clientPortAddress": HOST,
    "maxClientCnxns": 0,
    "4lw.commands.whitelist": "*",
    "admin.enableServer": "false",
    "extendedTypesEnabled": "true",
    "DigestAuthenticationProvider.superDigest": SUPER,
}


def free_ports(count):
    """The first of so many ports that are free, below those that the system gives to outgoing connections."""
    first = 10_000 + os.getpid() * 61 % 16_000
    while True:
        sockets = []
        try:
            for port in range(first, first + count):
                sockets.append(socket.create_server((HOST, port)))
            return first
        except OSError:
            first = 10_000 + (first - 10_000 + count) % 16_000
        finally:
            for each in sockets:
                each.close()


def ask(port, word):
    """The answer to a four-letter word, empty if there is none."""
    try:
        with socket.create_connection((HOST, port), timeout=5) as connection:
            connection.sendall(word.encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    except OSError:
        return ""


def wait_for(what, condition, seconds):
    """Asks again and again until there is an answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


class Server:
    """The files of a server, and its process while it runs. In the command `{config}` stands for its zoo.cfg."""

    def __init__(self, home, command, port):
        self.home, self.command, self.port, self.process = pathlib.Path(home), command, port, None
        self.data, self.config = self.home / "data", self.home / "zoo.cfg"

    def write(self, settings, lines=(), myid=None):
        """Writes zoo.cfg, and myid if it has one. A setting of None is left out."""
        self.data.mkdir(parents=True, exist_ok=True)
        settings = {"dataDir": self.data, "clientPort": self.port, **SETTINGS, **settings}
        all_lines = [f"{key}={value}" for key, value in settings.items() if value is not None] + list(lines)
        self.config.write_text("".join(f"{line}\n" for line in all_lines))
        if myid is not None:
            (self.data / "myid").write_text(f"{myid}\n")

    def start(self):
        """Starts the process, with the data that it has."""
        command = [word.replace("{config}", str(self.config)) for word in self.command]
        with open(self.home / "server.log", "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.home)
        return self

    def stop(self, how=signal.SIGTERM):
        """Sends a signal that ends it, and waits."""
        if self.process:
            self.process.send_signal(how)
            self.process.wait(20)
            self.process = None

    def kill(self):
        """As kill -9."""
        self.stop(signal.SIGKILL)

    def mode(self):
        """leader, follower, observer, standalone; None while it does not serve."""
        modes = [line[6:] for line in ask(self.port, "srvr").splitlines() if line.startswith("Mode: ")]
        return modes[0] if modes else None

    def log(self):
        """What it said."""
        path = self.home / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""
