"""The requests of a client: fields to tokens and a sentence."""

from . import replies
from .tokens import acl_entry, boolean, buffer, int32, int64, raw, vector

OPEN = [(31, "world", "anyone")]
READ_ONLY_ACL = [(1, "world", "anyone")]
PERSISTENT, EPHEMERAL, SEQUENTIAL, EPHEMERAL_SEQUENTIAL, CONTAINER, TTL, TTL_SEQUENTIAL = range(7)
CHILDREN, DATA, ANY, PERSISTENT_WATCH, RECURSIVE = range(1, 6)
CREATE_OPS = {1: "create", 15: "create2", 19: "createContainer", 21: "createTTL"}
READ_OPS = {3: "exists", 4: "getData", 8: "getChildren", 12: "getChildren2"}


def shown(path):
    """A path for a person."""
    return "null" if path is None else repr(path) if path == "" or not str(path).isprintable() else str(path)


def data_shown(data):
    """Data for a person."""
    return replies.show(data.encode() if isinstance(data, str) else data)


def acl_shown(acl):
    """An ACL for a person."""
    if acl is None:
        return "null"
    return "[" + ", ".join(f"{scheme}:{ident}:{perms}" for perms, scheme, ident in acl) + "]"


def create_fields(path, data, acl, flags, ttl):
    """The body of the create family."""
    tokens = buffer(path) + buffer(data) + vector(acl, acl_entry) + int32(flags)
    return tokens + (int64(ttl) if ttl is not None else [])


