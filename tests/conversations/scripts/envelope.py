"""Headers, unknown operations, bodies that do not decode."""

from recorder.replies import BODIES
from recorder.requests import EPHEMERAL, OPEN, op_get
from recorder.tokens import acl_entry, boolean, buffer, int32, int64, vector

from .script import script


@script()
def xids(s):
    """The server echoes any xid, in any order, and answers a ping with -2."""
    a = s.client("a")
    for xid in (5, 5, 1, 0, -3, -8, 0x7fffffff, -0x80000000):
        a.exists("/", xid=xid)
    a.create("/p", xid=-7)
    for xid in (-2, 0, 1, 77):
        a.ping(xid=xid)
    a.call(11, ["00ff"], "ping with a body", xid=-2)
    a.auth("digest", b"u:p", xid=9)


@script()
def unknown_operations(s):
    """A type that the server does not know: -6 with zxid -1, and the connection closes."""
    for number, op in enumerate((10, 23, 99, 108, 110, 500, 0x7fffffff, -1, -2, -9, -12, -0x80000000)):
        client = s.client(f"c{number}")
        client.call(op, [], f"operation {op}")
        client.is_closed()
    d = s.client("d")
    d.call(99, [], "operation 99", xid=-4)
    d.is_closed()
    s.say("What was pipelined behind it is dropped, what was before it is answered.")
    e = s.client("e")
    e.send(3, buffer("/") + boolean(False), "exists /")
    e.send(99, [], "operation 99")
    e.send(3, buffer("/") + boolean(False), "exists /")
    e.reply(BODIES[3])
    e.reply(BODIES[11])
    e.is_closed()


@script()
def notification_from_a_client(s):
    """Type 0 is for events."""
    a = s.client("a")
    a.call(0, [], "notification")
    a.is_closed()
    b = s.client("b")
    b.call(0, int32(3) + int32(3) + buffer("/"), "notification with a body", xid=-4)
    b.is_closed()


@script()
def check_alone(s):
    """check is an operation of a multi only."""
    a = s.client("a")
    a.create("/p")
    a.call(13, buffer("/p") + int32(0), "check /p version 0")
    a.is_closed()


@script()
def create_session_from_a_client(s):
    """Apache takes a client's createSession as one for the same connection; a server may refuse it."""
    a = s.client("a")
    a.create("/e", flags=EPHEMERAL)
    a.send(-10, int32(4000), "createSession timeOut 4000")
    a.connect_response()
    a.ephemerals(None)
    a.call(-10, [], "createSession with an empty body")


@script()
def delete_container_from_a_client(s):
    """Apache runs a client's deleteContainer; a server may refuse it."""
    a = s.client("a")
    a.create_container("/c")
    a.create("/p")
    a.create("/p/x")
    for path in ("/c", "/missing", "/p"):
        a.call(20, buffer(path), f"deleteContainer {path}")
    a.children("/")


BODIES_WITH_FIELDS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 101, 103, 104, 105, 106)


@script()
def undecodable_empty(s):
    """Bodies that end before they begin. The connection stays open; only a multi costs a zxid."""
    a = s.client("a")
    for op in BODIES_WITH_FIELDS:
        a.call(op, [], f"operation {op} with an empty body")
    a.exists("/")


@script()
def undecodable_short(s):
    """Bodies that lack their last field, or say a length that is not there."""
    a = s.client("a")
    a.create("/p")
    a.call(1, buffer("/x") + buffer(b"") + vector(OPEN, acl_entry), "create /x without flags")
    a.call(1, buffer("/x") + buffer(b"") + int32(2) + acl_entry(OPEN[0]), "create /x with half an ACL list")
    a.call(2, buffer("/p"), "delete /p without a version")
    a.call(5, buffer("/p") + buffer(b"x"), "setData /p without a version")
    a.call(3, buffer("/p"), "exists /p without a watch")
    a.call(4, buffer("/p"), "getData /p without a watch")
    a.call(4, int32(-2), "getData of a path of length -2")
    a.call(4, int32(100) + ['"/p"'], "getData of a path that is shorter than its length")
    a.call(4, int32(0x7fffffff) + ['"/p"'], "getData of a path of length 2147483647")
    a.call(1, buffer("/x") + int32(-2) + vector(OPEN, acl_entry) + int32(0), "create /x with data of length -2")
    a.call(1, buffer("/x") + buffer(b"") + int32(-2) + int32(0), "create /x with an ACL list of -2")
    a.call(1, buffer("/x") + buffer(b"") + int32(0x7fffffff) + int32(0), "create /x with an ACL list of 2147483647")
    a.call(101, int32(0) + int32(0) + int32(0), "setWatches with one list of three")
    a.call(21, buffer("/x") + buffer(b"") + vector(OPEN, acl_entry) + int32(5), "createTTL /x without a ttl")
    a.call(106, buffer("/p"), "addWatch /p without a mode")
    a.exists("/p")


