"""Quotas."""

from recorder.requests import EPHEMERAL, SEQUENTIAL, op_create, op_delete, op_set

from .script import script

QUOTA = "/zookeeper/quota"


def limit(client, path, text):
    """Puts a quota on a path as zkCli does."""
    parent = QUOTA
    for name in path.strip("/").split("/"):
        parent += f"/{name}"
        client.create(parent)
    client.create(f"{QUOTA}{path}/zookeeper_limits", text)
    client.create(f"{QUOTA}{path}/zookeeper_stats", "count=0,bytes=0")


@script(enforceQuota="true")
def quota_hard_count(s):
    """A hard limit on the count of znodes, the znode with the quota included."""
    a = s.client("a")
    a.create("/q", b"12")
    limit(a, "/q", "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=3")
    a.get(f"{QUOTA}/q/zookeeper_stats")
    a.create("/q/a", b"345")
    a.create("/q/b")
    a.get(f"{QUOTA}/q/zookeeper_stats")
    a.create("/q/c")
    a.create2("/q/c")
    a.create("/q/a/x")
    a.create("/q/s-", flags=SEQUENTIAL)
    a.set("/q", b"any length is fine")
    a.delete("/q/b")
    a.create("/q/c")
    a.get(f"{QUOTA}/q/zookeeper_stats")
    s.say("Outside of it nothing is counted.")
    a.create("/r")
    a.create("/qq")
    a.get(f"{QUOTA}/q/zookeeper_stats")


@script(enforceQuota="true")
def quota_hard_bytes(s):
    """A hard limit on the bytes of data."""
    a = s.client("a")
    a.create("/q", b"12")
    limit(a, "/q", "count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=-1")
    a.create("/q/a", b"34567890")
    a.create("/q/b", b"1")
    a.create("/q/b", b"")
    a.create("/q/c", None)
    a.set("/q/b", b"1")
    a.set("/q/a", b"345")
    a.set("/q/b", b"12345")
    a.set("/q/b", b"123456")
    a.set("/q/a", None)
    a.set("/q/a", b"", 9)
    a.get(f"{QUOTA}/q/zookeeper_stats")
    a.delete("/q/b")
    a.get(f"{QUOTA}/q/zookeeper_stats")


@script(enforceQuota="true")
def quota_soft(s):
    """Soft limits are for the log of the server; nobody is refused."""
    a = s.client("a")
    a.create("/q")
    limit(a, "/q", "count=1,bytes=1=;byteHardLimit=-1;countHardLimit=-1")
    a.create("/q/a", b"123")
    a.create("/q/b", b"123")
    a.set("/q", b"123")
    a.get(f"{QUOTA}/q/zookeeper_stats")


@script(enforceQuota="true")
def quota_old_format(s):
    """The text of older tools has soft limits only; keys may be missing and separators differ."""
    a = s.client("a")
    for path, text in (("/old", "count=1,bytes=1"), ("/hard", "countHardLimit=1"),
                       ("/semicolon", "count=5;countHardLimit=1")):
        a.create(path)
        limit(a, path, text)
        a.create(f"{path}/a", b"123")
        a.get(f"{QUOTA}{path}/zookeeper_stats")


@script()
def quota_not_enforced(s):
    """Without enforceQuota a hard limit is counted and not enforced."""
    a = s.client("a")
    a.create("/q")
    limit(a, "/q", "count=-1,bytes=-1=;byteHardLimit=1;countHardLimit=1")
    a.create("/q/a", b"123")
    a.set("/q", b"123")
    a.get(f"{QUOTA}/q/zookeeper_stats")


@script(enforceQuota="true")
def quota_check_order(s):
    """The quota comes last in create, and between permission and version in setData."""
    a = s.client("a")
    a.create("/q")
    a.create("/q/a")
    a.create("/q/closed", acl=[(1, "world", "anyone")])
    limit(a, "/q", "count=-1,bytes=-1=;byteHardLimit=1;countHardLimit=1")
    a.create("/q/b")
    a.create("/q/a")
    a.create("/q/.")
    a.create("/q/closed/x")
    a.create("/q/missing/x")
    a.create("/q/b", acl=[])
    a.set("/q/a", b"12", 7)
    a.set("/q/closed", b"12")
    a.set("/q/missing", b"12")
    a.set("/q/a", b"1", 7)


@script(enforceQuota="true")
def quota_multi(s):
    """A quota in a multi."""
    a = s.client("a")
    a.create("/q")
    limit(a, "/q", "count=-1,bytes=-1=;byteHardLimit=5;countHardLimit=2")
    a.multi(op_create("/q/a"), op_set("/q/a", b"123456"))
    a.multi(op_set("/q", b"123456"), op_create("/r"))
    s.say("The count is that of the tree before the multi: both go through.")
    a.multi(op_create("/q/a"), op_create("/q/b"))
    a.get(f"{QUOTA}/q/zookeeper_stats")
    a.multi(op_create("/q/c"), op_create("/r"))
    a.multi(op_delete("/q/a"), op_create("/q/c"))
    a.children("/q")


