"""Frames of a server: bytes to tokens and a sentence. Nothing may be left over."""

from .tokens import any_order, boolean, buffer, error_name, int32, raw

EVENTS = {1: "NodeCreated", 2: "NodeDeleted", 3: "NodeDataChanged", 4: "NodeChildrenChanged"}
MULTI, MULTI_READ = 14, 22


class Reader:
    """Reads one frame from its beginning to its end."""

    def __init__(self, frame, bindings):
        self.frame, self.at, self.bindings = frame, 0, bindings

    def take(self, count):
        """The next bytes."""
        piece = self.frame[self.at:self.at + count]
        assert len(piece) == count, "the frame is too short"
        self.at += count
        return piece

    def number(self, size):
        """A signed integer."""
        return int.from_bytes(self.take(size), "big", signed=True)

    def buffer(self):
        """Bytes with their length, or `None`."""
        length = self.number(4)
        return None if length == -1 else self.take(length)

    def end(self):
        """Nothing is left."""
        assert self.at == len(self.frame), f"{len(self.frame) - self.at} bytes are left over"


def show(data):
    """Bytes for a person."""
    if data is None:
        return "null"
    try:
        return '"' + data.decode("ascii") + '"' if data.isascii() and data.decode().isprintable() else data.hex()
    except UnicodeDecodeError:
        return data.hex()


def name(data):
    """A path for a person: without quotes."""
    return "null" if data is None else show(data).strip('"')


def header(reader):
    """ReplyHeader: tokens, words, error."""
    xid, zxid, error = reader.number(4), reader.number(8), reader.number(4)
    token = reader.bindings.zxid(zxid)
    place = str(zxid) if zxid in (0, -1) else token[0][5:-1]
    return int32(xid) + token + int32(error), f"xid {xid}, zxid {place}, {error_name(error)}", error


def stat(reader):
    """Stat."""
    bindings = reader.bindings
    czxid, mzxid, ctime, mtime = (reader.number(8) for _ in range(4))
    version, cversion, aversion = (reader.number(4) for _ in range(3))
    owner = reader.number(8) & 0xffffffffffffffff
    length, children = reader.number(4), reader.number(4)
    pzxid = reader.number(8)
    tokens = bindings.zxid(czxid) + bindings.zxid(mzxid) + bindings.time(ctime, czxid) + bindings.time(mtime, mzxid)
    tokens += int32(version) + int32(cversion) + int32(aversion) + bindings.session(owner)
    tokens += int32(length) + int32(children) + bindings.zxid(pzxid)
    named = bindings.session(owner)[0]
    words = (f"czxid {czxid - bindings.base if czxid else 0} mzxid {mzxid - bindings.base if mzxid else 0} "
             f"pzxid {pzxid - bindings.base if pzxid else 0} version {version} cversion {cversion} "
             f"aversion {aversion} dataLength {length} numChildren {children}")
    return tokens, words + ("" if owner == 0 else f" ephemeralOwner {named}")


def path(reader):
    """A path."""
    data = reader.buffer()
    return buffer(data), name(data)


def data_and_stat(reader):
    """getData."""
    data = reader.buffer()
    tokens, words = stat(reader)
    return buffer(data) + tokens, f"{show(data)}, {words}"


def path_and_stat(reader):
    """create2 and its kin."""
    tokens, words = path(reader)
    more, stat_words = stat(reader)
    return tokens + more, f"{words}, {stat_words}"


def names(reader):
    """Children or ephemerals, in no specified order."""
    count = reader.number(4)
    assert count >= 0
    items = [reader.buffer() for _ in range(count)]
    return int32(count) + any_order([buffer(item) for item in items]), f"[{', '.join(sorted(map(name, items)))}]"


def names_and_stat(reader):
    """getChildren2."""
    tokens, words = names(reader)
    more, stat_words = stat(reader)
    return tokens + more, f"{words}, {stat_words}"


