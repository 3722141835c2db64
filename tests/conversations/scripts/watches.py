"""Watches: what fires, for whom, in which order, and how they are removed and set again."""

from recorder.replies import BODIES
from recorder.requests import (ANY, CHILDREN, DATA, EPHEMERAL, OPEN, PERSISTENT_WATCH, RECURSIVE, op_check, op_create,
                               op_delete, op_set)
from recorder.tokens import buffer, int32, int64

from .script import script

PERSISTENT_MODE, RECURSIVE_MODE = 0, 1


@script()
def watch_data(s):
    """A watch of getData fires once, on a change or a delete. The event of an own write comes before its reply."""
    a = s.client("a")
    a.create("/p")
    a.get("/p", watch=True)
    a.set("/p", b"1")
    a.set("/p", b"2")
    a.get("/p", watch=True)
    s.say("Neither the ACL nor children nor a failed write fire it.")
    a.set_acl("/p", OPEN)
    a.create("/p/x")
    a.delete("/p/x")
    a.set("/p", b"", 7)
    a.delete("/p", 7)
    a.delete("/p")
    a.create("/p")


@script()
def watch_exists(s):
    """A watch of exists fires on create, change and delete, also where nothing was."""
    a = s.client("a")
    a.exists("/p", watch=True)
    a.create("/p")
    a.set("/p", b"1")
    a.exists("/p", watch=True)
    a.set("/p", b"2")
    a.exists("/p", watch=True)
    a.delete("/p")
    s.say("A path that nothing can have.")
    a.exists("/p/", watch=True)
    a.check_watches("/p/", DATA)
    s.say("The parent need not be there.")
    a.exists("/q/r", watch=True)
    a.create("/q")
    a.create("/q/r")
    s.say("Twice is once.")
    a.exists("/p", watch=True)
    a.exists("/p", watch=True)
    a.create("/p")
    a.get("/p", watch=True)
    a.exists("/p", watch=True)
    a.set("/p", b"3")


@script()
def watch_children(s):
    """A watch of getChildren fires when a child comes or goes and when the znode itself goes."""
    a = s.client("a")
    a.create("/p")
    a.children("/p", watch=True)
    a.create("/p/x")
    a.create("/p/y")
    a.children2("/p", watch=True)
    s.say("Data and grandchildren do not fire it.")
    a.set("/p", b"1")
    a.set("/p/x", b"1")
    a.create("/p/x/z")
    a.delete("/p/y")
    a.delete("/p/x/z")
    a.delete("/p/x")
    a.children("/p", watch=True)
    a.delete("/p")
    s.say("The root, by its two names.")
    a.children("/", watch=True)
    a.create("/q")
    a.children("", watch=True)
    a.create("/r")


@script()
def watch_not_set(s):
    """A read that fails sets no watch, except exists of what is missing."""
    a = s.client("a")
    a.create("/closed", acl=[(2 | 4 | 8 | 16, "world", "anyone")])
    for path in ("/missing", "/closed"):
        a.get(path, watch=True)
        a.children(path, watch=True)
        a.children2(path, watch=True)
        a.check_watches(path, ANY)
    a.exists("/closed", watch=True)
    a.check_watches("/closed", ANY)
    a.exists("/missing", watch=True)
    a.check_watches("/missing", ANY)
    a.exists("/a\0b", watch=True)
    a.check_watches("/a\0b", ANY)
    s.say("Without the flag, nothing.")
    a.exists("/other")
    a.check_watches("/other", ANY)


@script()
def watch_data_and_children(s):
    """A client that watches data and children is told once that the znode is gone."""
    a = s.client("a")
    a.create("/p")
    a.create("/p/x")
    a.get("/p/x", watch=True)
    a.children("/p/x", watch=True)
    a.children("/p", watch=True)
    a.delete("/p/x")
    a.get("/p", watch=True)
    a.exists("/p", watch=True)
    a.children("/p", watch=True)
    a.set("/p", b"1")
    a.delete("/p")


