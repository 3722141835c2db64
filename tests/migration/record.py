#!/usr/bin/env python3
"""Records small data directories of Apache ZooKeeper, and what its clients see in them. README.md tells more.

  record.py --classpath JARS [--port 24200] [NAME ...]
"""

import argparse
import pathlib
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True  # the folder holds what is written by hand and what is recorded, nothing else

import zookeeper as zk  # noqa: E402

RECORDED = pathlib.Path(__file__).resolve().parent / "recorded"

ALONE = {}
# The address of the client port stands in the server line then.
QUORUM = {"clientPort": None, "clientPortAddress": None, "standaloneEnabled": "false", "reconfigEnabled": "true"}
# Each with its settings.
DIRECTORIES = {
    "plain": ALONE,
    "gzip": {"snapshot.compression.method": "gz"},
    "snappy": {"snapshot.compression.method": "snappy"},
    "quorum": QUORUM,
    "without-digests": {"digest.enabled": "false", "closeSessionTxn.enabled": "false"},
}


def record(name, settings, command, port):
    """A directory whose newest snapshot holds the first half, and whose log holds the second."""
    with tempfile.TemporaryDirectory() as home:
        lines = [f"server.1=127.0.0.1:{port + 1}:{port + 2}:participant;127.0.0.1:{port}"] if settings is QUORUM else []
        server = zk.Server(home, command, port, settings, lines, myid=1)
        try:
            server.start().serving()
            one, two = zk.client(port), zk.client(port)
            zk.fill(one, two, "/first")
            sessions = zk.leave(server, one, two)
            server.start().serving()
            one, two = (zk.client(port, session) for session in sessions)
            zk.fill(one, two, "/second")
            one.delete("/first/ephemerals/other")
            if settings is QUORUM:
                one.reconfig(f"server.2=127.0.0.1:{port + 3}:{port + 4}:observer;127.0.0.1:{port + 5}", None, None)
            expected = {"nodes": zk.tree(one), "sessions": sorted([one.client_id[0], two.client_id[0]])}
            zk.leave(server, one, two)
        finally:
            server.kill()
        keep(server.data / "version-2", RECORDED / name / "version-2")
        zk.write_json(RECORDED / name / "expected.json", expected)


def keep(source, target):
    """Copies the newest snapshot, the logs from it on, and the epochs."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)

    def zxid(path):
        return int(path.name.split(".")[1], 16)

    snapshot = max(source.glob("snapshot.*"), key=zxid)
    logs = sorted(source.glob("log.*"), key=zxid)
    # The one that begins before the snapshot is opened too, and nothing of it is applied.
    older = [log for log in logs if zxid(log) <= zxid(snapshot)][-1:]
    newer = [log for log in logs if zxid(log) > zxid(snapshot)]
    for path in [snapshot, *older, *newer, *source.glob("*Epoch")]:
        # The zeros that are allocated ahead say nothing, but an end of the file at an end of an entry would.
        content = path.read_bytes()
        if path.name.startswith("log."):
            content = content.rstrip(b"\0") + bytes(64)
        (target / path.name).write_bytes(content)


def main():
    """Records what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classpath", required=True, help="the jars of Apache ZooKeeper 3.9 and what they need")
    parser.add_argument("--port", type=int, default=24200, help="this one and the next five are used")
    parser.add_argument("names", nargs="*", help="which directories; all without a name")
    arguments = parser.parse_args()
    for name in arguments.names or DIRECTORIES:
        record(name, DIRECTORIES[name], zk.apache(arguments.classpath), arguments.port)
        print(f"{name}: recorded", flush=True)


if __name__ == "__main__":
    main()