@script()
def trailing_bytes(s):
    """What follows the fields of a request is ignored."""
    a = s.client("a")
    a.call(1, buffer("/p") + buffer(b"") + vector(OPEN, acl_entry) + int32(0) + ["deadbeef"],
           "create /p and 4 bytes more")
    a.call(4, buffer("/p") + boolean(False) + ["00"], "getData /p and a byte more")
    a.call(5, buffer("/p") + buffer(b"x") + int32(-1) + ["ff" * 9], "setData /p and 9 bytes more")
    a.call(107, ["00"], "whoAmI and a byte more")
    s.say("Any byte that is not 0 is true.")
    a.call(4, buffer("/p") + ["02"], "getData /p watch 2")
    a.set("/p", b"y")
    s.say("A list read has its end header, and more.")
    words, kind, body = op_get("/p")
    a.call(22, int32(kind) + boolean(False) + int32(-1) + body + int32(-1) + boolean(True) + int32(-1) + ["00"],
           f"multiRead {words} and a byte more")
    a.delete("/p")


@script()
def pipelined(s):
    """Replies come in the order of the requests; a read behind a write sees it."""
    a = s.client("a")
    a.send(1, buffer("/p") + buffer(b"0") + vector(OPEN, acl_entry) + int32(0), "create /p \"0\"")
    a.send(4, buffer("/p") + boolean(False), "getData /p")
    a.send(5, buffer("/p") + buffer(b"12") + int32(0), "setData /p \"12\" version 0")
    a.send(11, [], "ping", xid=-2)
    a.send(5, buffer("/p") + buffer(b"345") + int32(0), "setData /p \"345\" version 0")
    a.send(4, buffer("/p") + boolean(False), "getData /p")
    a.send(2, buffer("/p") + int32(1), "delete /p version 1")
    a.send(3, buffer("/p") + boolean(False), "exists /p")
    for op in (1, 4, 5, 11, 5, 4, 2, 3):
        a.reply(BODIES[op])


@script()
def undecodable_cut(s):
    """Every operation without the last byte of its body. Where the connection closes, there is a new one."""
    a = s.client("a")
    a.create("/p")
    whole = {
        1: buffer("/x") + buffer(b"") + vector(OPEN, acl_entry) + int32(0),
        2: buffer("/p") + int32(-1), 3: buffer("/p") + boolean(False), 4: buffer("/p") + boolean(False),
        5: buffer("/p") + buffer(b"") + int32(-1), 6: buffer("/p"), 7: buffer("/p") + vector(OPEN, acl_entry) + int32(-1),
        8: buffer("/p") + boolean(False), 9: buffer("/p"), 12: buffer("/p") + boolean(False),
        14: int32(13) + boolean(False) + int32(-1) + buffer("/p") + int32(-1) + int32(-1) + boolean(True) + int32(-1),
        15: buffer("/x") + buffer(b"") + vector(OPEN, acl_entry) + int32(0),
        16: buffer(None) + buffer(None) + buffer(None) + int64(-1), 17: buffer("/p") + int32(3),
        18: buffer("/p") + int32(3), 19: buffer("/x") + buffer(b"") + vector(OPEN, acl_entry) + int32(4),
        20: buffer("/p"), 21: buffer("/x") + buffer(b"") + vector(OPEN, acl_entry) + int32(5) + int64(1),
        22: int32(4) + boolean(False) + int32(-1) + buffer("/p") + boolean(False) + int32(-1) + boolean(True) + int32(-1),
        101: int64(0) + int32(0) * 3, 103: buffer("/"), 104: buffer("/p"), 105: int64(0) + int32(0) * 5,
        106: buffer("/p") + int32(0),
    }
    for op, tokens in whole.items():
        data = b"".join(t[1:-1].encode() if t.startswith('"') else bytes.fromhex(t) for t in tokens)
        a.raw_call(op, data[:-1], f"operation {op} without its last byte")
    a.exists("/")
    a.exists("/p")


@script()
def text_that_is_no_utf8(s):
    """Bytes that are no UTF-8 become U+FFFD, which comes back."""
    a = s.client("a")
    for path in (b"/\xff", b"/\xc3(", b"/\xf0\x9f\x98", b"/\xe4\xb8x", b"/\xf8\x88\x80\x80\x80", b"/\xc0\xaf",
                 b"/\xf4\x90\x80\x80", "/\u00e9\u4e2d"):
        a.sync(path)
        a.exists(path)
    s.say("In an id.")
    a.create("/p", acl=[(31, "digest", b"u:\xff"), (31, "world", "anyone")])
    a.get_acl("/p")
    a.auth("digest", b"\xff:\xff")
    a.who_am_i()
    a.set_acl("/p", [(31, "auth", "")])
    a.get_acl("/p")
    s.say("A scheme.")
    a.create("/q", acl=[(31, b"world\xff", "anyone")])


@script()
def text_beyond_the_first_plane(s):
    """Java takes a character beyond the first plane apart when it answers: two surrogates in three bytes each. It does not
    take them back."""
    a = s.client("a")
    a.sync(b"/\xf0\x9f\x98\x80")
    a.create("/p", acl=[(31, "digest", b"\xf0\x9f\x98\x80:x"), (31, "world", "anyone")])
    a.get_acl("/p")
    a.sync(b"/\xed\xa0\xbd\xed\xb8\x80")
