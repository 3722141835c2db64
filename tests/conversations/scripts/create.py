"""create, create2, createContainer, createTTL."""

from recorder.requests import (CONTAINER, EPHEMERAL, EPHEMERAL_SEQUENTIAL, OPEN, PERSISTENT, READ_ONLY_ACL, SEQUENTIAL,
                               TTL, TTL_SEQUENTIAL, op_create)

from .script import script

MOST_TTL = (1 << 40) - 1


@script()
def create(s):
    """create makes a znode of each mode that needs no setting. The reply carries the path; the parent
    counts a child more, and its pzxid is the zxid of the create."""
    a = s.client("a")
    a.create("/p")
    a.exists("/p")
    a.create("/p/persistent", b"data")
    a.create("/p/ephemeral", b"data", flags=EPHEMERAL)
    a.create("/p/sequential-", b"data", flags=SEQUENTIAL)
    a.create("/p/both-", b"data", flags=EPHEMERAL_SEQUENTIAL)
    a.create("/p/container", b"data", flags=CONTAINER)
    a.children2("/p")
    for name in ("persistent", "ephemeral", "sequential-0000000002", "both-0000000003", "container"):
        a.get(f"/p/{name}")


@script()
def create2(s):
    """create2 answers with the path and the Stat."""
    a = s.client("a")
    a.create2("/p", b"data")
    a.create2("/p/ephemeral", None, flags=EPHEMERAL)
    a.create2("/p/sequential-", b"", flags=SEQUENTIAL)
    a.create2("/p/both-", b"xyz", flags=EPHEMERAL_SEQUENTIAL)
    a.create2("/p/container", b"data", flags=CONTAINER)
    a.create2("/p", b"again")
    a.create2("/missing/child", b"")
    a.exists("/p")


@script()
def create_container(s):
    """createContainer answers like create2. A container shows ephemeralOwner 0 and may have children."""
    a = s.client("a")
    a.create_container("/c", b"data")
    a.create_container("/c/inner")
    a.create("/c/inner/leaf")
    a.exists("/c")
    a.create_container("/c")
    a.create_container("/missing/c")


@script(extendedTypesEnabled="true")
def create_ttl(s):
    """createTTL with extended types: 1 to 2^40-1 ms, plain and sequential. ephemeralOwner shows 0."""
    a = s.client("a")
    a.create_ttl("/t", 1000000, b"data")
    a.exists("/t")
    a.create_ttl("/t/s-", 1000000, b"data", flags=TTL_SEQUENTIAL)
    a.create_ttl("/most", MOST_TTL)
    for ttl in (0, -1, MOST_TTL + 1, -(1 << 63), (1 << 63) - 1):
        a.create_ttl("/bad", ttl)
    s.say("The ttl is checked before path, ACL and parent.")
    a.create_ttl("relative", 0)
    a.create_ttl("/missing/x", 0, acl=[])
    a.create_ttl("/missing/x", 1000000)
    a.create_ttl("/t", 1000000)


@script()
def create_ttl_disabled(s):
    """Without extended types a TTL flag is unimplemented, before anything else is looked at."""
    a = s.client("a")
    a.create_ttl("/t", 1000000)
    a.create_ttl("/t", 1000000, flags=TTL_SEQUENTIAL)
    a.create_ttl("/t", 0)
    a.create_ttl("relative", 1000000, acl=[])
    s.say("Flags that need no extended types must not come with a ttl.")
    a.create_ttl("/t", 1000000, flags=PERSISTENT)
    a.create_ttl("/t", 0, flags=CONTAINER)
    s.say("The same with create.")
    a.create("/t", flags=TTL)
    a.create("/t", flags=TTL_SEQUENTIAL)
    a.exists("/t")


@script(extendedTypesEnabled="true")
def create_flags_of_another_operation(s):
    """The opcode and the flags disagree. Apache takes some of these; a server may refuse them."""
    a = s.client("a")
    a.create("/create-ttl", flags=TTL)
    a.create("/create-ttl-", flags=TTL_SEQUENTIAL)
    a.create2("/create2-ttl", flags=TTL)
    for flags in (PERSISTENT, EPHEMERAL, SEQUENTIAL, EPHEMERAL_SEQUENTIAL, TTL, TTL_SEQUENTIAL, 7):
        a.create_container(f"/container-{flags}", flags=flags)
    for flags in (PERSISTENT, EPHEMERAL, SEQUENTIAL, EPHEMERAL_SEQUENTIAL, CONTAINER, 7):
        a.create_ttl(f"/ttl-{flags}", 1000000, flags=flags)
    a.ephemerals(None)
    a.children("/")


