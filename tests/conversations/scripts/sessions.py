"""The handshake, re-attaching, closing and expiry."""

from recorder.replies import BODIES
from recorder.requests import EPHEMERAL, OPEN
from recorder.tokens import acl_entry, boolean, buffer, int32, vector

from .script import script


@script()
def connect(s):
    """The handshake with and without readOnly, which is echoed as present or absent and never as true.
    The protocol version does not matter, and what follows the fields is ignored."""
    s.client("a", read_only=False)
    s.client("b", read_only=True)
    s.client("c", read_only=None)
    s.client("d", protocol=7)
    s.client("e", protocol=-1, tail=b"\x01\x02\x03")
    s.client("f", seen=-1)
    s.client("g", seen=3)


@script()
def connect_passwords(s):
    """A new session takes a password of any length, and none."""
    s.client("a", password=b"")
    s.client("b", password=None)
    s.client("c", password=b"\xab\xcd\xef")
    s.client("d", password=bytes(range(32)))


@script(minSessionTimeout="3000", maxSessionTimeout="50000")
def connect_timeouts_configured(s):
    """The session timeout is clamped to what the configuration says."""
    for name, timeout in zip("abcd", (1, 3000, 50000, 50001)):
        s.client(name, timeout=timeout)


@script()
def connect_timeouts(s):
    """The session timeout is clamped to 2 and 20 ticks of 2000 ms."""
    for name, timeout in zip("abcdefghi", (0, -1, 1, 3999, 4000, 4001, 40000, 40001, 0x7fffffff)):
        s.client(name, timeout=timeout)


@script()
def connect_ahead(s):
    """A client that has seen a later zxid than the server is turned away without a word."""
    a = s.client("a")
    a.create("/p")
    b = s.open("b")
    b.ask_session(seen=3)
    b.is_closed()
    s.client("c", seen=2)
    d = s.open("d")
    d.ask_session(session="a", seen=1000)
    d.is_closed()
    s.say("That costs no zxid, and the session of a is still with a.")
    a.exists("/p")


@script()
def connect_pipelined(s):
    """Requests behind a ConnectRequest are answered once the session is there."""
    a = s.open("a")
    a.ask_session()
    a.send(15, buffer("/p") + buffer(b"") + vector(OPEN, acl_entry) + int32(0), "create2 /p")
    a.send(4, buffer("/p") + boolean(False), "getData /p")
    a.connect_response()
    a.reply(BODIES[15])
    a.reply(BODIES[4])


@script()
def connect_twice(s):
    """A second ConnectRequest is a request of type 0 to the server."""
    a = s.client("a")
    a.ask_session()
    a.reply(BODIES[11])
    a.is_closed()
    s.say("Its type is the high half of lastZxidSeen: 11 is a ping.")
    b = s.client("b")
    b.write(["00000000", "0000000b00000000", "00002710", "0000000000000000", "00000000"],
            "ConnectRequest lastZxidSeen 47244640256, no readOnly")
    b.reply(BODIES[11])


@script()
def connect_undecodable(s):
    """First frames that are no ConnectRequest."""
    for name, frame in (("a", []), ("b", ["00"]), ("c", ["00000000"]),
                        ("d", ["00000000", "0000000000000000", "00002710"])):
        client = s.open(name)
        client.write(frame, f"{sum(map(len, frame)) // 2} bytes")
        client.is_closed()
    e = s.open("e")
    e.write(["00000000", "0000000000000000", "00002710", "0000000000000000", "fffffffe"], "a password of length -2")
    e.is_closed()
    f = s.open("f")
    f.write(["00000000", "0000000000000000", "00002710", "0000000000000000", "00000010", "00" * 8], "half a password")
    f.is_closed()


@script(jute__maxbuffer="1024")
def frames(s):
    """A frame is as long as jute.maxbuffer at most. Nobody is told why a connection closes."""
    a = s.client("a")
    s.say("A request of 1024 bytes, and one of 1025.")
    data = 1024 - 8 - 6 - 4 - 27 - 4
    a.create("/p", b"x" * data)
    b = s.client("b")
    b.write(int32(1) + int32(1) + buffer("/p") + buffer(b"y" * (data + 1)) + vector(OPEN, acl_entry) + int32(0),
            "create /p, 1025 bytes")
    b.is_closed()
    for name, length in (("c", "ffffffff"), ("d", "80000000"), ("e", "7fffffff"), ("f", "00000401")):
        client = s.client(name)
        client.write_unframed(bytes.fromhex(length), f"the length {length}")
        client.is_closed()
    g = s.client("g")
    g.write([], "an empty frame")
    g.is_closed()
    h = s.client("h")
    h.write(["00000001", "000000"], "half a header")
    h.is_closed()
    i = s.open("i")
    i.write_unframed(bytes.fromhex("00000401"), "the length 00000401 before the session")
    i.is_closed()
    s.say("Their sessions are still there.")
    s.client("j", session="c")