@script()
def watch_persistent(s):
    """A persistent watch is told of the znode and of its children, again and again."""
    a = s.client("a")
    a.add_watch("/p", PERSISTENT_MODE)
    a.create("/p")
    a.set("/p", b"1")
    a.create("/p/x")
    a.set("/p/x", b"1")
    a.create("/p/x/y")
    a.delete("/p/x/y")
    a.delete("/p/x")
    a.set_acl("/p", OPEN)
    a.delete("/p")
    a.create("/p")


@script()
def watch_recursive(s):
    """A recursive watch is told of the znode and of all below it, never of children as such."""
    a = s.client("a")
    a.add_watch("/p", RECURSIVE_MODE)
    a.create("/p")
    a.create("/p/x")
    a.create("/p/x/y", b"")
    a.set("/p/x/y", b"1")
    a.set_acl("/p/x/y", OPEN)
    a.create("/pq")
    a.set("/p", b"1")
    a.delete("/p/x/y")
    a.delete("/p/x")
    a.delete("/p")
    s.say("The root sees all.")
    b = s.client("b")
    b.add_watch("/", RECURSIVE_MODE)
    b.create("/p")
    b.create("/p/z", flags=EPHEMERAL)
    b.set("/", b"1")
    b.set("/zookeeper", b"1")


@script()
def watch_kinds_together(s):
    """Several kinds on one path in one connection: one event for each trigger."""
    a = s.client("a")
    a.create("/p")
    a.add_watch("/p", PERSISTENT_MODE)
    a.add_watch("/p", RECURSIVE_MODE)
    a.get("/p", watch=True)
    a.children("/p", watch=True)
    a.set("/p", b"1")
    a.create("/p/x")
    a.set("/p", b"2")
    a.add_watch("/", RECURSIVE_MODE)
    a.get("/p/x", watch=True)
    a.set("/p/x", b"1")
    a.delete("/p/x")
    a.delete("/p")
    s.say("The kinds are still apart.")
    a.check_watches("/p", DATA)
    a.check_watches("/p", CHILDREN)
    a.check_watches("/p", PERSISTENT_WATCH)
    a.check_watches("/p", RECURSIVE)
    a.remove_watches("/p", RECURSIVE)
    a.create("/p")
    a.remove_watches("/", RECURSIVE)
    a.set("/p", b"3")


@script()
def watch_children_and_recursive(s):
    """A recursive watch and a watch of getChildren: both are told what is theirs."""
    a = s.client("a")
    a.create("/p")
    a.add_watch("/p", RECURSIVE_MODE)
    a.children("/p", watch=True)
    a.create("/p/x")
    a.create("/p/y")
    a.children("/p", watch=True)
    a.delete("/p/x")
    a.children("/p", watch=True)
    a.children("/p/y", watch=True)
    a.delete("/p/y")
    a.delete("/p")


@script()
def watch_two_clients(s):
    """Each client has its own watches. An event comes before the reply of a read that shows the change."""
    a, b, c = (s.client(name) for name in "abc")
    a.create("/p")
    b.get("/p", watch=True)
    c.children("/p", watch=True)
    a.set("/p", b"1")
    b.get("/p")
    a.create("/p/x")
    c.children("/p")
    a.exists("/p/x/y", watch=True)
    b.create("/p/x/y")
    a.event()
    b.add_watch("/p", RECURSIVE_MODE)
    c.add_watch("/p", PERSISTENT_MODE)
    a.multi(op_set("/p", b"2"), op_delete("/p/x/y"), op_delete("/p/x"))
    for _ in range(3):
        b.event()
    for _ in range(2):
        c.event()


