"""Servers on loopback, what is put into them, and what can be read back."""

import contextlib
import json
import logging
import pathlib
import sys

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.handlers.threading import KazooTimeoutError  # noqa: F401
from kazoo.protocol.serialization import Create, Create2, long_struct
from kazoo.retry import KazooRetry
from kazoo.security import ACL, Id, make_acl, make_digest_acl

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "foreign"))

import server  # noqa: E402
from server import HOST, ask, free_ports  # noqa: E402, F401

PATIENCE = 120
SESSION_TIMEOUT = 40.0
# Servers are killed here all the time; its warnings would fill the screen.
logging.getLogger("kazoo").setLevel(logging.CRITICAL)


class Server(server.Server):
    """One server, which is killed at the end."""

    def __init__(self, home, command, port, settings=None, lines=(), myid=None):
        super().__init__(home, command, port)
        ours = {
            "tickTime": 1000,
            "initLimit": 20,
            "syncLimit": 10,
            "minSessionTimeout": 2000,
            "maxSessionTimeout": int(SESSION_TIMEOUT * 1000),
        }
        self.write({**ours, **(settings or {})}, lines, myid)

    def serving(self):
        """Waits until it serves. Its mode."""

        def mode():
            assert self.process.poll() is None, f"it ended\n{self.log()}"
            return self.mode()

        return wait_for(f"{self.home} serves", mode)


def wait_for(what, condition):
    """Asks again and again until there is an answer."""
    return server.wait_for(what, condition, PATIENCE)


@contextlib.contextmanager
def running(*servers):
    """Kills the servers at the end."""
    try:
        for each in servers:
            each.start()
        for each in servers:
            each.serving()
        yield servers[0]
    finally:
        for each in servers:
            each.kill()


def apache(classpath, java="java"):
    """The command of Apache's server."""
    quiet = ["-Dlog4j2.level=WARN", "-Xmx300m", "-XX:+UseSerialGC"]
    return [java, *quiet, "-cp", classpath, "org.apache.zookeeper.server.quorum.QuorumPeerMain", "{config}"]


def leave(killed, *clients):
    """Kills a server. The sessions of its clients, which live on since nobody can be told of their end."""
    sessions = [left.client_id for left in clients]
    killed.kill()
    for left in clients:
        wait_for("the client sees it", lambda left=left: not left.connected)
        left.stop()
        left.close()
    return sessions


def client(port, session=None):
    """A client that may do everything, and does not give up. `session`: the one it goes on with."""
    retry = {"max_tries": -1, "delay": 0.05, "max_delay": 0.5}
    made = KazooClient(
        f"{HOST}:{port}",
        timeout=SESSION_TIMEOUT,
        connection_retry=KazooRetry(**retry),
        command_retry=KazooRetry(**retry),
        auth_data=[("digest", "super:test")],
        client_id=session,
    )
    made.start(timeout=PATIENCE)
    assert session is None or made.client_id[0] == session[0], "the session did not go on"
    return made


class _Raw(Create2):
    def serialize(self):
        return Create.serialize(self)


class CreateContainer(_Raw):
    """A request that kazoo does not have."""

    type = 19


class CreateTtl(_Raw):
    """Another one; every node gets the same time to live."""

    type = 21
    ttl = 40_000_000

    def serialize(self):
        return Create.serialize(self) + long_struct.pack(self.ttl)


def call(zookeeper, request):
    """Sends a request of our own."""
    result = zookeeper.handler.async_result()
    zookeeper._call(request, result)
    return result.get(timeout=PATIENCE)


ANYONE = [ACL(31, Id("world", "anyone"))]


