#!/usr/bin/env python3
"""Records under which names Apache ZooKeeper tells an operator what: the metrics of `mntr` and the keys of the admin
server's commands, by the role of the server. A test of the runner compares ours with them.

  record.py --classpath JARS [--port N]

JARS are those of Apache ZooKeeper 3.9 and of Jetty 9, on which its admin server runs. Needs Java and kazoo 2.11.
"""

import argparse
import json
import pathlib
import re
import sys
import tempfile
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "migration"))

import zookeeper as zk  # noqa: E402

PREFIX = re.compile(r"(avg|min|max|cnt|sum|p50|p95|p99|p999)_")
# Whose figure it is: the number of a learner, or a znode below the root.
LABEL = re.compile(r"(\d+_(?=learner_handler)|[^_]+_(?=\w+_per_namespace$))")
# What `mntr` has, and Java's own.
WITHOUT = {"monitor", "system_properties"}
# They count anew, so they come last.
RESETS = ["connection_stat_reset", "observer_connection_stat_reset", "stat_reset"]


def get(port, path):
    """What the admin server says, whatever the status."""
    try:
        with urllib.request.urlopen(f"http://{zk.HOST}:{port}/commands{path}", timeout=20) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.read().decode()


def metrics(text):
    """The names of `mntr` without zk_, those of a summary once: single, summary, or detailed with percentiles."""
    keys = {line.split("\t")[0].removeprefix("zk_") for line in text.splitlines()}
    kinds = {}
    for key in sorted(keys):
        name = PREFIX.sub("", key, count=1)
        if f"cnt_{name}" not in keys:
            kind, name = "single", key
        else:
            kind = "detailed" if f"p50_{name}" in keys else "summary"
        kinds[LABEL.sub("", name, count=1)] = kind
    return kinds


def keys(value):
    """The keys of an answer; `*` stands for those that are data."""
    if isinstance(value, list):
        return {f"[].{key}" for each in value for key in keys(each)}
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, below in value.items():
        key = "*" if re.match(r"\d+$|/", key) else key
        found |= {key} | {f"{key}.{more}" for more in keys(below)}
    return found


def look(servers, admin):
    """What each of them says, by its role, while clients have sessions, ephemeral nodes and watches."""
    clients = [zk.client(each.port) for each in servers]
    zk.fill(clients[0], clients[-1], "/top")
    # So that there is a digest, which is kept of every 128th transaction.
    for number in range(200):
        clients[0].set("/top", b"%d" % number)
    for client in clients:
        client.sync("/top")
        client.get("/top", watch=lambda event: None)
    said = {}
    for server, port in zip(servers, admin):
        names = re.findall(r'href="/commands/(\w+)"', get(port, ""))
        assert len(names) > 20, names
        answers = {name: json.loads(get(port, f"/{name}")) for name in [*sorted({*names} - {*RESETS}), *RESETS]}
        commands = {name: sorted(keys(answer)) for name, answer in answers.items() if name not in WITHOUT}
        said[server.mode()] = {"metrics": metrics(zk.ask(server.port, "mntr")), "commands": commands}
    for client in clients:
        client.stop()
        client.close()
    return said


def main():
    """Records a server alone, and an ensemble with an observer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classpath", required=True, help="the jars")
    parser.add_argument("--port", type=int, help="this one and the next twenty are used; free ones without it")
    arguments = parser.parse_args()
    first, command, said = arguments.port or zk.free_ports(20), zk.apache(arguments.classpath), {}
    numbers = (1, 2, 3, 4)
    lines = [f"server.{n}={zk.HOST}:{first + 10 + n}:{first + 15 + n}{':observer' * (n == 4)}" for n in numbers]
    with tempfile.TemporaryDirectory() as home:

        def server(number, lines, more):
            admin = {"admin.enableServer": "true", "admin.serverAddress": zk.HOST, "admin.serverPort": first + 5 + number}
            return zk.Server(f"{home}/{number}", command, first + number, {**admin, **more}, lines, number)

        for servers in (
            [server(0, (), {})],
            [server(n, lines, {"peerType": "observer"} if n == 4 else {}) for n in numbers],
        ):
            with zk.running(*servers):
                said |= look(servers, [each.port + 5 for each in servers])
    zk.write_json(HERE / "apache.json", said)


if __name__ == "__main__":
    main()