@script()
def watch_add_errors(s):
    """addWatch takes any path, and two modes."""
    a = s.client("a")
    a.create("/closed", acl=[(2, "world", "anyone")])
    for path in ("/missing", "/closed", "relative", "", "/p/", "/a\0b"):
        a.add_watch(path, PERSISTENT_MODE)
        a.add_watch(path, RECURSIVE_MODE)
    for mode in (2, -1, 100):
        a.add_watch("/p", mode)
    a.check_watches("/p", ANY)
    s.say("Again, and in another mode.")
    a.add_watch("/q", PERSISTENT_MODE)
    a.add_watch("/q", PERSISTENT_MODE)
    a.create("/q")


@script()
def watch_add_null_path(s):
    """addWatch, checkWatches and removeWatches of a null path."""
    a = s.client("a")
    a.check_watches(None, ANY)
    a.remove_watches(None, ANY)
    a.add_watch(None, PERSISTENT_MODE)
    a.exists("/")


@script()
def watch_check(s):
    """checkWatches tells whether the connection has a watch of a kind on a path."""
    a = s.client("a")
    b = s.client("b")
    for path in ("/data", "/children", "/persistent", "/recursive"):
        a.create(path)
    a.get("/data", watch=True)
    a.children("/children", watch=True)
    a.add_watch("/persistent", PERSISTENT_MODE)
    a.add_watch("/recursive", RECURSIVE_MODE)
    for path in ("/data", "/children", "/persistent", "/recursive", "/"):
        for kind in (CHILDREN, DATA, ANY, PERSISTENT_WATCH, RECURSIVE):
            a.check_watches(path, kind)
    s.say("Types that are none.")
    for kind in (0, 6, -1):
        a.check_watches("/data", kind)
        a.remove_watches("/data", kind)
    s.say("Another connection has its own.")
    b.check_watches("/data", DATA)
    b.remove_watches("/data", DATA)
    a.check_watches("/data", DATA)


@script()
def watch_remove(s):
    """removeWatches removes one kind, or all. The server sends no event for it."""
    a = s.client("a")
    a.create("/p")

    def set_all():
        a.get("/p", watch=True)
        a.children("/p", watch=True)
        a.add_watch("/p", PERSISTENT_MODE)
        a.add_watch("/p", RECURSIVE_MODE)

    set_all()
    for kind in (CHILDREN, DATA, PERSISTENT_WATCH, RECURSIVE):
        a.remove_watches("/p", kind)
        a.remove_watches("/p", kind)
    a.set("/p", b"no event")
    s.say("One by one, with a change after each.")
    set_all()
    a.remove_watches("/p", PERSISTENT_WATCH)
    a.remove_watches("/p", RECURSIVE)
    a.set("/p", b"data")
    a.create("/p/x")
    a.set("/p", b"no event")
    s.say("All.")
    set_all()
    a.remove_watches("/p", ANY)
    a.remove_watches("/p", ANY)
    a.set("/p", b"no event")
    a.create("/p/y")
    s.say("Where nothing is watched.")
    a.remove_watches("/missing", ANY)


@script()
def watch_remove_keeps_others(s):
    """Removing a standard watch leaves a persistent one, and the other way round."""
    a = s.client("a")
    a.create("/p")
    a.add_watch("/p", PERSISTENT_MODE)
    a.get("/p", watch=True)
    a.remove_watches("/p", DATA)
    a.set("/p", b"1")
    a.remove_watches("/p", CHILDREN)
    a.create("/p/x")
    a.get("/p", watch=True)
    a.children("/p", watch=True)
    a.remove_watches("/p", PERSISTENT_WATCH)
    a.create("/p/y")
    a.set("/p", b"2")
    a.set("/p", b"3")


