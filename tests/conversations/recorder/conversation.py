"""A conversation in progress: clients on sockets, and the lines of the file."""

import re
import socket
import textwrap
import time

from . import replies
from .requests import Requests
from .tokens import Bindings, boolean, buffer, int32, int64

# Two transactions never share a millisecond by chance: a step takes at least this long.
STEP_SECONDS = 0.003
PATIENCE_SECONDS = 20
ZEROS = bytes(16)


class Conversation:
    """Writes down what is said between a server and its clients."""

    def __init__(self, address, story, settings):
        self.address = address
        self.bindings = Bindings(base_zxid(address))
        self.lines = [f"# {line}" for line in textwrap.wrap(" ".join(story.split()), 100)]
        self.clients = []
        if settings:
            self.lines += [""] + [f"setting {key}={value}" for key, value in settings.items()]

    def say(self, text):
        """A remark for the reader of the file."""
        self.lines += [""] + [f"# {line}" for line in textwrap.wrap(text, 100)]

    def step(self, line, words=None):
        """One line of the file, below its explanation."""
        if words:
            self.lines.append(f"  # {words}")
        self.lines.append(line)
        time.sleep(STEP_SECONDS)

    def open(self, name):
        """A connection without a session."""
        assert name not in [client.name for client in self.clients], f"two clients named {name}"
        if len(self.clients) and self.lines[-1]:
            self.lines.append("")
        client = Client(self, name)
        self.clients.append(client)
        return client

    def client(self, name, **how):
        """A connection with a session."""
        client = self.open(name)
        client.connect(**how)
        return client

    def wait(self, milliseconds):
        """Time passes."""
        time.sleep(milliseconds / 1000)
        self.step(f"wait {milliseconds} ms")

    def finish(self):
        """Every client that is still there has been told everything."""
        for client in self.clients:
            if client.socket and client.attached:
                client.ping()
        for client in self.clients:
            if client.socket:
                client.socket.settimeout(0.03)
                try:
                    assert not client.socket.recv(1), f"{client.name} gets more than the script expects"
                except TimeoutError:
                    pass
                client.socket.close()
        return "\n".join(self.lines) + "\n"


class Client(Requests):
    """One connection."""

    def __init__(self, conversation, name):
        self.conversation, self.name = conversation, name
        self.bindings = conversation.bindings
        self.xid, self.attached = 0, False
        self.socket = socket.create_connection(conversation.address, timeout=PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        conversation.step(f"{name} opens")

    # Frames

    def write(self, tokens, words):
        """Sends one frame."""
        frame = self.bindings.encode(tokens)
        self.socket.sendall(len(frame).to_bytes(4, "big") + frame)
        self.conversation.step(f"{self.name} -> {' '.join(tokens)}".rstrip(), f"{self.name}: {words}")

    def write_unframed(self, data, words):
        """Sends bytes as they are, to say a length that no frame has."""
        self.socket.sendall(data)
        self.conversation.step(f"{self.name} => {data.hex()}", f"{self.name}: {words}")

    def read(self):
        """The next frame."""
        length = int.from_bytes(self.read_exactly(4), "big", signed=True)
        return self.read_exactly(length)

    def read_exactly(self, count):
        """That many bytes."""
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            assert piece, f"the server closed {self.name}"
            data += piece
        return data

    def log(self, frame, tokens, words):
        """Writes down a frame of the server, which the tokens must spell."""
        if "[" not in tokens:
            assert self.bindings.encode(tokens) == frame
        self.conversation.step(f"{self.name} <- {' '.join(tokens)}", words)

    # What a script expects

    def reply(self, body):
        """The next reply; events before it are written down first. The error."""
        while True:
            frame = self.read()
            if frame[:4] != b"\xff\xff\xff\xff":
                break
            self.log(frame, *replies.event(frame, self.bindings))
        tokens, words, error = replies.reply(frame, self.bindings, body)
        self.log(frame, tokens, words)
        return error

    def event(self):
        """The next frame is an event."""
        frame = self.read()
        self.log(frame, *replies.event(frame, self.bindings))

    def is_closed(self):
        """The server closes the connection and says nothing more."""
        try:
            assert not self.socket.recv(1), f"{self.name} is still open"
        except ConnectionResetError:
            pass
        self.gone(f"{self.name} is closed")

    def closes(self):
        """The client drops its connection."""
        self.gone(f"{self.name} closes")

    def gone(self, line):
        """The connection is no more."""
        self.socket.close()
        self.socket = None
        self.conversation.step(line)

    # Sessions

    def ask_session(self, timeout=10000, session=None, password=ZEROS, seen=0, read_only=False, protocol=0, tail=b""):
        """ConnectRequest; `session` is the name of one, or a number; `password` its bytes or the name of a session."""
        words = f"ConnectRequest timeOut {timeout}, session {session or 0}, lastZxidSeen {seen}"
        words += ", no readOnly" if read_only is None else f", readOnly {int(read_only)}"
        tokens = int32(protocol) + (self.at(seen)) + int32(timeout)
        if isinstance(session, str):
            tokens += [f"{{session:{session}}}"]
            password = session if password is ZEROS else password
        else:
            tokens += int64(session or 0)
        tokens += int32(16) + [f"{{password:{password}}}"] if isinstance(password, str) else buffer(password)
        tokens += [] if read_only is None else boolean(read_only)
        tokens += [tail.hex()] if tail else []
        self.write(tokens, words)

    def connect_response(self):
        """The answer to a ConnectRequest; the session id."""
        frame = self.read()
        tokens, words, session = replies.connect_response(frame, self.bindings, self.name)
        self.log(frame, tokens, words)
        self.attached = session != 0
        return session

    def connect(self, **how):
        """A session is asked for and granted, or refused as gone."""
        self.ask_session(**how)
        return self.connect_response()

    @staticmethod
    def at(zxid):
        """A zxid in a request: 0, -1, or relative to the start of the conversation."""
        return int64(zxid) if zxid <= 0 else [f"{{zxid+{zxid}}}"]


def base_zxid(address):
    """The last zxid of a server, asked with `srvr`."""
    with socket.create_connection(address, timeout=PATIENCE_SECONDS) as asked:
        asked.sendall(b"srvr")
        text = b""
        while piece := asked.recv(4096):
            text += piece
    return int(re.search(rb"Zxid: 0x([0-9a-f]+)", text).group(1), 16)
