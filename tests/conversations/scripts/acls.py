"""Authentication, identities, ACLs."""

from recorder.requests import EPHEMERAL, OPEN, op_check, op_create, op_delete, op_get, op_set
from recorder.tokens import buffer, int32, int64

from .script import script

READ, WRITE, CREATE, DELETE, ADMIN = 1, 2, 4, 8, 16
USER = "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ="
SUPER = "super:D/InIHSb7yEEbrWz8b9l71RjZJU="


@script()
def auth(s):
    """What auth takes, and what each scheme adds to the connection."""
    a = s.client("a")
    a.who_am_i()
    a.auth("digest", b"u:p")
    a.who_am_i()
    s.say("Twice the same, a second one, one without a colon, one that is empty, one with more colons.")
    a.auth("digest", b"u:p")
    a.auth("digest", b"v:q")
    a.auth("digest", b"nocolon")
    a.auth("digest", b"")
    a.auth("digest", b":x")
    a.auth("digest", b"a:b:c")
    a.auth("digest", "\u00e9:\u00e9")
    a.who_am_i()
    s.say("ip adds what is there already, whatever the payload.")
    a.auth("ip", b"10.0.0.1")
    a.auth("ip", None)
    a.who_am_i()
    s.say("The type of the packet and its xid do not matter.")
    a.auth("digest", b"w:w", kind=5, xid=3)


@script()
def auth_failures(s):
    """A scheme that is none, or one that nobody can prove: -115 and the connection closes; the session lives."""
    attempts = (("nosuch", b"x"), ("world", b"anyone"), ("auth", b""), ("super", b"super:x"), ("", b""), ("sasl", b""),
                ("x509", b""), ("Digest", b"u:p"))
    for number, (scheme, payload) in enumerate(attempts):
        client = s.client(f"c{number}")
        client.auth(scheme, payload)
        client.is_closed()
    d = s.client("d", session="c0")
    d.who_am_i()


@script()
def auth_null(s):
    """An auth packet with a null scheme, a null payload, or no body."""
    a = s.client("a")
    a.auth(None, b"u:p")
    a.is_closed()


@script()
def auth_null_payload(s):
    """digest with a null payload."""
    a = s.client("a")
    a.auth("digest", None)
    a.is_closed()


@script()
def auth_undecodable(s):
    """An auth packet without a body closes the connection."""
    a = s.client("a")
    a.send(100, [], "auth with an empty body", xid=-4)
    a.is_closed()
    b = s.client("b")
    b.send(102, [], "sasl with an empty body")
    b.is_closed()


@script()
def sasl(s):
    """SASL is not configured: an empty answer."""
    a = s.client("a")
    a.sasl(b"")
    a.sasl(b"token")
    a.who_am_i()
    s.say("A null token closes the connection.")
    a.send(102, buffer(None), "sasl null")
    a.is_closed()


@script()
def acl_permissions(s):
    """Each permission allows its operations and no others."""
    a = s.client("a")
    for name, perms in (("read", READ), ("write", WRITE), ("create", CREATE), ("delete", DELETE), ("admin", ADMIN),
                        ("none", 0)):
        path = f"/{name}"
        a.create(path)
        a.create(f"{path}/old")
        a.set_acl(path, [(perms, "world", "anyone")])
        a.get(path)
        a.set(path, b"x")
        a.create(f"{path}/new")
        a.delete(f"{path}/old")
        a.children(path)
        a.exists(path)
        a.get_acl(path)
        a.multi(op_check(path))
        a.set_acl(path, OPEN)


@script()
def acl_digest(s):
    """An ACL of a digest identity: for who proved it. The hash is shown to who may administer."""
    a = s.client("a")
    b = s.client("b")
    a.create("/p", acl=[(ADMIN | WRITE, "digest", USER), (READ, "world", "anyone")])
    a.set("/p", b"x")
    a.get_acl("/p")
    a.auth("digest", b"u:wrong")
    a.set("/p", b"x")
    a.get_acl("/p")
    a.auth("digest", b"u:p")
    a.set("/p", b"x")
    a.get_acl("/p")
    s.say("The other connection does not gain by it.")
    b.set("/p", b"y")
    b.get_acl("/p")
    a.set_acl("/p", [(READ, "digest", USER), (ADMIN, "digest", "other:hash")])
    a.get("/p")
    b.get("/p")
    b.get_acl("/p")
    a.get_acl("/p")


