#!/usr/bin/env python3
"""What others wrote, against zabrus: clients, and Apache's server, with which data move to and fro. What they need is
installed below target/foreign.

  run.py --zabrus target/release/zabrus kazoo c zkcli curator migration

Exit status: 0 passed, 1 failed, 77 a tool is missing and something was not run.
"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
from ensemble import Ensemble  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.path.join(os.path.dirname(os.path.dirname(HERE)), "target", "foreign")
NOT_RUN = 77

KAZOO = ["kazoo==2.11.0", "pytest==9.2.0", "pytest-timeout==2.4.0", "objgraph==3.7.0", "gevent==26.9.0",
         "eventlet==0.41.3", "pure-sasl==0.6.2"]
# What is not there yet: TLS, SASL.
KAZOO_WITHOUT = "not TestSSLClient and not test_sasl"
# Files that run a second time with clients that know only an observer.
KAZOO_OBSERVER = ["test_client.py", "test_watchers.py", "test_lock.py", "test_queue.py"]
# So many pass on Apache's server, too. Fewer would mean that some did not run.
KAZOO_PASSES, KAZOO_OBSERVER_PASSES = 485, 175
# More failures than this are no accident.
KAZOO_SECOND_TRIES = 3

# Debian has the version 3.8 of the clients in C and Java, and of the server.
PACKAGES_C = ["libzookeeper-mt2", "libzookeeper-mt-dev"]
PACKAGES_JAVA = ["libzookeeper-java", "libslf4j-java", "libnetty-java", "libcommons-cli-java", "libguava-java",
                 "libjackson2-annotations-java", "libjackson2-core-java", "libjackson2-databind-java",
                 "libcurator-client-java", "libcurator-framework-java", "libcurator-recipes-java"]
PACKAGES_SERVER = ["libdropwizard-metrics-java", "libcommons-io-java", "libsnappy-java"]
JARS = ["zookeeper", "zookeeper-jute", "slf4j-api", "slf4j-nop", "netty-all", "netty-buffer", "netty-common",
        "netty-handler", "netty-resolver", "netty-transport", "netty-codec", "netty-transport-native-epoll",
        "netty-transport-native-unix-common", "commons-cli", "guava", "jackson-annotations", "jackson-core",
        "jackson-databind", "curator-client", "curator-framework", "curator-recipes"]
JARS_SERVER = ["metrics-core", "commons-io", "snappy-java"]

MIGRATE = os.path.join(os.path.dirname(HERE), "migration", "migrate.py")
# It takes half of this on an idle machine with two cores.
MIGRATE_SECONDS = 200


class Missing(Exception):
    """A tool that this machine does not have."""


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Missing(f"{program} is not installed")


def packages(names):
    """Unpacks packages of Debian, without installing them. Returns where they are."""
    need("apt-get", "dpkg-deb")
    root = os.path.join(TARGET, "root")
    os.makedirs(root, exist_ok=True)
    done = os.path.join(TARGET, "unpacked")
    unpacked = set(open(done).read().split()) if os.path.exists(done) else set()
    for name in [name for name in names if name not in unpacked]:
        with tempfile.TemporaryDirectory(dir=TARGET) as folder:
            download = ["apt-get", "-qq", "download", name]
            if subprocess.run(download, cwd=folder, stderr=subprocess.DEVNULL).returncode:
                # The lists of packages may be missing or old.
                subprocess.run(["apt-get", "-qq", "update"], check=True)
                subprocess.run(download, cwd=folder, check=True)
            for file in os.listdir(folder):
                subprocess.run(["dpkg-deb", "-x", os.path.join(folder, file), root], check=True)
        with open(done, "a") as file:
            file.write(f"{name}\n")
    return root


def python_with_kazoo():
    """A Python of its own, with kazoo and what its tests need."""
    python = os.path.join(TARGET, "venv", "bin", "python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", os.path.join(TARGET, "venv")], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *KAZOO], check=True)
    return python


def kazoo(zabrus):
    """kazoo's own tests, of which its wheel has all."""
    python = python_with_kazoo()
    where = "import importlib.util as u; print(u.find_spec('kazoo').submodule_search_locations[0])"
    tests = os.path.join(subprocess.check_output([python, "-c", where], text=True).strip(), "tests")
    runs = [(0, [tests], KAZOO_PASSES),
            (1, [os.path.join(tests, name) for name in KAZOO_OBSERVER], KAZOO_OBSERVER_PASSES)]
    verdicts = {}

    def run(observers, arguments, expected):
        with tempfile.TemporaryDirectory() as folder:
            options = dict(binary=zabrus, folder=os.path.join(folder, "ensemble"), observers=observers)
            environment = {**os.environ, "FOREIGN_KAZOO": json.dumps(options), "PYTHONPATH": HERE,
                           "PYTHONDONTWRITEBYTECODE": "1"}
            environment.pop("CI", None)

            def pytest(arguments):
                done = subprocess.run(
                    [python, "-m", "pytest", "-p", "kazoo_servers", "-p", "no:cacheprovider", "-q", "-rfEs",
                     "--tb=short", "--timeout=180", "-o", "addopts=", "--rootdir", tests, "-k", KAZOO_WITHOUT,
                     *arguments],
                    cwd=tests, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
                passed = re.search(r"(\d+) passed", done.stdout)
                return done, int(passed[1]) if passed else 0

            done, count = pytest(arguments)
            # Some tests sleep for a tenth of a second and then look: on a busy machine that is too short. What
            # failed is tried once more, and said to be.
            failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
            if 0 < len(failed) <= KAZOO_SECOND_TRIES:
                print(f"kazoo: a second try of {', '.join(failed)}:\n{done.stdout[-6000:]}", flush=True)
                done, more = pytest([os.path.join(tests, name) for name in failed])
                count += more
        verdicts[observers] = done.returncode == 0 and count == expected
        through = "an observer" if observers else "participants"
        print(f"kazoo through {through}: {count} passed, {expected} expected")
        print(done.stdout[-6000:] if not verdicts[observers] else done.stdout[-400:], done.stderr[-2000:], flush=True)

    # Both at once: they wait for sessions to expire most of the time.
    threads = [threading.Thread(target=run, args=each) for each in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(verdicts) == len(runs) and all(verdicts.values())


def converse(command, zabrus, text=None, environment=None):
    """Runs a program against three servers and an observer. `{servers}` in the command stands for their
    addresses. A line KILL of the program asks for kill -9 of the leader. Returns its exit status and output."""
    with tempfile.TemporaryDirectory() as folder:
        ensemble = Ensemble(zabrus, os.path.join(folder, "ensemble"), observers=1)
        try:
            ensemble.start()
            servers = ",".join(server.address for server in ensemble.servers)
            program = subprocess.Popen([word.replace("{servers}", servers) for word in command],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True,
                                       env={**os.environ, **(environment or {})})
            watchdog = threading.Timer(120, program.kill)
            watchdog.start()
            if text is not None:
                program.stdin.write(text)
                program.stdin.close()
            lines = []
            for line in program.stdout:
                print(f"  {line}", end="", flush=True)
                lines.append(line.rstrip("\n"))
                if line == "KILL\n":
                    ensemble.leader().stop(signal.SIGKILL)
                    program.stdin.write("done\n")
                    program.stdin.flush()
            status = program.wait()
            watchdog.cancel()
            return status, lines
        finally:
            ensemble.terminate()


def c(zabrus):
    """A program with ZooKeeper's own library for C."""
    need("cc")
    root = packages(PACKAGES_C)
    library, program = os.path.join(root, "usr/lib", multiarch()), os.path.join(TARGET, "program-c")
    subprocess.run(["cc", "-Wall", "-Werror", "-DTHREADED", "-I", os.path.join(root, "usr/include/zookeeper"), "-o", program,
                    os.path.join(HERE, "program.c"), "-L", library, "-lzookeeper_mt"], check=True)
    status, lines = converse([program, "{servers}"], zabrus, environment={"LD_LIBRARY_PATH": library})
    return status == 0 and lines[-1:] == ["all done"]


def multiarch():
    return subprocess.check_output(["dpkg-architecture", "-qDEB_HOST_MULTIARCH"], text=True).strip() \
        if shutil.which("dpkg-architecture") else f"{os.uname().machine}-linux-gnu"


def jars(more_packages=(), more=()):
    folder = os.path.join(packages([*PACKAGES_JAVA, *more_packages]), "usr/share/java")
    return ":".join(os.path.join(folder, f"{name}.jar") for name in [*JARS, *more])


ZKCLI = [
    # What is typed, and a pattern that its answer must match.
    ("create /cli one", r"Created /cli"),
    ("get -s /cli", r"one\ncZxid = 0x[0-9a-f]+\n(.*\n)*dataVersion = 0\n"),
    ("set -v 0 /cli two", r""),
    ("set -v 0 /cli three", r"version No is not valid"),
    ("get /cli", r"^two$"),
    ("create -s /cli/n- x", r"Created /cli/n-0000000000"),
    ("create -e /cli/ephemeral x", r"Created /cli/ephemeral"),
    ("create -c /cli/container", r"Created /cli/container"),
    ("create -t 100000 /cli/ttl x", r"Created /cli/ttl"),
    ("create /cli again", r"Node already exists: /cli"),
    ("ls -R /cli", r"/cli\n/cli/container\n/cli/ephemeral\n/cli/n-0000000000\n/cli/ttl"),
    ("getAllChildrenNumber /cli", r"^4$"),
    ("getEphemerals /cli", r"/cli/ephemeral"),
    ("delete /cli", r"Node not empty: /cli"),
    ("setquota -n 100 /cli", r""),
    ("listquota /cli", r"Output quota for /cli"),
    ("delquota /cli", r""),
    ("addauth digest user:secret", r""),
    ("create /cli/secret x auth::cdrwa", r"Created /cli/secret"),
    ("getAcl /cli/secret", r"'digest,'user:"),
    ("sync /cli", r"Sync is OK"),
    ("get /nowhere", r"Node does not exist: /nowhere"),
    ("config", r"server\.1=127\.0\.0\.1:"),
    ("deleteall /cli", r""),
    ("ls /", r"^\[zookeeper\]$"),
]


def zkcli(zabrus):
    """Apache's shell: each answer stands between two marks."""
    need("java")
    typed = "".join(f"{command}\nget /mark-{number}\n" for number, (command, _) in enumerate(ZKCLI))
    status, lines = converse(["java", "-cp", jars(), "org.apache.zookeeper.ZooKeeperMain", "-waitforconnection",
                              "-server", "{servers}"], zabrus, text=typed + "ls /\nquit\n")
    rest, good = "\n".join(lines), status == 0
    for number, (command, expected) in enumerate(ZKCLI):
        answer, mark, rest = rest.partition(f"Node does not exist: /mark-{number}\n")
        if not mark or not re.search(expected, answer, re.MULTILINE):
            print(f"zkCli: {command!r}: the answer does not match {expected!r}:\n{answer}")
            good = False
    return good


def curator(zabrus):
    """A program with Curator, which builds its recipes on ZooKeeper's library for Java."""
    need("java", "javac")
    classes = os.path.join(TARGET, "classes")
    subprocess.run(["javac", "-cp", jars(), "-d", classes, os.path.join(HERE, "Recipes.java")], check=True)
    status, lines = converse(["java", "-cp", f"{jars()}:{classes}", "Recipes", "{servers}"], zabrus)
    return status == 0 and lines[-1:] == ["all done"]


def migration(zabrus):
    """Data that move between live servers of Apache's and ours."""
    need("java")
    command = [python_with_kazoo(), MIGRATE, "--classpath", jars(PACKAGES_SERVER, JARS_SERVER), "--zabrus", zabrus]
    # Its servers are killed with it when it takes too long.
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        return process.wait(MIGRATE_SECONDS) == 0
    except subprocess.TimeoutExpired as late:
        print(late)
        return False
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zabrus", required=True, help="the program")
    clients = {"kazoo": kazoo, "c": c, "zkcli": zkcli, "curator": curator, "migration": migration}
    parser.add_argument("clients", nargs="+", choices=clients)
    options = parser.parse_args()
    os.makedirs(TARGET, exist_ok=True)
    status = 0
    for name in options.clients:
        begin = time.monotonic()
        try:
            verdict = "passed" if clients[name](os.path.abspath(options.zabrus)) else "FAILED"
        except Missing as missing:
            verdict = f"NOT RUN: {missing}"
        except subprocess.CalledProcessError as error:
            print(error)
            verdict = "FAILED"
        print(f"{name}: {verdict} after {time.monotonic() - begin:.0f} s", flush=True)
        if verdict == "FAILED":
            status = 1
        elif verdict != "passed" and status == 0:
            status = NOT_RUN
    return status


if __name__ == "__main__":
    sys.exit(main())