@script()
def create_errors(s):
    """Each error of create, one at a time. Each costs a zxid."""
    a = s.client("a")
    s.say("Flags that no mode has.")
    for flags in (7, -1, 100, 1 << 31):
        a.create("/x", flags=flags)
    s.say("Paths.")
    for path in ("relative", "", None, "/a\0b", "//x", "/x/", "/a/./b", "/.", "/..", "/x\x01", "/x\x7f", "/\ud7ff",
                 "/x\ue000", "/x\ufff0"):
        a.create(path)
    s.say("ACL lists.")
    for acl in (None, [], [(31, "world", "nobody")], [(31, "digest", "nocolon")], [(31, "digest", "a:b:c")],
                [(31, "ip", "300.1.1.1")], [(31, "auth", "")], [(31, "nosuch", "x")], [(31, "super", "x")],
                [(31, "sasl", "x")], [(31, "x509", "CN=x")], [(31, None, "anyone")], [(31, "world", None)]):
        a.create("/x", acl=acl)
    s.say("The rest of the tree.")
    a.create("/missing/x")
    a.create("/")
    a.create("/zookeeper")
    a.create("/zookeeper/quota")
    a.create("/readonly", acl=READ_ONLY_ACL)
    a.create("/readonly/x")
    a.create("/e", flags=EPHEMERAL)
    a.create("/e/x")
    a.create("/e/x", flags=SEQUENTIAL)
    a.create("/e")
    a.exists("/x")


@script(extendedTypesEnabled="true", enforceQuota="true")
def create_errors_of_its_kin(s):
    """create2, createContainer and createTTL have the errors of create."""
    a = s.client("a")
    a.create("/readonly", acl=READ_ONLY_ACL)
    a.create("/e", flags=EPHEMERAL)
    a.create("/q")
    a.create("/zookeeper/quota/q")
    a.create("/zookeeper/quota/q/zookeeper_limits", "count=-1,bytes=-1=;byteHardLimit=1;countHardLimit=1")
    a.create("/zookeeper/quota/q/zookeeper_stats")
    for op, flags, ttl in ((15, PERSISTENT, None), (19, CONTAINER, None), (21, TTL, 100000)):
        s.say(f"Operation {op}.")
        a.create("/x", op=op, ttl=ttl, flags=9)
        for path in ("relative", "/a\0b", "/.", "/missing/x", "/readonly/x", "/e", "/e/x", "/q/x"):
            a.create(path, op=op, ttl=ttl, flags=flags)
        a.create("/x", op=op, ttl=ttl, flags=flags, acl=[])


@script()
def create_check_order(s):
    """Two errors apply; the reply tells which is checked first: flags, slash and NUL, ACL list, parent, permission,
    path syntax, existence, ephemeral parent."""
    a = s.client("a")
    a.create("/readonly", acl=READ_ONLY_ACL)
    a.create("/e", flags=EPHEMERAL)
    s.say("Flags before all others.")
    a.create("relative", flags=7)
    a.create("/x", flags=7, acl=[])
    s.say("No slash and NUL before the ACL list.")
    a.create("relative", acl=[])
    a.create("/a\0", acl=[])
    s.say("The ACL list before the parent, its permissions, the syntax, existence, ephemeral parents.")
    a.create("/missing/x", acl=[])
    a.create("/readonly/x", acl=[])
    a.create("/x/", acl=[])
    a.create("/readonly", acl=[])
    a.create("/e/x", acl=[])
    s.say("The parent before the syntax: the parent of /x//y is /x/.")
    a.create("/x//y")
    a.create("/missing/.")
    s.say("Permission before syntax and existence.")
    a.create("/readonly/..")
    a.create("/readonly/")
    s.say("Syntax before the ephemeral parent.")
    a.create("/e/.")
    s.say("Without slash: the last slash decides what the parent is.")
    a.create("relative/x")
    a.create("readonly/x")


@script()
def create_data(s):
    """Null and empty data are kept apart; data is bytes."""
    a = s.client("a")
    a.create("/null", None)
    a.create("/empty", b"")
    a.create("/bytes", bytes(range(256)))
    for path in ("/null", "/empty", "/bytes"):
        a.get(path)
    a.set("/bytes", None)
    a.get("/bytes")
    a.set("/null", b"")
    a.get("/null")