@script()
def acl_digest_ids(s):
    """An id of digest has one colon, and something behind it."""
    a = s.client("a")
    for number, ident in enumerate(("u:x", ":x", "u:", ":", "", "u", "u:x:y", "u: ", " :x", "\u00e9:x")):
        a.create(f"/{number}", acl=[(31, "digest", ident)])
    a.create("/null", acl=[(31, "digest", None)])
    a.create("/null", acl=[(31, "ip", None)])
    a.children("/")


@script()
def acl_auth(s):
    """The scheme auth stands for the identities of the connection, as they are at the time."""
    a = s.client("a")
    a.create("/x", acl=[(31, "auth", "")])
    a.auth("ip", b"")
    a.create("/x", acl=[(31, "auth", "")])
    a.auth("digest", b"u:p")
    a.create("/p", acl=[(31, "auth", "")])
    a.get_acl("/p")
    a.create("/q", acl=[(31, "auth", "whatever it says"), (READ, "world", "anyone"), (31, "digest", USER)])
    a.get_acl("/q")
    a.auth("digest", b"v:q")
    a.get_acl("/p")
    a.set_acl("/p", [(READ | ADMIN, "auth", None)])
    a.get_acl("/p", unordered=True)
    a.set_acl("/p", [(READ, "auth", ""), (ADMIN, "auth", "")], 0)
    a.create2("/r", acl=[(31, "auth", "")], flags=EPHEMERAL)
    a.get_acl("/r", unordered=True)


@script()
def acl_ip(s):
    """ip: an address, or a network with the count of its bits. The client comes from 127.0.0.1."""
    a = s.client("a")
    networks = ("127.0.0.1", "127.0.0.1/32", "127.0.0.0/8", "127.0.0.2", "127.0.0.2/31", "127.0.0.3/30", "126.0.0.0/7",
                "128.0.0.0/1", "0.0.0.0/0", "10.0.0.0/8", "127.1.2.3/8", "127.0.0.0/24")
    for number, ident in enumerate(networks):
        a.create(f"/n{number}", acl=[(31, "ip", ident)])
        a.exists(f"/n{number}")
    s.say("Identities that are no address.")
    for ident in ("", "127.0.0", "127.0.0.1.1", "127.0.0.256", "127.0.0.-1", "localhost", "127.0.0.1/33", "127.0.0.1/a",
                  "127.0.0.1/", "/8", "127.0.0.1/8/8", " 127.0.0.1"):
        a.create("/x", acl=[(31, "ip", ident)])


@script()
def acl_ip6(s):
    """ip with IPv6 addresses; a client of 127.0.0.1 is none of them."""
    a = s.client("a")
    for number, ident in enumerate(("::1", "::1/128", "fe80::/10", "2001:db8::1", "::/0", "::ffff:127.0.0.1")):
        if not a.create(f"/n{number}", acl=[(31, "ip", ident)]):
            a.exists(f"/n{number}")
    for ident in ("::1/129", ":::1", "12345::", "::1/"):
        a.create("/x", acl=[(31, "ip", ident)])


@script()
def acl_order(s):
    """An entry with any of the wanted bits that matches is enough, wherever it stands; a list is kept in its order."""
    a = s.client("a")
    a.create("/p", acl=[(0, "world", "anyone"), (READ, "ip", "127.0.0.1"), (WRITE, "world", "anyone")])
    a.get("/p")
    a.set("/p", b"")
    a.get_acl("/p")
    a.create("/p/x")
    s.say("Equal entries are kept once, entries with other bits are not equal.")
    a.create("/q", acl=[(READ, "world", "anyone"), (ADMIN, "world", "anyone"), (READ, "world", "anyone")])
    a.get_acl("/q")


