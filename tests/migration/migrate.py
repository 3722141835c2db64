#!/usr/bin/env python3
"""Moves data between live servers of Apache ZooKeeper and ours, and compares all that clients can see.

  migrate.py --classpath JARS --zabrus PROGRAM [--port N] [alone ensemble fuzzy]
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True  # the folder holds what is written by hand and what is recorded, nothing else

import zookeeper as zk  # noqa: E402


class Mover:
    """What all stories need."""

    def __init__(self, arguments, home):
        self.apache = zk.apache(arguments.classpath)
        self.program = str(pathlib.Path(arguments.zabrus).resolve())
        self.zabrus = [self.program, "start-foreground", "{config}"]
        self.port = arguments.port
        self.home = pathlib.Path(home)

    def server(self, name, command, port=None, settings=None, lines=(), myid=None):
        """A server that does not run yet."""
        return zk.Server(self.home / name, command, port or self.port, settings, lines, myid)

    def run(self, *words):
        """Runs a verb of ours; it must succeed."""
        done = subprocess.run([self.program, *map(str, words)], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def import_into(self, server, source):
        """Imports, and looks at the result."""
        print(self.run("import", "--from", source, "--to", server.config), end="")
        assert "Everything is whole." in self.run("verify", server.config)


def open_with(server, what, expected, sessions):
    """The server is up: all that clients see is as it was, and the sessions go on."""
    clients = [zk.client(server.port, session) for session in sessions]
    zk.compare(what, expected, zk.tree(clients[0]))
    return clients


def alone(mover):
    """Apache to ours and back, one server each, with two sessions that live through both moves."""
    old = mover.server("old", mover.apache)
    with zk.running(old):
        clients = [zk.client(mover.port), zk.client(mover.port)]
        zk.fill(*clients, "/apache")
        expected = zk.tree(clients[0])
        sessions = zk.leave(old, *clients)
    ours = mover.server("ours", mover.zabrus)
    mover.import_into(ours, old.data)
    with zk.running(ours):
        clients = open_with(ours, "imported", expected, sessions)
        clients[0].create("/apache/ephemerals/later", b"", ephemeral=True)
        zk.fill(*clients, "/ours")
        clients[1].delete("/apache/ephemerals/other")
        expected = zk.tree(clients[0])
        backup = mover.home / "backup"
        mover.run("backup", "--to", backup, ours.config)
        assert "Everything is whole." in mover.run("verify", ours.config)
        sessions = zk.leave(ours, *clients)
    new = mover.server("new", mover.apache)
    print(mover.run("export", "--to", new.data, ours.config), end="")
    with zk.running(new):
        clients = open_with(new, "exported", expected, sessions)
        assert "zk_digest_mismatches_count\t0" in zk.ask(new.port, "mntr"), "Apache computes another digest"
        clients[1].stop()
        assert not clients[0].exists("/ours/ephemerals/other"), "an exported session ends with its nodes"
        zk.leave(new, clients[0])
    assert "Digests are not matching" not in new.log(), new.log()
    restored = mover.server("restored", mover.zabrus)
    mover.run("restore", "--from", backup, "--to", restored.config)
    with zk.running(restored):
        open_with(restored, "restored from a backup of a running server", expected, sessions)


def ensemble(mover):
    """A quorum of Apache to three of ours, all from the directory of the leader, and back."""

    def servers(name, command):
        first = mover.port + 10
        lines = [f"server.{n}=127.0.0.1:{first + n}:{first + 10 + n}" for n in (1, 2, 3)]
        make = lambda n: mover.server(f"{name}-{n}", command, mover.port + n, None, lines, n)  # noqa: E731
        return [make(n) for n in (1, 2, 3)]

    old = servers("old", mover.apache)
    with zk.running(*old):
        leader = next(server for server in old if server.serving() == "leader")
        clients = [zk.client(leader.port), zk.client(leader.port)]
        zk.fill(*clients, "/apache")
        expected = zk.tree(clients[0])
        sessions = zk.leave(leader, *clients)
    before = int((leader.data / "version-2" / "currentEpoch").read_text())
    ours = servers("ours", mover.zabrus)
    for server in ours:
        mover.import_into(server, leader.data)
    with zk.running(*ours):
        assert sorted(server.serving() for server in ours) == ["follower", "follower", "leader"]
        clients = open_with(ours[0], "imported by three", expected, sessions)
        clients[0].create("/written", b"by ours")
        epoch = clients[0].exists("/written").czxid >> 32
        assert epoch > before, f"epoch {epoch} after {before}"
        expected = zk.tree(clients[0])
        for server in ours[1:]:
            reader = zk.client(server.port)
            reader.sync("/")
            zk.compare(f"server on port {server.port}", expected, zk.tree(reader))
            reader.stop()
        expected = zk.tree(clients[0])
        mode = {server.serving(): server for server in ours}
        sessions = zk.leave(ours[0], *clients)
    new = servers("new", mover.apache)
    mover.run("export", "--to", new[0].data, mode["leader"].config)
    for server in new[1:]:
        shutil.copytree(new[0].data / "version-2", server.data / "version-2")
    with zk.running(*new):
        clients = open_with(new[1], "exported to three", expected, sessions)
        clients[0].create("/written-again", b"by Apache")
        assert clients[0].exists("/written-again").czxid >> 32 > epoch


def fuzzy(mover):
    """Snapshots that Apache takes under load, and a kill: its own recovery and ours reach the same."""
    old = mover.server("old", mover.apache, settings={"snapCount": 300, "snapshot.compression.method": "gz"})
    with zk.running(old):
        clients = [zk.client(mover.port) for _ in range(4)]
        stop = threading.Event()

        def load(number, client):
            step = 0
            while not stop.is_set():
                step += 1
                base = f"/load/{number}-{step % 40}"
                acl = [zk.make_digest_acl(f"user-{step % 97}", "secret", all=True)]
                try:
                    client.ensure_path(base)
                    results = [client.create_async(f"{base}/n{step}-{n}", b"x" * 50, acl=acl) for n in range(20)]
                    results += [client.set_async(f"{base}/n{step}-3", b"y"), client.delete_async(f"{base}/n{step}-7")]
                    results += [client.create_async(f"{base}/e", b"", ephemeral=True, sequence=True)]
                    for result in results:
                        result.get(timeout=zk.PATIENCE)
                    passing = zk.client(mover.port) if step % 20 == 0 else None
                    if passing:
                        passing.create(f"{base}/passing", b"", ephemeral=True)
                        passing.stop()
                        passing.close()
                except (zk.KazooException, zk.KazooTimeoutError):
                    assert stop.is_set(), "the server lives"

        threads = [threading.Thread(target=load, args=pair, daemon=True) for pair in enumerate(clients)]
        for thread in threads:
            thread.start()
        count = lambda: len(list((old.data / "version-2").glob("snapshot.*"))) > 12  # noqa: E731
        zk.wait_for("some snapshots", count)
        stop.set()
        old.kill()
        for thread in threads:
            thread.join()
        for client in clients:
            client.stop()
    copy = mover.home / "copy"
    shutil.copytree(old.data / "version-2", copy / "version-2")
    with zk.running(old):
        reader = zk.client(mover.port)
        expected = zk.tree(reader)
        reader.stop()
    ours = mover.server("ours", mover.zabrus)
    mover.import_into(ours, copy)
    with zk.running(ours):
        reader = zk.client(mover.port)
        zk.compare("a fuzzy snapshot", expected, zk.tree(reader))


STORIES = {"alone": alone, "ensemble": ensemble, "fuzzy": fuzzy}


def main():
    """Plays the stories that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classpath", required=True, help="the jars of Apache ZooKeeper 3.9 and what they need")
    parser.add_argument("--zabrus", required=True, help="the program")
    parser.add_argument("--port", type=int, help="this one and the next thirty are used; free ones without it")
    parser.add_argument("stories", nargs="*", help="alone, ensemble, fuzzy; all without a name")
    arguments = parser.parse_args()
    arguments.port = arguments.port or zk.free_ports(31)
    for name in arguments.stories or STORIES:
        print(f"== {name}: {STORIES[name].__doc__}", flush=True)
        with tempfile.TemporaryDirectory() as home:
            STORIES[name](Mover(arguments, home))
    print("all is equal")


if __name__ == "__main__":
    main()
