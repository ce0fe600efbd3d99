"""A cluster of its own for a test, and a small XMPP client to test it with.

    with Cluster(frontends=2) as cluster:
        alice = cluster.client("alice", frontend=1)
        bob = cluster.client("bob", frontend=2)

Nothing here sleeps for synchronisation: wait_until and Client.wait poll or
block for a condition with a deadline.
"""
import base64
import ctypes
import hashlib
import hmac
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import xml.etree.ElementTree as ET

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("OCEAN_BUILD", os.path.join(ROOT, "build", "bin"))
CLIENT = "{jabber:client}"
STREAM = "{http://etherx.jabber.org/streams}"
SASL = "{urn:ietf:params:xml:ns:xmpp-sasl}"
TLS = "{urn:ietf:params:xml:ns:xmpp-tls}"
BIND = "{urn:ietf:params:xml:ns:xmpp-bind}"
ROSTER = "{jabber:iq:roster}"
STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
STREAMS = "{urn:ietf:params:xml:ns:xmpp-streams}"
SM = "{urn:xmpp:sm:3}"
SM_XMLNS = "xmlns='urn:xmpp:sm:3'"
PARTITIONS = 8
SLOTS = 4  # tests that may run side by side


class Failure(Exception):
    pass


def check(claim, text):
    if not claim:
        raise Failure(text)


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
    def __init__(self, frontends=1, tls="off", users=("alice", "bob"), **counts):
        self.run_dir = tempfile.mkdtemp(prefix="ocean-test-")
        self.frontends = frontends
        self.tls = tls
        self.users = users
        self.counts = counts
        self.port = free_port(10000, 14000, [10 * i for i in range(frontends)])
        self.broker_port = free_port(16000, 20000, (10000, 10100, 10200))
        self.clients = []

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
        arguments = ["--port", str(self.port), "--broker-port",
                     str(self.broker_port), "--tls", self.tls,
                     "--frontends", str(self.frontends)]
        for name, count in self.counts.items():
            arguments += ["--" + name.replace("_", "-"), str(count)]
        self.launcher("up", *arguments)
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
        if not os.environ.get("OCEAN_KEEP"):
            shutil.rmtree(self.run_dir, ignore_errors=True)
        if not kind and (sanitizer or crashed):
            raise Failure("\n".join(sanitizer + crashed))

    def down(self):
        """The daemons orderly; the broker, which takes its time, at once."""
        names = [n for n in os.listdir(os.path.join(self.run_dir, "pid"))
                 if not n.startswith("rabbitmq")]
        pids = [self.pid(n) for n in names]
        for pid in filter(is_running, pids):
            os.kill(pid, signal.SIGTERM)
        try:
            wait_until(lambda: not any(map(is_running, pids)), "all are stopped", 15)
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