@script(**{"DigestAuthenticationProvider__superDigest": SUPER})
def acl_super(s):
    """The super user may do everything, and is one more identity besides its digest."""
    a = s.client("a")
    a.create("/p", acl=[(0, "world", "anyone")])
    a.get("/p")
    a.auth("digest", b"super:wrong")
    a.get("/p")
    a.auth("digest", b"super:test")
    a.who_am_i()
    a.get("/p")
    a.set("/p", b"x")
    a.create("/p/x")
    a.get_acl("/p")
    a.set_acl("/p", [(READ, "digest", USER)])
    a.get_acl("/p")
    s.say("The configuration is for the super user to write; what cannot be deleted still cannot.")
    a.set("/zookeeper/config", b"x")
    a.get("/zookeeper/config")
    a.delete("/zookeeper/config")
    a.create("/x", acl=[(31, "super", "")])
    s.say("auth stands for the digest identities.")
    a.create("/y", acl=[(31, "auth", "")])
    a.get_acl("/y", unordered=True)


@script(skipACL="yes")
def acl_skipped(s):
    """skipACL=yes: permissions are not asked for; the lists must be right all the same."""
    a = s.client("a")
    a.create("/p", acl=[(0, "world", "anyone")])
    a.get("/p")
    a.set("/p", b"x")
    a.create("/p/x")
    a.delete("/p/x")
    a.get_acl("/p")
    a.create("/x", acl=[])
    a.create("/x", acl=[(31, "nosuch", "")])
    a.set("/zookeeper/config", b"x")


@script()
def acl_multi(s):
    """In a multi each operation needs its permission, given by what the multi did before."""
    a = s.client("a")
    a.multi(op_create("/p", acl=[(READ, "world", "anyone")]), op_create("/p/x"))
    a.multi(op_create("/p", acl=[(WRITE, "world", "anyone")]), op_set("/p", b"x"), op_check("/p"))
    a.multi(op_create("/p", acl=[(READ | WRITE, "world", "anyone")]), op_set("/p", b"x"), op_check("/p"))
    a.get_acl("/p")


@script(enableEagerACLCheck="true")
def acl_eager(s):
    """enableEagerACLCheck on a server alone changes nothing: writes that may not be are refused with a zxid."""
    a = s.client("a")
    a.create("/p", acl=[(READ, "world", "anyone")])
    a.create("/p/x")
    a.set("/p", b"")
    a.set_acl("/p", OPEN)
    a.delete("/p/x")
    a.create("/x", acl=[])
    a.exists("/")


@script(**{"DigestAuthenticationProvider__digestAlg": "SHA-256"})
def acl_digest_algorithm(s):
    """The hash of digest identities is another one."""
    a = s.client("a")
    a.auth("digest", b"u:p")
    a.create("/p", acl=[(31, "auth", "")])
    a.get_acl("/p")
    b = s.client("b")
    b.auth("digest", b"u:q")
    b.get("/p")


@script(**{"DigestAuthenticationProvider__enabled": "false"})
def acl_digest_disabled(s):
    """Without digest there is nothing to prove and no such identity."""
    a = s.client("a")
    a.create("/p", acl=[(31, "digest", USER)])
    a.create("/p", acl=[(31, "ip", "127.0.0.1")])
    a.get("/p")
    a.auth("digest", b"u:p")
    a.is_closed()


@script(**{"enforce.auth.enabled": "true", "enforce.auth.schemes": "digest"})
def auth_enforced(s):
    """Who has not authenticated with digest is sent away at the first request, a ping too."""
    a = s.client("a")
    a.exists("/")
    a.is_closed()
    b = s.client("b")
    b.ping()
    b.is_closed()
    c = s.client("c")
    c.auth("ip", b"")
    c.create("/p")
    c.is_closed()
    d = s.client("d")
    d.auth("digest", b"u:p")
    d.create("/p")
    d.ping()
    e = s.client("e")
    e.call(-11, [], "closeSession")
    e.is_closed()


