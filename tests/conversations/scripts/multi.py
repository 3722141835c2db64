"""multi and multiRead."""

from recorder.requests import (CONTAINER, EPHEMERAL, EPHEMERAL_SEQUENTIAL, OPEN, PERSISTENT, READ_ONLY_ACL, SEQUENTIAL,
                               TTL, TTL_SEQUENTIAL, op_check, op_children, op_create, op_delete, op_get, op_set)
from recorder.tokens import acl_entry, boolean, buffer, int32, vector

from .script import script


@script(extendedTypesEnabled="true")
def multi(s):
    """Each operation of a multi succeeds. All share one zxid and one time; the kinds of create that carry a
    Stat answer as 15."""
    a = s.client("a")
    a.multi(op_create("/p", b"data"), op_create("/p/two", b"", op=15), op_create("/p/c", flags=CONTAINER, op=19),
            op_create("/p/t", flags=TTL, op=21, ttl=100000))
    a.multi(op_check("/p", 0), op_set("/p", b"x", 0), op_check("/p", 1), op_delete("/p/two", 0))
    a.children2("/p")
    a.get("/p/t")
    s.say("One operation alone.")
    a.multi(op_check("/p"))
    a.multi(op_delete("/p/t"))


@script()
def multi_sees_itself(s):
    """Later operations see what earlier ones did."""
    a = s.client("a")
    a.multi(op_create("/p"), op_create("/p/c"), op_set("/p/c", b"1", 0), op_set("/p/c", b"2", 1),
            op_create("/p/s-", flags=SEQUENTIAL), op_create("/p/s-", flags=SEQUENTIAL), op_delete("/p/c", 2),
            op_create("/p/c", b"new"), op_check("/p/c", 0))
    a.children2("/p")
    a.get("/p/c")
    a.multi(op_create("/q"), op_delete("/q"))
    a.exists("/q")
    a.exists("/")
    s.say("An ephemeral takes no child in the same multi either.")
    a.multi(op_create("/e", flags=EPHEMERAL), op_create("/e/x"))
    a.multi(op_create("/e", flags=EPHEMERAL), op_check("/e", 0))
    a.exists("/e")


@script()
def multi_failures(s):
    """One operation fails: nothing happens, those before it say 0, those after it -2."""
    a = s.client("a")
    a.create("/p")
    a.create("/p/x")
    a.create("/readonly", acl=READ_ONLY_ACL)
    a.create("/closed", acl=[(2 | 16, "world", "anyone")])
    a.create("/e", flags=EPHEMERAL)
    good = op_set("/p", b"never")
    s.say("create.")
    for op in (op_create("/p"), op_create("/missing/x"), op_create("/readonly/x"), op_create("/e/x"),
               op_create("/x", acl=[]), op_create("/x", flags=9), op_create("relative"), op_create("/x//y"),
               op_create("/p/."), op_create("/x", flags=TTL, op=21, ttl=5)):
        a.multi(good, op, good)
    s.say("delete.")
    for op in (op_delete("/missing"), op_delete("/p"), op_delete("/p/x", 3), op_delete("/readonly/x"), op_delete("/"),
               op_delete("x")):
        a.multi(good, op, good)
    s.say("setData.")
    for op in (op_set("/missing", b""), op_set("/readonly", b""), op_set("/p/x", b"", 2), op_set("/p/", b"")):
        a.multi(good, op, good)
    s.say("check.")
    for op in (op_check("/missing"), op_check("/p/x", 1), op_check("/closed"), op_check("/closed", 8), op_check("/p/"),
               op_check("relative"), op_check("/p", -2)):
        a.multi(good, op, good)
    s.say("First, last, and two of them.")
    a.multi(op_check("/missing"), good)
    a.multi(good, good, op_check("/missing"))
    a.multi(op_check("/p", 5), op_check("/missing"), good)
    a.get("/p")


@script(extendedTypesEnabled="true")
def multi_flags_of_another_operation(s):
    """The opcode and the flags disagree within a multi. Apache goes by the flags, more than outside of one."""
    a = s.client("a")
    kinds = ((1, CONTAINER), (15, CONTAINER), (19, PERSISTENT), (19, EPHEMERAL), (19, SEQUENTIAL),
             (19, EPHEMERAL_SEQUENTIAL), (1, TTL), (15, TTL), (19, TTL), (19, TTL_SEQUENTIAL))
    for number, (op, flags) in enumerate(kinds):
        a.multi(op_create(f"/{number}-", flags=flags, op=op))
    for number, flags in enumerate((PERSISTENT, EPHEMERAL, SEQUENTIAL, EPHEMERAL_SEQUENTIAL, CONTAINER), 10):
        a.multi(op_create(f"/{number}-", flags=flags, op=21, ttl=100000))
    a.multi(op_create("/bad", flags=TTL, op=21, ttl=0))
    a.multi(op_create("/bad", flags=9, op=21, ttl=100000))
    a.multi(op_create("/bad", flags=9, op=19))
    a.multi(op_create("/bad", flags=9, op=15))
    a.children("/")
    a.ephemerals(None)


