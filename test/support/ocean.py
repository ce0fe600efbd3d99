"""A cluster of its own for a test, and clients of it (xmpp_client.py).

    with Cluster(frontends=2) as cluster:
        alice = cluster.client("alice", frontend=1)
        bob = cluster.client("bob", frontend=2)

Nothing here sleeps for synchronisation: wait_until and Client.wait poll or
block for a condition with a deadline.

A broker takes as much time to start as most tests take to run.  Where
test/support/run-all names a folder for it in TEST_BROKERS, tests that come one
after the other use the same one, each with an empty virtual host.
"""
import base64
import ctypes
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

# Tests import all of it from here.
from xmpp_client import CLIENT, ROSTER, SASL, SM, Client, Failure, check, error_of  # noqa: F401

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("OCEAN_BUILD", os.path.join(ROOT, "build", "bin"))
PARTITIONS = 8
SLOTS = 4  # tests that may run side by side


def wait_until(condition, text, seconds=20, every=0.02):
    """Returns the condition's first true value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure("waited %s s for: %s" % (seconds, text))
        threading.Event().wait(every)


def free_port(first, last, others=()):
    """A port P so that P and every P + o are free on loopback.  Tests that run
    side by side (test/support/run-all) each have their own part of the range."""
    if "TEST_SLOT" in os.environ:
        part = (last - first) // SLOTS
        first += part * (int(os.environ["TEST_SLOT"]) % SLOTS)
        last = first + part - max(others, default=0) % part
    while True:
        port = random.randrange(first, last)
        try:
            for offset in (0,) + tuple(others):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + offset))
            return port
        except OSError:
            continue


def partition_of(bare):
    xxh64 = ctypes.CDLL("libxxhash.so.0").XXH64
    xxh64.restype = ctypes.c_uint64
    xxh64.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]
    return xxh64(bare.encode(), len(bare), 0) % PARTITIONS


class Cluster:
    def __init__(self, frontends=1, tls="off", users=("alice", "bob"), own_broker=False,
                 **counts):
        """own_broker: for a test that does something to it."""
        self.shares_broker = "TEST_BROKERS" in os.environ and not own_broker
        if self.shares_broker:
            self.run_dir = os.path.join(os.environ["TEST_BROKERS"], os.environ["TEST_SLOT"])
        else:
            self.run_dir = tempfile.mkdtemp(prefix="ocean-test-")
        self.frontends = frontends
        self.tls = tls
        self.users = users
        self.counts = counts
        self.port = free_port(10000, 14000, [10 * i for i in range(frontends)])
        self.broker_port = free_port(16000, 20000, (10000, 10100, 10200))
        self.clients = []
        self.said = ""  # what the launcher printed

    # A broker that was there before.

    def take_over(self):
        """What the test before has left is removed."""
        for name in self.names_with_pid():
            if name != "rabbitmq.1" and self.is_ours(self.pid(name)):
                os.kill(self.pid(name), signal.SIGKILL)
        if not self.has_broker():
            shutil.rmtree(self.run_dir, ignore_errors=True)
            os.mkdir(self.run_dir)
            return
        self.broker_port = int(self.setting("broker-port"))
        for name in os.listdir(self.run_dir):
            if name not in ("broker", "secrets", "pid"):
                remove(os.path.join(self.run_dir, name))
        self.management("vhosts/ocean", "DELETE")
        self.management("definitions", "POST", json.loads(self.definitions()))

    def has_broker(self):
        try:
            return self.is_ours(self.pid("rabbitmq.1"))
        except FileNotFoundError:
            return False

    def setting(self, name):
        with open(os.path.join(self.run_dir, "settings")) as file:
            return dict(line.rstrip("\n").split("=", 1) for line in file)[name]

    def definitions(self):
        return self.ctl("definitions", "--secrets", os.path.join(self.run_dir, "secrets"),
                        "--partitions", str(self.counts.get("partitions", PARTITIONS)),
                        "--queue-type", self.counts.get("queue_type", "classic")).stdout

    # Life.

    def launcher(self, command, *arguments, ok=True, timeout=150):
        done = subprocess.run(
            [os.path.join(ROOT, "deploy", "cluster"), command, *arguments,
             "--run-dir", self.run_dir],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=timeout)
        if ok and done.returncode:
            raise Failure("deploy/cluster %s: %s" % (command, done.stdout))
        return done

    def up(self):
        if self.shares_broker:
            self.take_over()
        arguments = ["--port", str(self.port), "--broker-port",
                     str(self.broker_port), "--tls", self.tls,
                     "--frontends", str(self.frontends)]
        for name, count in self.counts.items():
            arguments += ["--" + name.replace("_", "-"), str(count)]
        self.said = self.launcher("up", *arguments).stdout
        self.add_users(*self.users)

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self.show_logs()
            self.launcher("down", ok=False)
            raise
        return self

    def __exit__(self, kind, value, trace):
        for client in self.clients:
            client.drop()
        if kind:
            self.show_logs()
        self.down()
        sanitizer = self.grep_logs("AddressSanitizer", "runtime error", "LeakSanitizer")
        crashed = self.grep_logs(" bug: ")
        if not self.shares_broker and not os.environ.get("OCEAN_KEEP"):
            shutil.rmtree(self.run_dir, ignore_errors=True)
        if not kind and (sanitizer or crashed):
            raise Failure("\n".join(sanitizer + crashed))

    def down(self):
        """The daemons orderly; the broker, which takes its time, at once."""
        pids = [self.pid(n) for n in self.names_with_pid() if n != "rabbitmq.1"]
        for pid in filter(is_running, pids):
            os.kill(pid, signal.SIGTERM)
        try:
            wait_until(lambda: not any(map(is_running, pids)), "all are stopped", 15)
            if self.shares_broker:
                return
            self.kill_broker()
        except (Failure, OSError):
            pass  # what the launcher finds it kills, and says so
        self.launcher("down", ok=False)

    def logs(self):
        folder = os.path.join(self.run_dir, "log")
        if not os.path.isdir(folder):
            return {}
        texts = {}
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), errors="replace") as log:
                texts[name] = log.read()
        return texts

    def log(self, daemon):
        return self.logs().get(daemon + ".log", "")

    def grep_logs(self, *words):
        return [name + ": " + line for name, text in self.logs().items()
                for line in text.splitlines() if any(w in line for w in words)]

    def show_logs(self, lines=25):
        for name, text in self.logs().items():
            if not name.startswith("rabbitmq"):
                print("--- " + name)
                print("\n".join(text.splitlines()[-lines:]))

    # Tools.

    def ctl(self, *arguments, stdin="", ok=True, timeout=60):
        done = subprocess.run(
            [os.path.join(BUILD, "oceanctl"), "--run-dir", self.run_dir, *arguments],
            input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, timeout=timeout)
        if ok and done.returncode:
            raise Failure("oceanctl %s: %s" % (" ".join(arguments), done.stderr))
        return done

    def owner(self, service, user):
        """The instance that owns the partition of that bare JID, "delivery.2"; or None."""
        for line in self.ctl("status").stdout.splitlines():
            fields = line.split()
            if len(fields) == 4 and fields[1] == service and \
                    fields[3][partition_of(user)] == "o":
                return fields[0].split("-")[0]
        return None

    def add_users(self, *names):
        lines = "".join("%s@localhost\tsecret-%s\n" % (n, n) for n in names)
        if names:
            self.ctl("user", "import", "-", stdin=lines)

    def is_ours(self, pid):
        """Its command names our folder: the number may be another's by now."""
        try:
            with open("/proc/%d/cmdline" % pid) as command:
                return self.run_dir + "/" in command.read()
        except FileNotFoundError:
            return False

    def names_with_pid(self):
        try:
            return os.listdir(os.path.join(self.run_dir, "pid"))
        except FileNotFoundError:
            return []

    def pid(self, name):
        with open(os.path.join(self.run_dir, "pid", name)) as file:
            return int(file.read())

    def kill(self, name, number=signal.SIGKILL):
        pid = self.pid(name)
        os.kill(pid, number)
        if number == signal.SIGKILL:
            wait_until(lambda: not is_running(pid), name + " is gone")

    def start_missing(self, **counts):
        """Starts again what was killed: DAEMON=N."""
        return self.launcher("scale", "--early", *["%s=%d" % c for c in counts.items()])

    def start(self, name, **environment):
        """Starts one instance ("delivery.2") as the launcher does, with more in
        its environment; returns at once."""
        daemon, instance = name.split(".")
        arguments = ["--config", os.path.join(self.run_dir, daemon + ".conf"),
                     "--instance", instance]
        if daemon == "frontend":
            arguments += ["--port", str(self.frontend_port(int(instance)))]
        with open(os.path.join(self.run_dir, "log", name + ".log"), "a") as log:
            process = subprocess.Popen(
                [os.path.join(BUILD, "ocean-" + daemon), *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, env={**os.environ, **environment})
        with open(os.path.join(self.run_dir, "pid", name), "w") as file:
            file.write(str(process.pid))
        return process

    def kill_broker(self):
        group = self.pid("rabbitmq.1")
        os.killpg(group, signal.SIGKILL)
        wait_until(lambda: not group_is_running(group), "the broker is gone")

    def start_broker(self):
        self.launcher("broker")

    def management(self, path, method="GET", body=None):
        """The answer of the broker's management API, as text."""
        password = open(os.path.join(self.run_dir, "secrets", "admin")).read().strip()
        request = urllib.request.Request(
            "http://127.0.0.1:%d/api/%s" % (self.broker_port + 10000, path), method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json"})
        token = base64.b64encode(("admin:" + password).encode()).decode()
        request.add_header("Authorization", "Basic " + token)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def queues(self):
        """Ready and unacknowledged messages and consumers, by queue."""
        return {q["name"]: q for q in json.loads(self.management(
            "queues/ocean?disable_stats=true&enable_queue_totals=true"))}

    def close_queues(self, pattern):
        """From now on they reject everything; until open_queues."""
        self.management("policies/ocean/closed", "PUT", {
            "pattern": pattern, "apply-to": "queues",
            "definition": {"max-length": 0, "overflow": "reject-publish"}})

    def open_queues(self):
        self.management("policies/ocean/closed", "DELETE")

    # Clients.

    def frontend_port(self, frontend):
        return self.port + 10 * (frontend - 1)

    def connect(self, frontend=1, tls=None):
        tls = self.tls != "off" if tls is None else tls
        client = Client(self.frontend_port(frontend), tls, self.certificate())
        self.clients.append(client)
        return client

    def certificate(self):
        return os.path.join(self.run_dir, "tls", "certificate.pem")

    def resume(self, former, frontend=1, mechanism="SCRAM-SHA-256"):
        """A new connection of `former`'s user that asks for its session; the
        answer: <resumed/> or <failed/>."""
        client = self.connect(frontend)
        client.login(former.user, "secret-" + former.user, mechanism)
        return client, client.resume(former)

    def client(self, name, frontend=1, resource=None, mechanism="SCRAM-SHA-256",
               presence=True):
        client = self.connect(frontend)
        client.login(name, "secret-" + name, mechanism)
        client.bind(resource)
        if presence:
            client.send("<presence/>")
            client.ping()
        return client


def remove(path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    else:
        os.remove(path)


def is_running(pid):
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def group_is_running(group):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            return True
    return False


def main(test):
    try:
        test()
    except Failure as failure:
        print("FAILED: %s" % failure)
        sys.exit(1)