class Client:
    """One XMPP stream.  A thread reads; stanzas gather in `received`."""

    def __init__(self, port, tls=False, certificate=None, connect=True):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.certificate = certificate
        self.received = []  # every element, in order
        self.changed = threading.Condition()
        self.is_closed = False  # the server has closed the socket
        self.is_stream_closed = False
        self.error = None  # the stream error's condition
        self.features = None
        self.jid = None
        self.ids = 0
        self.stanzas = 0  # received; since XEP-0198 was enabled
        self.reader = None
        if connect:
            self.open()
            if tls:
                self.start_tls()

    # Stream.

    def open(self, header=None):
        self.start_reading()
        self.send(header or
                  "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' "
                  "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>")
        self.features = self.wait(lambda e: e.tag == STREAM + "features", "features")

    def start_reading(self):
        self.parser = ET.XMLPullParser(("start", "end"))
        self.depth = 0
        if not self.reader:
            self.reader = threading.Thread(target=self.read, daemon=True)
            self.pause = threading.Event()
            self.socket.settimeout(None)
            self.reader.start()

    def read(self):
        while True:
            try:
                data = self.socket.recv(65536)
            except (OSError, ssl.SSLError):
                data = b""
            with self.changed:
                if not data:
                    self.is_closed = True
                    self.changed.notify_all()
                    return
                proceed = self.feed(data)
                self.changed.notify_all()
            if proceed:  # the main thread takes the socket for the handshake
                self.pause.wait()
                self.pause.clear()

    def feed(self, data):
        proceed = False
        self.parser.feed(data)
        for event, element in self.parser.read_events():
            self.depth += 1 if event == "start" else -1
            if event == "start" and self.depth == 1:
                self.root = element
            if event == "end" and self.depth == 1:
                self.take(element)
                proceed = element.tag == TLS + "proceed"
                self.root.remove(element)
            elif event == "end" and self.depth == 0:
                self.is_stream_closed = True
        return proceed

    def take(self, element):
        if element.tag in (CLIENT + "message", CLIENT + "presence", CLIENT + "iq"):
            self.stanzas += 1
        elif element.tag == "{urn:xmpp:sm:3}enabled":
            self.stanzas = 0
        if element.tag == STREAM + "error":
            self.error = element[0].tag.split("}")[1]
        self.received.append(element)

    def start_tls(self):
        self.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        self.wait(lambda e: e.tag == TLS + "proceed")
        context = ssl.create_default_context(cafile=self.certificate)
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.parser = ET.XMLPullParser(("start", "end"))
        self.depth = 0
        self.received.clear()
        self.pause.set()
        self.open()

    def send(self, text):
        self.socket.sendall(text.encode() if isinstance(text, str) else text)

    def wait(self, wanted, text="an element", seconds=20, take=True):
        """The first element received (and not taken yet) that is wanted."""
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                for element in self.received:
                    if wanted(element):
                        if take:
                            self.received.remove(element)
                        return element
                if self.is_closed:
                    raise Failure("closed (%s) while waiting for %s" % (self.error, text))
                left = end - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    raise Failure("waited %s s for %s; got %s" % (
                        seconds, text, [ET.tostring(e)[:300] for e in self.received[-5:]]))

    def wait_closed(self, seconds=20):
        """Until the server has closed the connection; the stream error or None."""
        with self.changed:
            check(self.changed.wait_for(lambda: self.is_closed, seconds),
                  "the connection was not closed")
        return self.error

    def count(self, wanted):
        with self.changed:
            return sum(1 for e in self.received if wanted(e))

    def close(self):
        self.send("</stream:stream>")
        self.wait_closed()

    def drop(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    # Login.

    def auth(self, mechanism, data):
        self.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='%s'>%s</auth>"
                  % (mechanism, base64.b64encode(data).decode() if data else "="))

    def sasl_answer(self):
        return self.wait(lambda e: e.tag.startswith(SASL), "a SASL answer")

    def login(self, name, password, mechanism="SCRAM-SHA-256"):
        answer = self.try_login(name, password, mechanism)
        check(answer.tag == SASL + "success", "login of %s: %s" % (name, ET.tostring(answer)))
        self.user = name
        self.open()

    def try_login(self, name, password, mechanism="SCRAM-SHA-256"):
        if mechanism == "PLAIN":
            self.auth("PLAIN", b"\0" + name.encode() + b"\0" + password.encode())
            return self.sasl_answer()
        return self.scram(name, password, mechanism[6:].replace("-", "").lower(), mechanism)

    def scram(self, name, password, digest, mechanism):
        nonce = base64.b64encode(os.urandom(18)).decode()
        bare = "n=%s,r=%s" % (name.replace("=", "=3D").replace(",", "=2C"), nonce)
        self.auth(mechanism, ("n,," + bare).encode())
        answer = self.sasl_answer()
        if answer.tag != SASL + "challenge":
            return answer
        first = base64.b64decode(answer.text).decode()
        fields = dict(f.split("=", 1) for f in first.split(","))
        check(fields["r"].startswith(nonce), "the server's nonce begins with ours")
        salted = hashlib.pbkdf2_hmac(digest, password.encode(),
                                     base64.b64decode(fields["s"]), int(fields["i"]))
        mac = lambda key, text: hmac.new(key, text, digest).digest()
        key = mac(salted, b"Client Key")
        final = "c=biws,r=" + fields["r"]
        message = ",".join((bare, first, final)).encode()
        proof = bytes(a ^ b for a, b in
                      zip(key, mac(hashlib.new(digest, key).digest(), message)))
        data = (final + ",p=" + base64.b64encode(proof).decode()).encode()
        self.send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>%s</response>"
                  % base64.b64encode(data).decode())
        answer = self.sasl_answer()
        if answer.tag == SASL + "success":
            signature = base64.b64encode(mac(mac(salted, b"Server Key"), message))
            check(base64.b64decode(answer.text) == b"v=" + signature,
                  "the server proves that it knows the keys")
        return answer

    def bind(self, resource=None):
        inner = "<resource>%s</resource>" % resource if resource else ""
        answer = self.iq("set", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>%s</bind>"
                         % inner)
        check(answer.get("type") == "result", "bind: %s" % ET.tostring(answer))
        self.jid = answer[0][0].text
        self.bare = self.jid.split("/")[0]
        return self.jid

    # Stream management, XEP-0198.

    def enable(self, resume=False):
        self.send("<enable %s%s/>" % (SM_XMLNS, " resume='true'" if resume else ""))
        enabled = self.wait(lambda e: e.tag == SM + "enabled", "enabled")
        self.token = enabled.get("id")
        return enabled

    def handled(self, seconds=20):
        """What the server says it has handled."""
        self.send("<r %s/>" % SM_XMLNS)
        return int(self.wait(lambda e: e.tag == SM + "a", "an answer", seconds).get("h"))

    def acknowledge(self, count=None):
        """That many stanzas; all that have come."""
        self.send("<a %s h='%d'/>" % (SM_XMLNS, self.stanzas if count is None else count))

    def resume(self, former):
        """Asks for the session of another connection, which it then has."""
        self.stanzas = former.stanzas
        self.jid, self.bare, self.token = former.jid, former.bare, former.token
        self.send("<resume %s previd='%s' h='%d'/>" % (SM_XMLNS, former.token, former.stanzas))
        return self.wait(lambda e: e.tag in (SM + "resumed", SM + "failed"), "resumed or failed")

    # Stanzas.

    def next_id(self):
        self.ids += 1
        return "i%d" % self.ids

    def send_iq(self, kind, payload, to=None):
        number = self.next_id()
        address = " to='%s'" % to if to else ""
        self.send("<iq type='%s' id='%s'%s>%s</iq>" % (kind, number, address, payload))
        return number

    def iq(self, kind, payload, to=None, seconds=20):
        number = self.send_iq(kind, payload, to)
        return self.wait(lambda e: e.tag == CLIENT + "iq" and e.get("id") == number and
                         e.get("type") in ("result", "error"),
                         "the answer to iq " + number, seconds)

    def ping(self):
        """Comes back from delivery: what was sent before has been handled."""
        return self.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>",
                       to="localhost")

    def message(self, to, body, kind="chat", number=None):
        self.send("<message to='%s' type='%s' id='%s'><body>%s</body></message>"
                  % (to, kind, number or self.next_id(), body))

    def wait_message(self, body=None, seconds=20):
        return self.wait(lambda e: e.tag == CLIENT + "message" and
                         (body is None or e.findtext(CLIENT + "body") == body),
                         "message %s" % body, seconds)

    def wait_presence(self, sender=None, kind=None, seconds=20):
        return self.wait(lambda e: e.tag == CLIENT + "presence" and e.get("type") == kind and
                         (sender is None or e.get("from", "").startswith(sender)),
                         "presence %s from %s" % (kind, sender), seconds)

    def bodies(self):
        with self.changed:
            return [e.findtext(CLIENT + "body") for e in self.received
                    if e.tag == CLIENT + "message" and e.find(CLIENT + "body") is not None]


def error_of(stanza):
    """The condition of a stanza error."""
    error = stanza.find(CLIENT + "error")
    check(error is not None, "expected an error: %s" % ET.tostring(stanza))
    return [c.tag for c in error if c.tag.startswith(STANZAS)][0].split("}")[1]


def main(test):
    try:
        test()
    except Failure as failure:
        print("FAILED: %s" % failure)
        sys.exit(1)