@script()
def multi_null_path(s):
    """A null path within a multi."""
    a = s.client("a")
    a.create("/p")
    for op in (op_create(None), op_delete(None), op_set(None, b""), op_check(None)):
        a.multi(op_set("/p", b"x"), op)
    a.get("/p")


@script()
def multi_rollback(s):
    """After a failed multi the tree is as before, also for what comes pipelined behind it."""
    a = s.client("a")
    a.create("/p")
    a.multi(op_create("/p/a"), op_create("/p/s-", flags=SEQUENTIAL), op_delete("/p/a"),
            op_create("/e", flags=EPHEMERAL), op_set("/p", b"x"), op_check("/p", 0))
    a.children2("/p")
    a.ephemerals(None)
    a.create("/p/s-", flags=SEQUENTIAL)
    a.set("/p", b"y", 0)
    a.exists("/e")
    a.exists("/")


@script()
def multi_empty(s):
    """A multi of nothing costs a zxid, a multiRead of nothing does not."""
    a = s.client("a")
    a.multi()
    a.multi_read()
    a.exists("/")


@script()
def multi_mixed(s):
    """Kinds that do not go together, and types that no multi takes."""
    a = s.client("a")
    a.create("/p")
    a.multi(op_set("/p", b"x"), op_get("/p"))
    a.multi(op_get("/p"))
    a.multi(op_children("/p"))
    a.multi_read(op_get("/p"), op_set("/p", b"x"))
    a.multi_read(op_check("/p"))
    a.multi(("exists /p", 3, buffer("/p") + boolean(False)))
    a.multi_read(("exists /p", 3, buffer("/p") + boolean(False)))
    a.multi_read(("getChildren2 /p", 12, buffer("/p") + boolean(False)))
    a.multi(("setACL /p", 7, buffer("/p") + vector(OPEN, acl_entry) + int32(-1)))
    a.multi(("deleteContainer /p", 20, buffer("/p")))
    a.multi(("sync /p", 9, buffer("/p")))
    s.say("A multi within a multi.")
    a.multi(("multi", 14, int32(-1) + boolean(True) + int32(-1)))
    a.multi(("type -1", -1, int32(0)))
    a.get("/p")


@script()
def multi_undecodable(s):
    """A multi that ends too early, and headers that say odd things."""
    a = s.client("a")
    a.create("/p")
    check = buffer("/p") + int32(0)
    head, end = int32(13) + boolean(False) + int32(-1), int32(-1) + boolean(True) + int32(-1)
    a.call(14, head, "multi with a header alone")
    a.call(14, head + check, "multi without its end")
    a.call(14, head + buffer("/p") + end, "multi whose check has no version")
    a.call(14, int32(-1) + boolean(True), "multi with half an end")
    a.call(14, head + check + int32(5) + boolean(True) + int32(7), "multi whose end has a type and an error")
    a.call(14, int32(13) + boolean(False) + int32(0) + check + end, "multi whose operation has an error")
    a.call(14, head + check + end + ["ffff"], "multi and two bytes more")
    a.call(14, int32(-1) + boolean(False) + int32(-1) + end, "multi whose end is not done")


@script()
def multi_read(s):
    """Each read of a multiRead answers for itself. The watch flag does nothing."""
    a = s.client("a")
    a.create("/p", b"data")
    a.create("/p/x", None)
    a.create("/closed", acl=[(2 | 4, "world", "anyone")])
    a.multi_read(op_get("/p"), op_children("/p"), op_get("/p/x"), op_children("/p/x"))
    a.multi_read(op_get("/missing"), op_get("/p"), op_children("/missing"), op_get("/closed"), op_children("/closed"),
                 op_children("/"))
    a.multi_read(op_get("/p", watch=True), op_children("/p", watch=True))
    a.check_watches("/p", 3)
    a.set("/p", b"no event")
    a.multi_read(op_get(""), op_get("relative"), op_get("/p/"))
    a.multi_read(op_get("/p"), op_get(None))
    a.multi_read(op_children(None))
