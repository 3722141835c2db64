"""delete, setData, setACL, sync and their errors."""

from recorder.replies import BODIES
from recorder.requests import EPHEMERAL, OPEN, READ_ONLY_ACL
from recorder.tokens import boolean, buffer, int32

from .script import script

NO_DELETE = [(1 | 2 | 4 | 16, "world", "anyone")]


@script()
def delete(s):
    """delete, with and without a version."""
    a = s.client("a")
    a.create("/p")
    a.create("/p/a")
    a.create("/p/b")
    a.delete("/p/a")
    a.exists("/p")
    a.set("/p/b", b"1")
    a.delete("/p/b", 0)
    a.delete("/p/b", 2)
    a.delete("/p/b", -2)
    a.delete("/p/b", 1)
    a.delete("/p/b", 1)
    a.exists("/p")
    a.delete("/p")


@script()
def delete_errors(s):
    """Each error of delete, and which comes first: path, parent, permission, node, version, children."""
    a = s.client("a")
    s.say("These cannot be deleted.")
    for path in ("/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"):
        a.delete(path)
    s.say("Paths.")
    for path in ("", "relative", "a/b", "/a\0", "//", "/x/", "/.", "/x/.."):
        a.delete(path)
    a.create("/p")
    a.delete("/p/")
    a.delete("/missing")
    a.delete("/missing/x")
    s.say("Permission, before the node is looked up.")
    a.create("/closed", acl=NO_DELETE)
    a.create("/closed/x")
    a.delete("/closed/x")
    a.delete("/closed/x", 7)
    a.delete("/closed/missing")
    s.say("The ACL of the node itself does not matter.")
    a.create("/p/free", acl=[(0, "world", "anyone")])
    a.delete("/p/free")
    s.say("The version before the children.")
    a.create("/p/x")
    a.delete("/p", 5)
    a.delete("/p", 0)
    a.delete("/p")
    s.say("An ephemeral of another session can be deleted.")
    b = s.client("b")
    b.create("/e", flags=EPHEMERAL)
    a.delete("/e")
    b.ephemerals(None)


@script()
def set_data(s):
    """setData raises the version and stamps mzxid and mtime."""
    a = s.client("a")
    a.create("/p", b"0")
    a.set("/p", b"one")
    a.set("/p", b"two!", 1)
    a.get("/p")
    a.set("/p", None)
    a.set("/p", b"", 3)
    a.get("/p")
    a.set("/", b"root")
    a.get("/")
    a.set("/zookeeper", b"system")
    a.get("/zookeeper")


@script()
def set_data_errors(s):
    """Each error of setData, and which comes first: path, node, permission, version."""
    a = s.client("a")
    a.create("/p")
    a.create("/closed", acl=READ_ONLY_ACL)
    for path in ("", "relative", "/p/", "/a\0", "/p/./x"):
        a.set(path, b"")
    a.set("/missing", b"")
    a.set("/missing", b"", 3)
    a.set("/closed", b"")
    a.set("/closed", b"", 3)
    a.set("/p", b"", 1)
    a.set("/p", b"", -2)
    a.set("/p", b"", 0)
    a.set("/p", b"", 0)
    a.set("/zookeeper/config", b"")
    a.get("/p")


@script()
def set_acl(s):
    """setACL raises the aversion and nothing else; equal entries are kept once."""
    a = s.client("a")
    a.create("/p")
    a.set_acl("/p", READ_ONLY_ACL + [(31, "ip", "127.0.0.1")])
    a.get_acl("/p")
    a.set_acl("/p", [(31, "ip", "127.0.0.1"), (31, "world", "anyone"), (31, "ip", "127.0.0.1")], 1)
    a.get_acl("/p")
    s.say("Bits that mean nothing are kept, and none at all is a permission too.")
    a.set_acl("/p", [(255, "world", "anyone"), (0, "ip", "10.0.0.0/8"), (-1, "digest", "u:x")])
    a.get_acl("/p")
    a.set_acl("/", OPEN)
    a.get_acl("/")


@script()
def set_acl_errors(s):
    """Each error of setACL, and which comes first: path, ACL list, node, permission, version."""
    a = s.client("a")
    a.create("/p")
    a.create("/closed", acl=[(1 | 2 | 4 | 8, "world", "anyone")])
    for path in ("", "relative", "/p/", "/a\0"):
        a.set_acl(path, OPEN)
        a.set_acl(path, [])
    for acl in (None, [], [(31, "world", "x")], [(31, "auth", "")], [(31, "nosuch", "x")], [(31, "digest", "x")],
                [(31, "ip", "1.2.3")], [(31, "ip", "1.2.3.4/33")], [(31, "ip", "1.2.3.4/")],
                [(31, "ip", "1.2.3.4/-1")]):
        a.set_acl("/p", acl)
    a.set_acl("/missing", [])
    a.set_acl("/missing", OPEN)
    a.set_acl("/missing", OPEN, 4)
    a.set_acl("/closed", [])
    a.set_acl("/closed", OPEN)
    a.set_acl("/closed", OPEN, 4)
    a.set_acl("/p", OPEN, 4)
    a.set_acl("/p", OPEN, -2)
    a.set_acl("/p", OPEN, 0)
    a.set_acl("/p", OPEN, 0)
    a.set_acl("/zookeeper/config", OPEN)


@script()
def sync(s):
    """sync echoes its path, whatever it is, and takes no zxid."""
    a = s.client("a")
    a.create("/p")
    for path in ("/p", "/", "/missing", "relative", "", "/a\0", "//"):
        a.sync(path)
    a.sync(None)
    a.create("/closed", acl=[(2, "world", "anyone")])
    a.sync("/closed")
    s.say("Pipelined behind a write.")
    a.send(5, buffer("/p") + buffer(b"x") + int32(-1), "setData /p \"x\" version -1")
    a.send(9, buffer("/p"), "sync /p")
    a.send(4, buffer("/p") + boolean(False), "getData /p")
    for op in (5, 9, 4):
        a.reply(BODIES[op])


@script()
def stat(s):
    """Every field of the Stat as a znode and its parent change (client.md section 11)."""
    a = s.client("a")
    a.exists("/")
    a.exists("/zookeeper")
    a.create("/p", b"12345")
    a.exists("/")
    a.exists("/p")
    a.create("/p/a")
    a.create("/p/b")
    a.exists("/p")
    a.set("/p/a", b"x")
    s.say("Neither the data nor the ACL of a child changes the parent.")
    a.set_acl("/p/a", OPEN)
    a.exists("/p")
    a.exists("/p/a")
    a.delete("/p/a")
    a.exists("/p")
    a.create("/p/a")
    a.exists("/p")
    a.set("/p", b"")
    a.set_acl("/p", OPEN)
    a.exists("/p")
    a.delete("/p/a")
    a.delete("/p/b")
    a.exists("/p")
    s.say("A znode that is made again begins anew.")
    a.delete("/p")
    a.create2("/p", b"new")
    s.say("A grandchild changes its own parent only.")
    a.create("/p/c")
    a.create("/p/c/d")
    a.exists("/p")
    a.exists("/p/c")
    a.exists("/")