@script()
def watch_acl(s):
    """An event goes only to who may read the znode; a standard watch is used up all the same."""
    a = s.client("a")
    b = s.client("b")
    b.auth("digest", b"b:b")
    only_b = [(31, "auth", "")]
    a.exists("/p", watch=True)
    a.exists("/p/x", watch=True)
    a.add_watch("/p", RECURSIVE_MODE)
    b.create("/p", acl=only_b)
    a.ping()
    a.check_watches("/p", DATA)
    s.say("The deleted znode's own ACL counts.")
    b.create("/p/x")
    a.event()
    b.set("/p/x", b"1")
    a.event()
    b.set_acl("/p/x", only_b)
    b.set("/p/x", b"2")
    b.delete("/p/x")
    a.ping()
    s.say("For children it is the ACL of the parent.")
    b.set_acl("/p", OPEN)
    a.children("/p", watch=True)
    b.set_acl("/p", only_b)
    b.create("/p/y")
    a.event()
    a.ping()
    a.check_watches("/p", CHILDREN)


@script()
def watch_multi(s):
    """The events of a multi come in the order of its operations."""
    a = s.client("a")
    b = s.client("b")
    b.add_watch("/", RECURSIVE_MODE)
    b.children("/", watch=True)
    a.multi(op_create("/p"), op_create("/p/x"), op_set("/p", b"1"), op_delete("/p/x"), op_check("/p"), op_create("/q"))
    for _ in range(6):
        b.event()
    s.say("A multi that fails fires nothing.")
    a.multi(op_set("/p", b"2"), op_check("/missing"))
    b.ping()


@script()
def watch_session_close(s):
    """Closing a session deletes its ephemerals, and the watches on them and on their parents fire."""
    a = s.client("a")
    b = s.client("b")
    b.create("/p")
    a.create("/p/e", flags=EPHEMERAL)
    b.exists("/p/e", watch=True)
    b.children("/p", watch=True)
    a.close_session()
    b.event()
    b.event()
    b.exists("/p")


@script()
def watch_own_session_close(s):
    """A client that closes its session is told what that deletes."""
    a = s.client("a")
    a.create("/e", flags=EPHEMERAL)
    a.get("/e", watch=True)
    a.children("/", watch=True)
    a.close_session()


@script(znode__container__checkIntervalMs="500")
def sweep_of_containers(s):
    """A container goes when it has no child any more; one that never had a child stays. Watches see a delete."""
    a = s.client("a")
    a.create_container("/c")
    a.create_container("/unused")
    a.create("/c/x")
    s.wait(1500)
    a.get("/c", watch=True)
    a.delete("/c/x")
    s.wait(1500)
    a.event()
    a.exists("/c")
    a.children2("/")


@script(znode__container__checkIntervalMs="500", extendedTypesEnabled="true")
def sweep_of_ttl_znodes(s):
    """A TTL znode goes when it has no child and its data was not set for longer than the ttl."""
    a = s.client("a")
    a.create_ttl("/t", 300)
    a.create_ttl("/long", 100000)
    a.exists("/t", watch=True)
    s.wait(1500)
    a.event()
    a.exists("/t")
    a.create_ttl("/parent", 300)
    a.create("/parent/x")
    s.wait(1500)
    a.exists("/parent", watch=True)
    a.delete("/parent/x")
    s.wait(1500)
    a.event()
    s.say("setData starts the time anew.")
    a.create_ttl("/set", 2000)
    s.wait(1300)
    a.set("/set", b"x")
    s.wait(1300)
    a.exists("/set")
    s.wait(2000)
    a.exists("/set")
    a.children("/")


@script()
def set_watches(s):
    """What a client missed, told for each list of setWatches; what it did not miss is watched again. The events
    have zxid -1."""
    a = s.client("a")
    for path in ("/same", "/changed", "/children", "/gone"):
        a.create(path)
    a.exists("/")
    s.say("Seen so far: 5.")
    a.set("/changed", b"1")
    a.create("/children/x")
    a.delete("/gone")
    a.create("/new")
    b = s.client("b")
    b.set_watches(5, data=["/same", "/changed", "/children", "/gone"])
    b.set_watches(5, exist=["/new", "/gone"])
    b.set_watches(5, child=["/same", "/changed", "/children", "/gone"])
    s.say("Those that were left are armed.")
    for path in ("/same", "/changed", "/children"):
        b.check_watches(path, DATA)
        b.check_watches(path, CHILDREN)
    b.check_watches("/gone", DATA)
    a.create("/gone")
    b.event()
    a.set("/same", b"1")
    b.event()
    a.create("/same/x")
    b.event()


