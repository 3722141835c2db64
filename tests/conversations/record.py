#!/usr/bin/env python3
"""Records conversations with a ZooKeeper server as text files. README.md tells more.

  record.py --jars DIR                    every conversation with Apache ZooKeeper, a fresh server for each
  record.py --jars DIR create multi       those whose names begin so
  record.py --jars DIR --check            records again and compares with the files
  record.py --command 'PROGRAM {config}' --check     compares another server with Apache's
  record.py --server HOST:PORT NAME       one conversation with a fresh server that already runs
"""

import argparse
import difflib
import pathlib
import shlex
import sys

sys.dont_write_bytecode = True  # the folder holds what is written by hand and what is recorded, nothing else

from recorder import server  # noqa: E402
from recorder.conversation import Conversation  # noqa: E402
from scripts import SCRIPTS  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


def record(script, address):
    """The text of one conversation."""
    conversation = Conversation(address, script.story, script.settings)
    try:
        script.play(conversation)
        return conversation.finish()
    except BaseException:
        print("\n".join(conversation.lines[-12:]), file=sys.stderr)
        raise


def from_server(script, arguments):
    """The text of one conversation with the server that the arguments name."""
    if arguments.server:
        host, port = arguments.server.rsplit(":", 1)
        return record(script, (host, int(port)))
    command = shlex.split(arguments.command) if arguments.command else server.apache(arguments.jars, script.settings)
    with server.running(command, arguments.port, script.settings) as address:
        return record(script, address)


def main():
    """Records, or compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--jars", help="the folder of the jars of Apache ZooKeeper")
    where.add_argument("--command", help="a server's command line; {config} becomes the path of its zoo.cfg")
    where.add_argument("--server", help="HOST:PORT of a fresh server with the settings of the one conversation")
    parser.add_argument("--port", type=int, default=23000, help="where a started server listens")
    parser.add_argument("--check", action="store_true", help="write nothing, show what differs")
    parser.add_argument("names", nargs="*", help="beginnings of names")
    arguments = parser.parse_args()
    chosen = [script for script in SCRIPTS if not arguments.names or script.name.startswith(tuple(arguments.names))]
    if arguments.server and len(chosen) != 1:
        parser.error("--server is for one conversation: each needs a fresh server")
    bad = []
    for script in chosen:
        path = HERE / "recorded" / f"{script.name}.conv"
        try:
            text = from_server(script, arguments)
        except (AssertionError, OSError, RuntimeError) as error:
            print(f"{script.name}: {type(error).__name__}: {error}")
            bad.append(script.name)
            continue
        if arguments.check:
            old = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            difference = list(difflib.unified_diff(old, text.splitlines(), "recorded", "now", lineterm="", n=1))
            if difference:
                bad.append(script.name)
                print(f"{script.name}:", *difference, sep="\n")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        print(f"{script.name}: {len(text.splitlines())} lines")
    print(f"{len(chosen) - len(bad)} of {len(chosen)} conversations" + (f"; not: {', '.join(bad)}" if bad else ""))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