def fill(zookeeper, other, top):
    """Every kind of znode, list and transaction, below `top`."""
    digest = make_digest_acl("ann", "secret", all=True)
    address = make_acl("ip", "10.0.0.0/8", read=True, write=True)
    zookeeper.create(top, b"top")
    for number, (data, acl) in enumerate(
        [(b"", None), (b"\x00\xff\x80", [digest]), (b"x" * 300, [address, digest]), ("\u00fc".encode(), None)]
    ):
        zookeeper.create(f"{top}/plain-{number}", data, acl=acl)
    zookeeper.create(f"{top}/\u043c\u0438\u0440 \u4e16", b"a name that is not ASCII")
    zookeeper.create(f"{top}/null", b"soon null")
    zookeeper.set(f"{top}/null", None)
    for _ in range(3):
        zookeeper.create(f"{top}/plain-0/n-", b"", sequence=True)
    zookeeper.delete(f"{top}/plain-0/n-0000000001")
    zookeeper.create(f"{top}/ephemerals", b"")
    zookeeper.create(f"{top}/ephemerals/mine", b"1", ephemeral=True)
    zookeeper.create(f"{top}/ephemerals/mine-", b"2", ephemeral=True, sequence=True)
    other.create(f"{top}/ephemerals/other", b"3", ephemeral=True, acl=[digest])
    call(zookeeper, CreateContainer(f"{top}/container", b"c", ANYONE, 4))
    zookeeper.create(f"{top}/container/child", b"")
    call(zookeeper, CreateTtl(f"{top}/ttl", b"t", ANYONE, 5))
    call(zookeeper, CreateTtl(f"{top}/ttl-", b"t", [address], 6))
    for version in range(3):
        zookeeper.set(f"{top}/plain-2", b"again %d" % version)
    zookeeper.set_acls(f"{top}/plain-3", [make_acl("world", "anyone", read=True)])
    zookeeper.set_acls(f"{top}/plain-3", [make_acl("world", "anyone", read=True, admin=True), digest])
    zookeeper.create(f"{top}/gone/below", b"", makepath=True)
    zookeeper.delete(f"{top}/gone", recursive=True)
    zookeeper.create(f"{top}/gone", b"again")
    zookeeper.create(f"/zookeeper/quota{top}/zookeeper_limits", b"count=1000,bytes=-1", makepath=True)
    zookeeper.create(f"/zookeeper/quota{top}/zookeeper_stats", b"count=0,bytes=0")
    multi = zookeeper.transaction()
    multi.create(f"{top}/multi", b"m")
    multi.create(f"{top}/multi/s-", b"", sequence=True)
    multi.create(f"{top}/multi/e", b"", ephemeral=True, acl=[digest])
    multi.set_data(f"{top}/gone", b"by a multi")
    multi.check(f"{top}/gone", 1)
    multi.delete(f"{top}/plain-0/n-0000000000")
    assert not any(isinstance(result, Exception) for result in multi.commit())
    refused = zookeeper.transaction()
    refused.create(f"{top}/never", b"")
    refused.check(f"{top}/gone", 99)
    refused.delete(f"{top}/gone")
    assert any(isinstance(result, Exception) for result in refused.commit())
    for path in (f"{top}/gone", f"{top}/nowhere/below"):
        with contextlib.suppress(KazooException):
            zookeeper.create(path, b"refused, but with a zxid")
    passing = client(zookeeper.hosts[0][1])
    passing.create(f"{top}/passing", b"", ephemeral=True)
    passing.create(f"{top}/multi/passing", b"", ephemeral=True)
    passing.stop()
    passing.close()
    assert zookeeper.exists(f"{top}/passing") is None


def tree(zookeeper):
    """Everything that a client can see of every node."""
    nodes, paths = {}, ["/"]
    while paths:
        asked = [
            (path, zookeeper.get_async(path), zookeeper.get_acls_async(path), zookeeper.get_children_async(path))
            for path in paths
        ]
        paths = []
        for path, data, acls, children in asked:
            data, stat = data.get(timeout=PATIENCE)
            acls = [[acl.perms, acl.id.scheme, acl.id.id] for acl in acls.get(timeout=PATIENCE)[0]]
            nodes[path] = {"data": None if data is None else data.hex(), "acl": acls, "stat": list(stat)}
            if path.endswith("/zookeeper_stats"):
                # Data and their length are the server's own figures.
                nodes[path] = {"acl": acls, "stat": [*stat[:8], *stat[9:]]}
            if path == "/zookeeper/config":
                # Each server writes it anew at its start.
                nodes[path] = {"acl": acls}
            below = "" if path == "/" else path
            paths += [f"{below}/{child}" for child in children.get(timeout=PATIENCE)]
    return dict(sorted(nodes.items()))


def compare(what, expected, found):
    """Fails with the first differences."""
    different = [path for path in sorted({*expected, *found}) if expected.get(path) != found.get(path)]
    for path in different[:10]:
        print(f"{path}\n  expected {expected.get(path)}\n  found    {found.get(path)}")
    assert not different, f"{what}: {len(different)} of {len(expected)} nodes differ"
    assert len(expected) > 10, "nearly nothing was compared"
    print(f"{what}: {len(expected)} nodes are equal", flush=True)


def write_json(path, value):
    """Sorted, so that a second recording differs only where the data do."""
    pathlib.Path(path).write_text(json.dumps(value, indent=0, sort_keys=True, ensure_ascii=True) + "\n")