@script()
def reattach(s):
    """A client comes back to its session: the same id and password, the new timeout; ephemerals are kept,
    watches are not, and neither is what auth said."""
    a = s.client("a", timeout=10000)
    a.auth("digest", b"user:secret")
    a.create("/e", flags=EPHEMERAL)
    a.get("/e", watch=True)
    a.closes()
    b = s.open("b")
    b.connect(session="a", timeout=20000, read_only=None)
    b.who_am_i()
    b.ephemerals(None)
    s.say("No event, for the watch is gone.")
    b.set("/e", b"x")
    b.exists("/e")
    s.say("The session that is closed here is the one that a created.")
    b.close_session()
    c = s.client("c")
    c.exists("/e")


@script()
def reattach_while_connected(s):
    """A client comes back while its old connection is still open: the server closes the old one."""
    a = s.client("a")
    a.create("/e", flags=EPHEMERAL)
    b = s.open("b")
    b.connect(session="a")
    a.is_closed()
    b.exists("/e")
    s.say("xids begin where the client likes.")
    b.exists("/e", xid=1)


@script()
def reattach_wrong_password(s):
    """A wrong password: the session is gone, as far as this client is told."""
    a = s.client("a")
    a.closes()
    for name, password in (("b", bytes(16)), ("c", b""), ("d", None), ("e", bytes(range(16))), ("f", bytes(17))):
        client = s.open(name)
        client.connect(session="a", password=password if password != bytes(16) else bytearray(16))
        client.is_closed()
    s.client("g", session="a")


@script()
def reattach_wrong_password_while_connected(s):
    """Apache closes the connection of the session before it looks at the password."""
    a = s.client("a")
    b = s.open("b")
    b.connect(session="a", password=bytearray(16), read_only=None)
    b.is_closed()
    a.is_closed()


@script()
def reattach_unknown(s):
    """Sessions that never were, and one that was closed."""
    a = s.client("a")
    a.create("/e", flags=EPHEMERAL)
    a.close_session()
    for name, session in (("b", 1), ("c", -1), ("d", 0x0123456789abcdef)):
        client = s.open(name)
        client.connect(session=session)
        client.is_closed()
    e = s.open("e")
    e.connect(session="a")
    e.is_closed()
    f = s.open("f")
    f.connect(session="a", read_only=None)
    f.is_closed()
    g = s.client("g")
    g.exists("/e")


@script()
def close_session(s):
    """closeSession is answered when the ephemerals are gone; then the server closes the connection and
    drops what came behind."""
    a = s.client("a")
    b = s.client("b")
    a.create("/p")
    a.create("/p/e1", flags=EPHEMERAL)
    a.create("/p/e2", flags=EPHEMERAL)
    b.children2("/p")
    a.send(-11, [], "closeSession")
    a.send(4, buffer("/p") + boolean(False), "getData /p")
    a.reply(BODIES[-11])
    a.is_closed()
    b.children2("/p")
    s.say("Without ephemerals. A body does not matter.")
    c = s.client("c")
    c.call(-11, ["0102"], "closeSession with a body")
    c.is_closed()


@script(tickTime="500")
def expiry(s):
    """A session that is not heard of expires; its ephemerals go in one transaction, and the client that comes
    back is told so."""
    a = s.client("a", timeout=1000)
    b = s.client("b", timeout=10000)
    a.create("/p")
    a.create("/p/e", flags=EPHEMERAL)
    b.get("/p/e", watch=True)
    a.closes()
    s.wait(2500)
    b.event()
    b.exists("/p/e")
    b.exists("/p")
    c = s.open("c")
    c.connect(session="a")
    c.is_closed()


@script(tickTime="500")
def expiry_after_reattach(s):
    """The timeout of the latest handshake counts, shorter or longer than the one before."""
    a = s.client("a", timeout=10000)
    a.create("/shorter", flags=EPHEMERAL)
    a.closes()
    b = s.open("b")
    b.connect(session="a", timeout=1000)
    b.closes()
    c = s.client("c", timeout=1000)
    c.create("/longer", flags=EPHEMERAL)
    c.closes()
    d = s.open("d")
    d.connect(session="c", timeout=10000)
    d.closes()
    s.wait(2500)
    e = s.client("e")
    e.exists("/shorter")
    e.exists("/longer")


@script(tickTime="500")
def expiry_of_an_open_connection(s):
    """The connection of an expired session is closed without a word."""
    a = s.client("a", timeout=1000)
    b = s.client("b", timeout=10000)
    a.create("/e", flags=EPHEMERAL)
    s.wait(2500)
    a.is_closed()
    b.exists("/e")


@script(tickTime="500")
def expiry_is_put_off_by_any_request(s):
    """Any request keeps the session, and so does a ping."""
    a = s.client("a", timeout=2000)
    a.create("/e", flags=EPHEMERAL)
    for _ in range(3):
        s.wait(1200)
        a.exists("/e")
    for _ in range(2):
        s.wait(1200)
        a.ping()
    s.wait(1200)
    a.sync("/e")