@script()
def create_sequence(s):
    """The number of a sequential znode counts the children that its parent ever had, of any kind."""
    a = s.client("a")
    a.create("/p")
    a.create("/p/s", flags=SEQUENTIAL)
    a.create("/p/plain")
    a.create("/p/e", flags=EPHEMERAL)
    a.create("/p/s", flags=SEQUENTIAL)
    a.delete("/p/plain")
    a.delete("/p/s0000000003")
    a.create("/p/s", flags=SEQUENTIAL)
    s.say("A failed create does not count.")
    a.create("/p/e")
    a.create("/p/other-", flags=EPHEMERAL_SEQUENTIAL)
    s.say("The path may end with a slash; without the number it would be wrong. The root has had /zookeeper.")
    a.create("/p/", flags=SEQUENTIAL)
    a.create("/", flags=SEQUENTIAL)
    a.create("/top-", flags=SEQUENTIAL)
    a.create("", flags=SEQUENTIAL)
    s.say("Changing the data does not count. The numbered path may exist already.")
    a.set("/p", b"x")
    a.create("/p/n0000000008")
    a.create("/p/x0000000009", flags=EPHEMERAL)
    a.create("/p/n", flags=SEQUENTIAL)
    a.create("/p/taken0000000009")
    a.children2("/p")
    s.say("Syntax is checked with the number.")
    a.create("/p/.", flags=SEQUENTIAL)
    a.create("/p/\x01", flags=SEQUENTIAL)
    a.create("/p//", flags=SEQUENTIAL)


@script()
def create_sequence_taken(s):
    """The znode with the next number is there already."""
    a = s.client("a")
    a.create("/p")
    a.create("/p/x0000000001")
    a.create("/p/x", flags=SEQUENTIAL)
    a.create("/p/x", flags=SEQUENTIAL)
    a.children2("/p")


@script()
def paths(s):
    """Which paths a write takes. Dots that are not alone, spaces and letters of all sorts are fine."""
    a = s.client("a")
    for path in ("/...", "/.a", "/a.", "/ ", "/a b", "/%2f", "/\u00e9", "/\u4e2d", "/\uf900", "/\uffef", "/~", "/\\",
                 "/:"):
        a.create(path)
    s.say("The edges of what is forbidden.")
    for path in ("/\x1f", "/\x20x", "/\x7e", "/\x7f", "/\x9f", "/\xa0", "/\ud7fe", "/\ue000", "/\uf8ff", "/\ufff0",
                 "/\uffff"):
        a.create(path)
    s.say("Bytes that are no UTF-8, a character beyond the first plane, and surrogates in three bytes each.")
    for data in (b"/\xff", b"/\xc3", b"/\xf0\x9f\x98\x80", b"/\xed\xa0\xbd\xed\xb8\x80", b"/\xc0\x80", b"/a\xe4\xb8"):
        a.create(data)
    a.children("/")
    s.say("setData and setACL check the same, delete does not.")
    for path in ("//", "/ /", "/./x", "relative"):
        a.set(path, b"")
        a.set_acl(path, OPEN)
        a.delete(path)


@script()
def paths_of_reads(s):
    """Reads do not check a path: what is not there is not there. The empty path is the root."""
    a = s.client("a")
    a.create("/p")
    for path in ("", "/p/", "p", "//", "/p//x", "/.", "/\x01", b"/\xff"):
        a.exists(path)
        a.get(path)
        a.children(path)
    for path in ("", "/p/", "relative"):
        a.children2(path)
        a.get_acl(path)
        a.count(path)
    s.say("NUL.")
    for read in (a.exists, a.get, a.children, a.children2, a.get_acl, a.count):
        read("/a\0b")


@script()
def paths_null(s):
    """A null path, in each operation that has a path."""
    a = s.client("a")
    a.create(None)
    a.create2(None)
    a.create_container(None)
    a.create_ttl(None, 1000)
    a.delete(None)
    a.set(None, b"")
    a.set_acl(None, OPEN)
    a.sync(None)
    for read in (a.exists, a.get, a.children, a.children2, a.get_acl, a.count):
        read(None)


@script()
def create_flags_disabled(s):
    """Without extended types: flags of a TTL with each operation of the kin, alone and in a multi."""
    a = s.client("a")
    for op in (1, 15, 19):
        for flags in (TTL, TTL_SEQUENTIAL, 7):
            a.create("/x", op=op, flags=flags)
            a.create("relative", op=op, flags=flags, acl=[])
            a.multi(op_create("/x", op=op, flags=flags))
    for ttl in (0, 1, MOST_TTL + 1):
        a.multi(op_create("/x", op=21, flags=TTL, ttl=ttl))
    a.multi(op_create("relative", op=21, flags=TTL, ttl=1, acl=[]))
    a.multi(op_create("/x", op=21, flags=9, ttl=1))
    a.children2("/")


@script()
def create_ephemerals_of_two(s):
    """An ephemeral is its session's: another one cannot make it again until it is gone, and may write it."""
    a = s.client("a")
    b = s.client("b")
    a.create("/e", b"a", flags=EPHEMERAL)
    b.create("/e", b"b", flags=EPHEMERAL)
    b.set("/e", b"b")
    b.get("/e")
    b.multi(op_create("/f", flags=EPHEMERAL), op_create("/g-", flags=EPHEMERAL_SEQUENTIAL))
    a.delete("/f")
    b.ephemerals(None)
    a.close_session()
    b.create2("/e", b"b", flags=EPHEMERAL)
    b.close_session()
    c = s.client("c")
    c.children2("/")
