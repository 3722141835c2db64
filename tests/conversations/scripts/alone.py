"""Sessions that only their server knows, and a server without a quorum that only reads."""

from recorder.replies import BODIES
from recorder.requests import CONTAINER, EPHEMERAL, EPHEMERAL_SEQUENTIAL, op_check, op_create

from .script import script

# A quorum of one is no server alone: it has local sessions.
ONE = {"standaloneEnabled": "false", "server__1": "127.0.0.1:{port+1}:{port+2}"}
LOCAL = {"localSessionsEnabled": "true", "localSessionsUpgradingEnabled": "true"}
# Only the first of them runs.
THREE = {f"server__{n}": f"127.0.0.1:{{port+{2 * n - 1}}}:{{port+{2 * n}}}" for n in (1, 2, 3)}
READ_ONLY = {"readonlymode__enabled": "true"}


@script(**ONE, **LOCAL)
def local_sessions(s):
    """A local session costs no zxid, comes back to its server, and becomes a global one when it asks for an
    ephemeral node: that costs a zxid, also if the node is refused."""
    a = s.client("a")
    a.create("/p")
    a.exists("/p")
    b = s.open("b")
    b.connect(session="a", timeout=20000)
    a.is_closed()
    b.create_container("/c", flags=CONTAINER)
    b.set("/p", b"1")
    s.say("Nothing so far was global.")
    b.create("/missing/e", flags=EPHEMERAL)
    b.create("/e", flags=EPHEMERAL)
    b.get("/e")
    b.ephemerals("/")
    c = s.open("c")
    c.connect(session="a")
    b.is_closed()
    c.create2("/s-", flags=EPHEMERAL_SEQUENTIAL)
    c.close_session()
    d = s.client("d")
    d.exists("/e")
    s.say("A local session ends without a zxid, and is gone.")
    d.close_session()
    e = s.open("e")
    e.ask_session(session="d")
    e.connect_response()
    e.is_closed()
    f = s.client("f")
    f.multi(op_create("/m"), op_create("/n", flags=EPHEMERAL))
    f.get("/n")


@script(**ONE, localSessionsEnabled="true")
def local_sessions_that_stay(s):
    """A local session that may not become global creates no ephemeral node. The refusal costs a zxid."""
    a = s.client("a")
    a.create("/e", flags=EPHEMERAL)
    a.create2("/missing/e", flags=EPHEMERAL_SEQUENTIAL)
    a.create("relative", flags=EPHEMERAL)
    a.create("/p")
    a.exists("/p")
    s.say("In a multi.")
    a.multi(op_create("/m"), op_create("/n", flags=EPHEMERAL), op_check("/p", -1))


@script(**THREE, **READ_ONLY, **LOCAL)
def read_only(s):
    """A server without a quorum reads for those who ask for no more, and takes the local sessions that began
    there."""
    for name, wish in (("a", False), ("b", None)):
        client = s.open(name)
        client.ask_session(read_only=wish)
        client.is_closed()
    c = s.client("c", read_only=True)
    c.exists("/", watch=True)
    c.children2("/")
    c.get("/missing")
    c.create("/p")
    c.create("/e", flags=EPHEMERAL)
    c.create2("/p")
    c.create_container("/p")
    c.delete("/p")
    c.set("/p", b"")
    c.set_acl("/", [(31, "world", "anyone")])
    c.sync("/")
    c.multi(op_create("/p"))
    c.multi()
    c.reconfig(leaving="1")
    c.raw_call(1, b"", "an empty create")
    c.ping()
    d = s.open("d")
    d.connect(session="c", timeout=20000, read_only=True)
    c.is_closed()
    d.close_session()
    f = s.open("f")
    f.ask_session(seen=1, read_only=True)
    f.is_closed()


@script(**THREE, **READ_ONLY)
def read_only_without_local_sessions(s):
    """Where sessions are known to all, none begins without a quorum: in place of the answer to a handshake comes
    the header of a reply."""
    a = s.open("a")
    a.ask_session(read_only=True)
    a.reply(BODIES[1])
    a.closes()