@script(**{"enforce.auth.enabled": "true", "enforce.auth.schemes": "digest"})
def auth_enforced_operations(s):
    """Each kind of request of who has not authenticated is answered with -124, and the connection closes. What is no
    request is none here either."""
    requests = (
        (1, buffer("/p") + buffer(b"") + int32(0) + int32(0), "create /p"), (4, buffer("/") + ["00"], "getData /"),
        (9, buffer("/"), "sync /"), (14, int32(-1) + ["01"] + int32(-1), "multi"),
        (22, int32(-1) + ["01"] + int32(-1), "multiRead"), (107, [], "whoAmI"), (16, [], "reconfig with an empty body"),
        (101, int64(0) + int32(0) * 3, "setWatches"), (4, [], "getData with an empty body"), (99, [], "operation 99"),
        (13, [], "check"), (0, [], "notification"),
    )
    for number, (op, tokens, words) in enumerate(requests):
        client = s.client(f"c{number}")
        client.call(op, tokens, words)
        client.is_closed()
    s.say("Who fails to authenticate is told so.")
    d = s.client("d")
    d.auth("digest", b"u:p")
    d.who_am_i()
    d.auth("nosuch", b"x")
    d.is_closed()
    s.say("sasl asks for no authentication.")
    e = s.client("e")
    e.sasl(b"")
    e.ping()
    e.is_closed()


@script(**{"enforce.auth.enabled": "true", "enforce.auth.schemes": "digest,ip"})
def auth_enforced_by_address(s):
    """Every connection has an identity of ip; it counts when it is among the schemes."""
    a = s.client("a")
    a.create("/p")
    a.exists("/p")


@script(**{"enforce.auth.enabled": "true", "enforce.auth.schemes": "digest", "skipACL": "yes"})
def auth_enforced_without_acls(s):
    """skipACL does not take the place of an authentication."""
    a = s.client("a")
    a.exists("/")
    a.is_closed()


@script(skipACL="yes")
def acl_skipped_everywhere(s):
    """skipACL=yes: no operation asks for a permission, and events are for everybody."""
    a = s.client("a")
    b = s.client("b")
    a.create("/p", acl=[(0, "world", "anyone")])
    b.get("/p", watch=True)
    b.children("/p", watch=True)
    b.exists("/p/x", watch=True)
    a.set("/p", b"x")
    b.event()
    a.create("/p/x", acl=[(0, "digest", USER)])
    b.event()
    b.event()
    a.multi(op_check("/p"), op_set("/p", b"y"), op_create("/p/y"))
    a.count("/p")
    a.multi_read(op_get("/p"))
    a.get_acl("/p/x")
    a.set_acl("/p", [(READ, "digest", USER)])
    a.get_acl("/p")
    a.set_acl("/p", [(READ, "auth", "")])
    a.delete("/p/y")


@script()
def acl_null_in_multi(s):
    """A multi with a null list of access control costs no zxid, as others do that are refused as a whole."""
    a = s.client("a")
    a.multi(op_create("/p", acl=None), op_check("/p"))


@script()
def acl_lists_in_multi(s):
    """The lists of a multi are checked as outside of one: auth stands for the identities, others must be right."""
    a = s.client("a")
    a.multi(op_create("/p", acl=[(31, "auth", "")]))
    for acl in ([], [(31, "world", "x")], [(31, "nosuch", "x")], [(31, "digest", "x")], [(31, "ip", "1.2.3")]):
        a.multi(op_create("/p", acl=acl), op_check("/p"))
    a.multi(op_create("/p", acl=[(31, "world", None)]), op_check("/p"))
    a.auth("digest", b"u:p")
    a.multi(op_create("/p", acl=[(31, "auth", "")]), op_create("/p/x", acl=[(READ, "world", "anyone")] * 2))
    a.get_acl("/p")
    a.get_acl("/p/x")
    b = s.client("b")
    b.multi(op_create("/q"), op_create("/p/y"))
    b.multi(op_set("/p", b""), op_create("/q"))
    b.multi(op_check("/p"), op_create("/q"))
    b.multi(op_delete("/p/x"), op_create("/q"))
    b.exists("/q")
