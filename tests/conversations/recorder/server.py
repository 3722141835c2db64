"""Starts a server on an empty directory for one conversation."""

import contextlib
import os
import re
import socket
import subprocess
import tempfile
import time

# The jars of an Apache ZooKeeper that its server needs.
NEEDED = ("zookeeper", "slf4j-api", "netty", "metrics-core", "snappy", "log4j-slf4j2", "log4j-core", "log4j-api",
          "commons-io", "audience")
START_SECONDS = 60
# What a setting says of a port: so many behind that of the clients.
PORT = re.compile(r"\{port\+(\d+)\}")
# These are settings of the Java program, not of its configuration file.
JVM_SETTINGS = ("znode.container.", "jute.", "readonlymode.")


def apache(jars, settings):
    """The command of Apache's server."""
    chosen = [os.path.join(jars, jar) for jar in sorted(os.listdir(jars)) if jar.startswith(NEEDED)]
    system = [f"-D{key}={value}" for key, value in settings.items() if key.startswith(JVM_SETTINGS)]
    return ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=ERROR", *system,
            "-cp", ":".join(chosen), "org.apache.zookeeper.server.quorum.QuorumPeerMain", "{config}"]


@contextlib.contextmanager
def running(command, port, settings):
    """A server with `settings`, gone afterwards with all that it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        keys = {"tickTime": "2000", "dataDir": os.path.join(folder, "data"), "clientPort": str(port),
                "clientPortAddress": "127.0.0.1", "admin.enableServer": "false", "initLimit": "10", "syncLimit": "5"}
        keys |= {key: value for key, value in settings.items() if not key.startswith(JVM_SETTINGS)}
        keys = {key: PORT.sub(lambda match: str(port + int(match[1])), value) for key, value in keys.items()}
        os.mkdir(os.path.join(folder, "data"))
        with open(os.path.join(folder, "data", "myid"), "w", encoding="utf-8") as file:
            file.write("1\n")
        config = os.path.join(folder, "zoo.cfg")
        with open(config, "w", encoding="utf-8") as file:
            file.writelines(f"{key}={value}\n" for key, value in keys.items())
        words = [word.replace("{config}", config) for word in command]
        with open(os.path.join(folder, "log"), "w+", encoding="utf-8") as log:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
            try:
                until_it_serves(process, port, log)
                yield "127.0.0.1", port
            finally:
                process.kill()
                process.wait()


def until_it_serves(process, port, log):
    """Asks until the server answers `srvr` in full."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as asked:
            asked.sendall(b"srvr")
            text = b""
            while piece := asked.recv(4096):
                text += piece
            if b"Mode:" in text:
                return
        time.sleep(0.02)
    log.seek(0)
    raise RuntimeError(f"the server does not serve: {log.read()[-2000:]}")
