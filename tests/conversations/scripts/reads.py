"""exists, getData, getChildren, getChildren2, getACL, getEphemerals, getAllChildrenNumber."""

from recorder.requests import EPHEMERAL, EPHEMERAL_SEQUENTIAL

from .script import script

NO_READ = [(2 | 4 | 8 | 16, "world", "anyone")]


@script()
def reads(s):
    """Every read of a small tree."""
    a = s.client("a")
    a.create("/p", b"data")
    a.create("/p/a")
    a.create("/p/b", None)
    a.create("/p/b/c")
    for path in ("/p", "/p/b"):
        a.exists(path)
        a.get(path)
        a.children(path)
        a.children2(path)
        a.get_acl(path)
        a.count(path)
    s.say("No children.")
    a.children("/p/a")
    a.children2("/p/a")
    a.count("/p/a")


@script()
def read_errors(s):
    """A znode that is missing, and one that may not be read. exists and getACL have rules of their own."""
    a = s.client("a")
    a.create("/closed", acl=NO_READ)
    a.create("/shut", acl=[(2, "world", "anyone")])
    a.create("/shut-admin", acl=[(16, "world", "anyone")])
    a.create("/shut-read", acl=[(1, "world", "anyone")])
    for path in ("/missing", "/missing/x", "/closed", "/shut"):
        for read in (a.exists, a.get, a.children, a.children2, a.get_acl, a.count):
            read(path)
    s.say("getACL needs READ or ADMIN.")
    a.get_acl("/shut-admin")
    a.get_acl("/shut-read")
    s.say("A child of a znode that may not be read can be read.")
    a.create("/closed/open")
    a.get("/closed/open")


@script()
def get_ephemerals(s):
    """getEphemerals lists the ephemerals of the own session whose path begins with a text."""
    a = s.client("a")
    b = s.client("b")
    a.ephemerals(None)
    a.create("/p")
    a.create("/p/x", flags=EPHEMERAL)
    a.create("/p/xy", flags=EPHEMERAL)
    a.create("/px", flags=EPHEMERAL)
    a.create("/p/s-", flags=EPHEMERAL_SEQUENTIAL)
    b.create("/p/b", flags=EPHEMERAL)
    for prefix in (None, "", " ", "/", "/p", "/p/", "/p/x", "/p/xy", "/q", "p", "/a\0"):
        a.ephemerals(prefix)
    b.ephemerals("/")
    s.say("Neither the ACL of a znode nor that of its parent matters.")
    a.create("/closed", acl=[(4, "world", "anyone")])
    a.create("/closed/e", acl=[(2, "world", "anyone")], flags=EPHEMERAL)
    a.ephemerals("/closed")
    a.delete("/p/x")
    a.ephemerals("/p/")


@script()
def get_all_children_number(s):
    """getAllChildrenNumber counts all descendants; the root has the system znodes too."""
    a = s.client("a")
    a.count("/")
    a.count("")
    a.create("/p")
    a.create("/p/a")
    a.create("/p/a/b")
    a.create("/pq")
    a.create("/p/e", flags=EPHEMERAL)
    a.count("/")
    a.count("/p")
    a.count("/p/a")
    a.count("/p/a/b")
    a.count("/p/")
    a.count("/missing")
    a.count("relative")
    a.count("/zookeeper")


@script()
def system_nodes(s):
    """The znodes that are always there. What a client may do to them."""
    a = s.client("a")
    for path in ("/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"):
        a.get(path)
        a.children2(path)
        a.get_acl(path)
    s.say("They take children and data; the configuration is for reading.")
    a.create2("/zookeeper/x", b"x")
    a.exists("/zookeeper")
    a.delete("/zookeeper/x")
    a.set("/zookeeper", b"x")
    a.set("/zookeeper/quota", b"x")
    a.set("/zookeeper/config", b"x")
    a.create("/zookeeper/config/x")
    a.create("/zookeeper/quota/x")
    a.delete("/zookeeper/quota")
    a.delete("/zookeeper")
    a.set_acl("/zookeeper", [(1, "world", "anyone")])
    a.create("/zookeeper/y")
    a.set_acl("/", [(1, "world", "anyone")])
    a.create("/y")