class Requests:
    """Each operation in three forms: `x(...)` sends it and reads the reply, `send_x` only sends."""

    def send(self, op, tokens, words, xid=None):
        """A request with its header."""
        if xid is None:
            self.xid += 1
            xid = self.xid
        self.write(int32(xid) + int32(op) + tokens, f"{xid} {words}")

    def call(self, op, tokens, words, xid=None, body=None):
        """A request and its reply. The error."""
        self.send(op, tokens, words, xid)
        return self.reply(body or replies.BODIES.get(op, replies.nothing))

    def create(self, path, data=b"", acl=OPEN, flags=PERSISTENT, op=1, ttl=None, **more):
        """create, create2, createContainer, createTTL."""
        words = f"{CREATE_OPS[op]} {shown(path)} {data_shown(data)} {acl_shown(acl)} flags {flags}"
        words += f" ttl {ttl}" if ttl is not None else ""
        return self.call(op, create_fields(path, data, acl, flags, ttl), words, **more)

    def create2(self, path, data=b"", acl=OPEN, flags=PERSISTENT, **more):
        """create2."""
        return self.create(path, data, acl, flags, op=15, **more)

    def create_container(self, path, data=b"", acl=OPEN, flags=CONTAINER, **more):
        """createContainer."""
        return self.create(path, data, acl, flags, op=19, **more)

    def create_ttl(self, path, ttl, data=b"", acl=OPEN, flags=TTL, **more):
        """createTTL."""
        return self.create(path, data, acl, flags, op=21, ttl=ttl, **more)

    def delete(self, path, version=-1, op=2, **more):
        """delete."""
        return self.call(op, buffer(path) + int32(version), f"delete {shown(path)} version {version}", **more)

    def read_op(self, op, path, watch=False, **more):
        """exists, getData, getChildren, getChildren2."""
        words = f"{READ_OPS[op]} {shown(path)}" + (" watch" if watch else "")
        return self.call(op, buffer(path) + boolean(watch), words, **more)

    def exists(self, path, watch=False, **more):
        """exists."""
        return self.read_op(3, path, watch, **more)

    def get(self, path, watch=False, **more):
        """getData."""
        return self.read_op(4, path, watch, **more)

    def children(self, path, watch=False, **more):
        """getChildren."""
        return self.read_op(8, path, watch, **more)

    def children2(self, path, watch=False, **more):
        """getChildren2."""
        return self.read_op(12, path, watch, **more)

    def set(self, path, data, version=-1, **more):
        """setData."""
        words = f"setData {shown(path)} {data_shown(data)} version {version}"
        return self.call(5, buffer(path) + buffer(data) + int32(version), words, **more)

    def get_acl(self, path, unordered=False, **more):
        """getACL."""
        body = replies.acl_in_any_order if unordered else replies.acl
        return self.call(6, buffer(path), f"getACL {shown(path)}", body=body, **more)

    def set_acl(self, path, acl, version=-1, **more):
        """setACL."""
        words = f"setACL {shown(path)} {acl_shown(acl)} aversion {version}"
        return self.call(7, buffer(path) + vector(acl, acl_entry) + int32(version), words, **more)

    def sync(self, path, **more):
        """sync."""
        return self.call(9, buffer(path), f"sync {shown(path)}", **more)

    def ping(self, xid=-2):
        """ping."""
        return self.call(11, [], "ping", xid=xid)

    def auth(self, scheme, payload, kind=0, xid=-4):
        """auth."""
        words = f"auth {shown(scheme)} {data_shown(payload)}"
        return self.call(100, int32(kind) + buffer(scheme) + buffer(payload), words, xid=xid)

    def who_am_i(self):
        """whoAmI."""
        return self.call(107, [], "whoAmI")

    def sasl(self, data):
        """sasl."""
        return self.call(102, buffer(data), f"sasl {data_shown(data)}")

    def add_watch(self, path, mode):
        """addWatch."""
        return self.call(106, buffer(path) + int32(mode), f"addWatch {shown(path)} mode {mode}")

    def check_watches(self, path, kind):
        """checkWatches."""
        return self.call(17, buffer(path) + int32(kind), f"checkWatches {shown(path)} type {kind}")

    def remove_watches(self, path, kind):
        """removeWatches."""
        return self.call(18, buffer(path) + int32(kind), f"removeWatches {shown(path)} type {kind}")

    def set_watches(self, seen, data=(), exist=(), child=(), persistent=None, recursive=None, xid=-8):
        """setWatches, or setWatches2 if there are persistent or recursive ones."""
        lists = [data, exist, child]
        op = 101
        if persistent is not None or recursive is not None:
            op = 105
            lists += [persistent or [], recursive or []]
        tokens = self.at(seen) + [token for paths in lists for token in vector(paths, buffer)]
        words = f"setWatches{'2' if op == 105 else ''} relativeZxid {seen}"
        for what, paths in zip(("data", "exist", "child", "persistent", "recursive"), lists):
            words += f" {what} [{', '.join(map(shown, paths))}]" if paths is not None else f" {what} null"
        return self.call(op, tokens, words, xid=xid)

    def ephemerals(self, prefix):
        """getEphemerals."""
        return self.call(103, buffer(prefix), f"getEphemerals {shown(prefix)}")

    def count(self, path):
        """getAllChildrenNumber."""
        return self.call(104, buffer(path), f"getAllChildrenNumber {shown(path)}")

    def reconfig(self, joining=None, leaving=None, members=None, config=-1):
        """reconfig."""
        tokens = buffer(joining) + buffer(leaving) + buffer(members) + int64(config)
        words = f"reconfig joining {shown(joining)} leaving {shown(leaving)} members {shown(members)} config {config}"
        return self.call(16, tokens, words)

    def multi(self, *ops, op=14):
        """multi; each operation is (words, type, tokens)."""
        tokens = [token for _, kind, body in ops for token in int32(kind) + boolean(False) + int32(-1) + body]
        tokens += int32(-1) + boolean(True) + int32(-1)
        words = ("multi " if op == 14 else "multiRead ") + "; ".join(words for words, _, _ in ops)
        return self.call(op, tokens, words.rstrip())

    def multi_read(self, *ops):
        """multiRead."""
        return self.multi(*ops, op=22)

    def close_session(self):
        """closeSession, after which the server closes the connection."""
        error = self.call(-11, [], "closeSession")
        self.is_closed()
        return error

    def raw_call(self, op, data, words, **more):
        """A request with any body, and its reply."""
        return self.call(op, raw(data), words, **more)


def op_create(path, data=b"", acl=OPEN, flags=PERSISTENT, op=1, ttl=None):
    """create and its kin in a multi."""
    return f"{CREATE_OPS[op]} {shown(path)} flags {flags}", op, create_fields(path, data, acl, flags, ttl)


def op_delete(path, version=-1):
    """delete in a multi."""
    return f"delete {shown(path)} version {version}", 2, buffer(path) + int32(version)


def op_set(path, data, version=-1):
    """setData in a multi."""
    words = f"setData {shown(path)} {data_shown(data)} version {version}"
    return words, 5, buffer(path) + buffer(data) + int32(version)


def op_check(path, version=-1):
    """check in a multi."""
    return f"check {shown(path)} version {version}", 13, buffer(path) + int32(version)


def op_get(path, watch=False):
    """getData in a multiRead."""
    return f"getData {shown(path)}", 4, buffer(path) + boolean(watch)


def op_children(path, watch=False):
    """getChildren in a multiRead."""
    return f"getChildren {shown(path)}", 8, buffer(path) + boolean(watch)
