#!/usr/bin/env python3
"""Plays the commands of zkcli.txt with a shell, and writes or compares what it says.

    record.py record SHELL...    runs SHELL (zkCli of Apache ZooKeeper 3.9.5 with -server) and rewrites zkcli.txt
    record.py compare SHELL...   runs SHELL and shows where it differs from zkcli.txt

The server must be fresh, alone, and have extendedTypesEnabled=true. For example:

    java -cp "$JARS" -Dlog4j2.level=OFF org.apache.zookeeper.ZooKeeperMain -server 127.0.0.1:2181
    target/debug/zabrus cli -server 127.0.0.1:2181

In zkcli.txt `> ` begins a command, `! ` a line of standard error; other lines are standard output. What
differs from run to run (times, zxids, sessions) stands there as `<...>`. Words about the connection are left
out, since they come when they come.
"""
import pathlib, re, subprocess, sys, threading, time

FILE = pathlib.Path(__file__).parent / "zkcli.txt"
# Printed behind each command, on each output, to see which words belong to it.
OUT_MARKER = re.compile(r"printwatches is (?:on|off)\n")
ERR_MARKER = "Command index out of range\n"


def read():
    text = FILE.read_text()
    prose, _, rest = text.partition("\n> ")
    blocks = ("> " + rest).split("\n> ") if rest else []
    blocks = [block.removeprefix("> ") for block in blocks]
    return prose, [(block.partition("\n")[0], block.partition("\n")[2].rstrip("\n")) for block in blocks]


def play(shell, commands):
    process = subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = Collector(process.stdout), Collector(process.stderr)
    for number, command in enumerate(commands, 1):
        process.stdin.write(command.encode() + b"\nredo 999999\n")
        process.stdin.flush()
        err.wait(lambda text: text.count(ERR_MARKER) == number)
        # Java tells of events on another thread, a little later.
        time.sleep(0.05)
        process.stdin.write(b"printwatches\n")
        process.stdin.flush()
        out.wait(lambda text: len(OUT_MARKER.findall(text)) == number)
    process.stdin.close()
    process.wait(timeout=60)
    return list(zip(OUT_MARKER.split(out.text()), err.text().split(ERR_MARKER)))[: len(commands)]


class Collector:
    def __init__(self, stream):
        self.bytes = b""
        self.thread = threading.Thread(target=self.run, args=(stream,), daemon=True)
        self.thread.start()

    def run(self, stream):
        while some := stream.read1():
            self.bytes += some

    def wait(self, there):
        end = time.monotonic() + 30
        while self.thread.is_alive() and not there(self.bytes.decode(errors="replace")):
            assert time.monotonic() < end, "the shell says nothing any more"
            time.sleep(0.002)

    def text(self):
        self.thread.join(60)
        return self.bytes.decode()


def normal(out, err):
    out = re.sub(r"^(Connecting to .*|Welcome to .*|JLine support .*)\n", "", out, flags=re.M)
    out = re.sub(r"\nWATCHER::\n\nWatchedEvent state:\w+ type:None path:null zxid: -1\n", "", out)
    out = re.sub(r"^([cm]time) = .*$", r"\1 = <time>", out, flags=re.M)
    out = re.sub(r"^([cmp]Zxid) = 0x[1-9a-f][0-9a-f]*$", r"\1 = <zxid>", out, flags=re.M)
    out = re.sub(r" zxid: \d+$", " zxid: <zxid>", out, flags=re.M)
    out = re.sub(r"^\[(.*, .*)\]$", lambda m: "[" + ", ".join(sorted(m[1].split(", "))) + "]", out, flags=re.M)
    err = re.sub(r"^org\.apache\.commons\.cli\.\w+: ", "", err, flags=re.M).rstrip("\n")
    lines = out.rstrip("\n").split("\n") if out.strip("\n") else []
    return "\n".join(lines + ["! " + line for line in err.split("\n") if err])


def main():
    mode, shell = sys.argv[1], sys.argv[2:]
    prose, blocks = read()
    played = play(shell, [command for command, _ in blocks])
    assert len(played) == len(blocks), f"it ended after {len(played)} of {len(blocks)} commands"
    said = [normal(out, err) for out, err in played]
    if mode == "record":
        texts = [f"> {command}\n{text}".rstrip("\n") for (command, _), text in zip(blocks, said)]
        FILE.write_text(prose + "\n" + "\n".join(texts) + "\n")
        return
    different = [(command, old, new) for (command, old), new in zip(blocks, said) if old != new]
    for command, old, new in different:
        print(f"> {command}\n--- {FILE.name}\n{old}\n--- now\n{new}\n")
    print(f"{len(blocks)} commands, {len(different)} differ")
    sys.exit(1 if different else 0)


main()