@script()
def set_watches_after_reattach(s):
    """What a client sends when it comes back, all at once: the handshake, auth, its watches, its requests."""
    a = s.client("a")
    a.auth("digest", b"u:p")
    a.create("/p", acl=[(31, "auth", "")])
    a.get("/p", watch=True)
    a.children("/p", watch=True)
    a.closes()
    b = s.client("b")
    b.auth("digest", b"u:p")
    b.set("/p", b"missed")
    c = s.open("c")
    c.ask_session(session="a", seen=2)
    c.send(100, int32(0) + buffer("digest") + buffer(b"u:p"), "auth digest u:p", xid=-4)
    c.send(101, c.at(2) + int32(1) + buffer("/p") + int32(0) + int32(1) + buffer("/p"),
           "setWatches relativeZxid 2 data [/p] exist [] child [/p]", xid=-8)
    c.send(4, buffer("/p") + ["00"], "getData /p")
    c.connect_response()
    for op in (100, 101, 4):
        c.reply(BODIES[op])
    b.create("/p/x")
    c.event()


@script()
def set_watches_edges(s):
    """zxids at the edge, lists that are empty, paths that are odd, permissions."""
    a = s.client("a")
    a.create("/p")
    a.set("/p", b"1")
    a.set_watches(2, data=["/p"])
    a.set_watches(3, data=["/p"])
    a.check_watches("/p", DATA)
    a.set_watches(0, data=["/p"], child=["/p"])
    a.set_watches(-1, data=["/"])
    a.set_watches(1000, data=["/"], child=["/"])
    a.set_watches(3)
    a.set_watches(3, data=["", "relative", "/p/"], exist=[""], child=[""])
    s.say("Nobody asks whether the znode may be read.")
    a.create("/closed", acl=[(2, "world", "anyone")])
    a.set_watches(3, data=["/closed"], exist=["/closed"], child=["/closed"])
    s.say("With an xid of its own.")
    a.set_watches(3, exist=["/p"], xid=12)


@script()
def set_watches_null(s):
    """A null list, and a null path in a list."""
    a = s.client("a")
    a.set_watches(1, data=None)
    a.set_watches(1, exist=None)
    a.set_watches(1, child=None)
    a.call(105, int64(1) + int32(0) * 3 + int32(-1) + int32(0), "setWatches2 with a null list of persistent ones", xid=-8)
    a.set_watches(1, data=[None])
    a.exists("/")


@script()
def set_watches2(s):
    """setWatches2 sets persistent and recursive watches again, without events for what they missed."""
    a = s.client("a")
    a.create("/p")
    a.set("/p", b"1")
    b = s.client("b")
    b.set_watches(2, data=["/p"], exist=["/p"], child=["/gone"], persistent=["/p", "/gone"],
                  recursive=["/p", "/gone"])
    b.check_watches("/p", PERSISTENT_WATCH)
    b.check_watches("/p", RECURSIVE)
    b.check_watches("/gone", PERSISTENT_WATCH)
    b.check_watches("/gone", RECURSIVE)
    a.set("/p", b"2")
    b.event()
    a.create("/p/x")
    b.event()
    b.event()
    b.set_watches(2, persistent=[], recursive=[])


@script()
def watch_order(s):
    """Pipelined writes of a watcher: each event comes before the reply of its write."""
    a = s.client("a")
    a.create("/p")
    a.add_watch("/p", PERSISTENT_MODE)
    for _ in range(3):
        a.send(5, buffer("/p") + buffer(b"") + int32(-1), "setData /p \"\" version -1")
    for _ in range(3):
        a.reply(BODIES[5])