def acl(reader, ordered=True):
    """getACL."""
    entries, words = [], []
    for _ in range(reader.number(4)):
        perms, scheme, ident = reader.number(4), reader.buffer(), reader.buffer()
        entries.append(int32(perms) + buffer(scheme) + buffer(ident))
        words.append(f"{name(scheme)}:{name(ident)}:{perms}")
    tokens = [token for entry in entries for token in entry] if ordered else any_order(entries)
    more, stat_words = stat(reader)
    return int32(len(entries)) + tokens + more, f"[{', '.join(words if ordered else sorted(words))}], {stat_words}"


def acl_in_any_order(reader):
    """getACL after `auth` became one entry for each identity of a connection."""
    return acl(reader, ordered=False)


def identities(reader):
    """whoAmI, in no specified order."""
    found = [(reader.buffer(), reader.buffer()) for _ in range(reader.number(4))]
    words = sorted(f"{name(scheme)}:{name(ident)}" for scheme, ident in found)
    pieces = [buffer(scheme) + buffer(ident) for scheme, ident in found]
    return int32(len(found)) + any_order(pieces), f"[{', '.join(words)}]"


def integer(reader):
    """addWatch, getAllChildrenNumber."""
    number = reader.number(4)
    return int32(number), str(number)


def token(reader):
    """sasl."""
    data = reader.buffer()
    return buffer(data), f"token {show(data)}"


def nothing(reader):
    """An empty body."""
    return [], ""


RESULTS = {1: path, 2: nothing, 4: data_and_stat, 5: stat, 8: names, 13: nothing, 15: path_and_stat}


def results(reader):
    """multi and multiRead."""
    tokens, words = [], []
    while True:
        kind, done, error = reader.number(4), reader.number(1), reader.number(4)
        tokens += int32(kind) + boolean(done) + int32(error)
        if done:
            assert (kind, error) == (-1, -1)
            return tokens, "; ".join(words) if words else "no results"
        if kind == -1:
            code = reader.number(4)
            tokens += int32(code)
            words.append(error_name(code) if code == error else f"{error_name(code)} (header {error})")
            continue
        more, text = RESULTS[kind](reader)
        tokens += more
        words.append(f"{kind} {error_name(error)}" + (f" {text}" if text else ""))


BODIES = {
    1: path, 2: nothing, 3: stat, 4: data_and_stat, 5: stat, 6: acl, 7: stat, 8: names, 9: path, 11: nothing,
    12: names_and_stat, MULTI: results, 15: path_and_stat, 16: data_and_stat, 17: nothing, 18: nothing,
    19: path_and_stat, 20: nothing, 21: path_and_stat, MULTI_READ: results, 100: nothing, 101: nothing, 102: token,
    103: names, 104: integer, 105: nothing, 106: integer, 107: identities, -11: nothing,
}


def reply(frame, bindings, body):
    """A reply whose body is read by `body`: tokens, words, error."""
    reader = Reader(frame, bindings)
    tokens, words, error = header(reader)
    if reader.at < len(frame):
        more, text = body(reader)
        tokens, words = tokens + more, f"{words}: {text}"
    reader.end()
    return tokens, words, error


def event(frame, bindings):
    """A watch event: tokens, words."""
    reader = Reader(frame, bindings)
    tokens, words, error = header(reader)
    kind, state, where = reader.number(4), reader.number(4), reader.buffer()
    reader.end()
    assert (error, state) == (0, 3)
    place = words.split(", ")[1]
    return tokens + int32(kind) + int32(state) + buffer(where), f"event {EVENTS[kind]} {name(where)}, {place}"


def connect_response(frame, bindings, client):
    """ConnectResponse; a new session is named after `client`. Tokens, words, session id."""
    reader = Reader(frame, bindings)
    protocol, timeout, session, password = reader.number(4), reader.number(4), reader.number(8), reader.buffer()
    read_only = reader.take(len(frame) - reader.at)
    if session not in bindings.sessions.values() and session != 0:
        assert client not in bindings.sessions, f"two sessions named {client}"
        bindings.sessions[client], bindings.passwords[client] = session, password
    named = bindings.session(session)
    tokens = int32(protocol) + int32(timeout) + named + int32(len(password)) + bindings.password(password)
    words = f"ConnectResponse timeOut {timeout}, session {named[0] if session else 0}"
    words += f", readOnly {read_only[0]}" if read_only else ", no readOnly"
    return tokens + raw(read_only), words, session
