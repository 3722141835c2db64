"""The text of a frame: hex, quoted ASCII, and placeholders for what differs from run to run."""

import re

ERRORS = {
    0: "ok", -1: "SystemError", -2: "RuntimeInconsistency", -3: "DataInconsistency", -5: "MarshallingError",
    -6: "Unimplemented", -8: "BadArguments", -12: "UnknownSession", -13: "NewConfigNoQuorum",
    -14: "ReconfigInProgress", -100: "ApiError", -101: "NoNode", -102: "NoAuth", -103: "BadVersion",
    -108: "NoChildrenForEphemerals", -110: "NodeExists", -111: "NotEmpty", -112: "SessionExpired",
    -113: "InvalidCallback", -114: "InvalidACL", -115: "AuthFailed", -118: "SessionMoved", -119: "NotReadOnly",
    -120: "EphemeralOnLocalSession", -121: "NoWatcher", -123: "ReconfigDisabled",
    -124: "SessionClosedRequireSaslAuth", -125: "QuotaExceeded", -127: "ThrottledOp",
}


def error_name(code):
    """`-110 NodeExists`."""
    return "ok" if code == 0 else f"{code} {ERRORS[code]}"


def int32(number):
    """Four bytes."""
    return [f"{number & 0xffffffff:08x}"]


def int64(number):
    """Eight bytes."""
    return [f"{number & 0xffffffffffffffff:016x}"]


def boolean(value):
    """One byte."""
    return ["01" if value else "00"]


def raw(data):
    """Bytes as they are: quoted where they are plain ASCII."""
    if not data:
        return []
    plain = all(0x20 <= byte < 0x7f and byte not in b'"' for byte in data)
    return [f'"{data.decode("ascii")}"' if plain else data.hex()]


def buffer(data):
    """A length and bytes; `None` is the length -1 alone. Text goes out as UTF-8."""
    if data is None:
        return int32(-1)
    if isinstance(data, str):
        data = data.encode()
    return int32(len(data)) + raw(data)


def vector(items, write):
    """A count and items; `None` is the count -1 alone."""
    if items is None:
        return int32(-1)
    return int32(len(items)) + [token for item in items for token in write(item)]


def acl_entry(entry):
    """An ACL: permissions, scheme, id."""
    perms, scheme, ident = entry
    return int32(perms) + buffer(scheme) + buffer(ident)


def any_order(pieces):
    """Pieces, each a list of tokens, whose order is not specified: sorted, so that a file is stable."""
    if len(pieces) < 2:
        return [token for piece in pieces for token in piece]
    tokens = ["["]
    for number, piece in enumerate(sorted(pieces)):
        tokens += (["|"] if number else []) + piece
    return tokens + ["]"]


class Bindings:
    """What the placeholders of one conversation stand for, and how a value becomes a placeholder."""

    def __init__(self, base):
        self.base = base
        self.sessions = {}
        self.passwords = {}
        self.times = {}

    def zxid(self, value):
        """0 and -1 are no transactions, everything else is relative to the start."""
        if value in (0, -1):
            return int64(value)
        assert value > self.base, f"zxid {value:#x} is older than the conversation"
        return [f"{{zxid+{value - self.base}}}"]

    def time(self, value, zxid):
        """The wall time of a transaction is named after it: equal transactions have equal times."""
        if zxid == 0:
            assert value == 0, "a time without a transaction"
            return int64(0)
        assert self.times.setdefault(zxid, value) == value, f"two times for {zxid:#x}"
        return [f"{{time+{zxid - self.base}}}"]

    def session(self, value):
        """A session is named after the client that created it."""
        names = [name for name, ident in self.sessions.items() if ident == value]
        return [f"{{session:{names[0]}}}"] if names else int64(value)

    def password(self, value):
        """The password of a session of this conversation, or zeros."""
        names = [name for name, secret in self.passwords.items() if secret == value]
        return [f"{{password:{names[0]}}}"] if names else [value.hex()]

    def encode(self, tokens):
        """The bytes that `tokens` stand for."""
        return b"".join(self.bytes_of(token) for token in tokens)

    def bytes_of(self, token):
        """The bytes of one token."""
        if token.startswith('"'):
            return token[1:-1].encode("ascii")
        if not token.startswith("{"):
            return bytes.fromhex(token)
        kind, value = re.fullmatch(r"\{(\w+)[+:](\w+)\}", token).groups()
        if kind == "zxid":
            return (self.base + int(value)).to_bytes(8, "big")
        if kind == "time":
            return self.times[self.base + int(value)].to_bytes(8, "big")
        if kind == "session":
            return self.sessions[value].to_bytes(8, "big")
        assert kind == "password", token
        return self.passwords[value]