@script(enforceQuota="true")
def quota_nested(s):
    """The nearest quota above counts, and only that one."""
    a = s.client("a")
    a.create("/q")
    a.create("/q/in")
    limit(a, "/q", "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=3")
    a.create(f"{QUOTA}/q/in")
    a.create(f"{QUOTA}/q/in/zookeeper_limits", "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=2")
    a.create(f"{QUOTA}/q/in/zookeeper_stats", "count=0,bytes=0")
    a.create("/q/in/a", b"1")
    a.create("/q/in/b")
    a.get(f"{QUOTA}/q/zookeeper_stats")
    a.get(f"{QUOTA}/q/in/zookeeper_stats")
    a.create("/q/x")
    a.create("/q/y")
    a.get(f"{QUOTA}/q/zookeeper_stats")


@script(enforceQuota="true")
def quota_changed_and_removed(s):
    """A limit that is changed counts at once, and one that is deleted no more."""
    a = s.client("a")
    a.create("/q")
    limit(a, "/q", "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=1")
    a.create("/q/a")
    a.set(f"{QUOTA}/q/zookeeper_limits", "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=2")
    a.create("/q/a")
    a.create("/q/b")
    a.delete(f"{QUOTA}/q/zookeeper_limits")
    a.create("/q/b")
    a.get(f"{QUOTA}/q/zookeeper_stats")
    a.delete(f"{QUOTA}/q/zookeeper_stats")
    a.create("/q/c")
    s.say("A quota on what is not there, and a text that is none.")
    limit(a, "/missing", "count=1,bytes=1=;byteHardLimit=1;countHardLimit=1")
    a.create("/missing")
    a.create("/missing/a")
    limit(a, "/r", "")
    a.create("/r")


@script(enforceQuota="true")
def quota_of_ephemerals(s):
    """Ephemerals count, until their session closes."""
    a = s.client("a")
    b = s.client("b")
    a.create("/q")
    limit(a, "/q", "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=2")
    b.create("/q/e", b"12", flags=EPHEMERAL)
    a.create("/q/x")
    a.get(f"{QUOTA}/q/zookeeper_stats")
    b.close_session()
    a.get(f"{QUOTA}/q/zookeeper_stats")
    a.create("/q/x")


@script(enforceQuota="true")
def quota_stats_first(s):
    """The stats node may come before the limits. It is right when it is made, and from then on changes with what happens
    while there are limits; a client may write it. What it says counts."""
    a = s.client("a")
    a.create("/q", b"123")
    a.create(f"{QUOTA}/q")
    a.create(f"{QUOTA}/q/zookeeper_stats", "count=0,bytes=0")
    a.get(f"{QUOTA}/q/zookeeper_stats")
    a.create("/q/a")
    a.get(f"{QUOTA}/q/zookeeper_stats")
    a.create(f"{QUOTA}/q/zookeeper_limits", "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=4")
    a.create("/q/b")
    a.get(f"{QUOTA}/q/zookeeper_stats")
    a.set(f"{QUOTA}/q/zookeeper_stats", "count=1,bytes=0")
    a.create("/q/c")
    a.create("/q/d")
    a.create("/q/e")
    a.create("/q/f")
    a.get(f"{QUOTA}/q/zookeeper_stats")


@script(enforceQuota="true")
def quota_without_stats(s):
    """Limits without a stats node limit nothing."""
    a = s.client("a")
    a.create("/q")
    a.create(f"{QUOTA}/q")
    a.create(f"{QUOTA}/q/zookeeper_limits", "count=-1,bytes=-1=;byteHardLimit=1;countHardLimit=1")
    a.create("/q/a")
    a.set("/q", b"123")
    a.delete("/q")
    a.create(f"{QUOTA}/q/zookeeper_stats", "")
    a.get(f"{QUOTA}/q/zookeeper_stats")


@script(enforceQuota="true")
def quota_limits_unreadable(s):
    """A limits node whose text is no limits."""
    a = s.client("a")
    a.create("/q")
    limit(a, "/q", "nonsense")
    a.create("/q/a")
    a.set("/q", b"x")


@script(enforceQuota="true")
def quota_limits_unreadable_in_multi(s):
    """A limits node whose text is no limits refuses a multi as a whole."""
    a = s.client("a")
    a.create("/q")
    limit(a, "/q", "nonsense")
    a.multi(op_create("/r"), op_set("/q", b"x"))
    a.multi(op_create("/q/a"), op_create("/r"))
    a.exists("/r")
