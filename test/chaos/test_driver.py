"""The driver against a small server of its own, which resumes sessions on any
of its ports (XEP-0198): connections are reset, resumption succeeds and fails
(with an h and without), clients leave; the checker's sums must be right."""
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DRIVER = os.path.join(HERE, "..", "..", "build", "test", "chaos_driver")
CLIENTS = 12
PACE_S = 0.05  # between two orders
BUSY = 1000  # messages until orders are given
SM = "xmlns='urn:xmpp:sm:3'"
ELEMENT = re.compile(
    rb"\s*(<\?xml.*?\?>|<stream:stream[^>]*>|</stream:stream>|"
    rb"<(\w+)(?:[^>]*[^/>])?>.*?</\2>|<\w+[^>]*/>)", re.S)


def attribute(element, name):
    found = re.search(r"\s%s='([^']*)'" % name, element)
    return found and found.group(1)


class Session:
    def __init__(self, name):
        self.name = name
        self.handled = 0  # of the client's stanzas
        self.acknowledged = 0  # by the client
        self.unacked = []
        self.connection = None

    def send(self, stanza):
        self.unacked.append(stanza)
        if self.connection:
            self.connection.write(stanza)

    def client_has(self, count):
        del self.unacked[:count - self.acknowledged]
        self.acknowledged = count


class Server:
    """`refuse`: which of the resumptions fail, and whether with an h; `cut`: a
    connection is cut after so many messages, those behind it unread."""

    def __init__(self, refuse=None, cut=0):
        self.refuse = refuse or {}
        self.cut = cut
        self.sessions = {}  # by id
        self.users = {}  # the session of a user
        self.stored = {}  # messages for who is not there
        self.resumptions = 0
        self.logins = self.messages = 0

    def is_busy(self):
        """Everybody has logged in, and sends."""
        return self.logins >= CLIENTS and self.messages >= BUSY

    def route(self, to, stanza):
        if to in self.users:
            self.users[to].send(stanza)
        else:
            self.stored.setdefault(to, []).append(
                stanza.replace("</message>", "<delay xmlns='urn:xmpp:delay'/></message>"))

    def end(self, session):
        session.connection = None
        if self.users.get(session.name) is session:
            del self.users[session.name]
        self.sessions = {i: s for i, s in self.sessions.items() if s is not session}
        for stanza in session.unacked:
            self.route(session.name, stanza)
        session.unacked = []


class Connection:
    def __init__(self, server, reader, writer):
        self.server, self.reader, self.writer = server, reader, writer
        self.user = self.session = None
        self.messages = 0

    def is_cut(self):
        return self.server.cut and self.messages >= self.server.cut

    def write(self, text):
        self.writer.write(text.encode())

    async def serve(self):
        data = b""
        try:
            while not self.is_cut() and (chunk := await self.reader.read(65536)):
                data += chunk
                while not self.is_cut() and (found := ELEMENT.match(data)):
                    data = data[found.end():]
                    self.take(found.group(1).decode())
        except ConnectionError:
            pass
        if self.session and self.session.connection is self:
            self.session.connection = None
        self.writer.close()

    def take(self, element):
        name = re.match(r"</?([\w:?]+)", element).group(1)
        if name == "stream:stream":
            self.stream(element)
        elif name != "?xml":
            getattr(self, "on_" + name)(element)

    def stream(self, element):
        if element.startswith("</"):
            self.server.end(self.session)
            self.session = None
            self.write("</stream:stream>")
            return
        self.write("<?xml version='1.0'?><stream:stream version='1.0'>"
                   "<stream:features><some/></stream:features>")

    def on_auth(self, element):
        import base64
        text = re.sub("<[^>]*>", "", element)
        self.user = base64.b64decode(text).decode().split("\0")[1]
        self.write("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")

    def on_iq(self, element):
        if "<bind " not in element:
            self.session.handled += 1
            self.session.send("<iq type='result' id='roster'><query/></iq>")
            return
        if self.user in self.server.users:
            self.server.end(self.server.users[self.user])
        self.session = Session(self.user)
        self.session.connection = self
        self.server.logins += 1
        self.write("<iq type='result' id='bind'><bind><jid>x</jid></bind></iq>")

    def on_enable(self, element):
        number = "%d&amp;" % len(self.server.sessions) + os.urandom(4).hex()
        self.server.sessions[number] = self.session
        self.write("<enabled %s id='%s' resume='true'/>" % (SM, number))

    def on_presence(self, element):
        self.session.handled += 1
        if "unavailable" in element or self.user in self.server.users:
            return
        self.server.users[self.user] = self.session
        for stanza in self.server.stored.pop(self.user, []):
            self.session.send(stanza)

    def on_message(self, element):
        self.session.handled += 1
        self.messages += 1
        self.server.messages += 1
        self.server.route(attribute(element, "to").split("@")[0], element)
        if self.session.handled % 3 == 0:
            self.write("<r %s/>" % SM)

    def on_r(self, element):
        self.write("<a %s h='%d'/>" % (SM, self.session.handled))

    def on_a(self, element):
        self.session.client_has(int(attribute(element, "h")))

    def on_resume(self, element):
        server = self.server
        session = server.sessions.get(attribute(element, "previd"))
        server.resumptions += 1
        if not session or server.resumptions in server.refuse:
            self.refuse(session, server.refuse.get(server.resumptions))
            return
        self.session, session.connection = session, self
        session.client_has(int(attribute(element, "h")))
        self.write("<resumed %s previd='%s' h='%d'/>" % (
            SM, attribute(element, "previd"), session.handled))
        for stanza in session.unacked:
            self.write(stanza)

    def refuse(self, session, with_h):
        handled = " h='%d'" % session.handled if session and with_h else ""
        self.write("<failed %s%s><item-not-found xmlns='urn:ietf:params:xml:ns:"
                   "xmpp-stanzas'/></failed>" % (SM, handled))
        if session:
            self.server.end(session)


async def until(condition):
    while not condition():
        await asyncio.sleep(0.01)


async def play(server, folder, orders, options):
    """Starts the driver, gives it the orders, and waits for its end."""
    listeners = [await asyncio.start_server(
        lambda r, w: Connection(server, r, w).serve(), "127.0.0.1", 0) for _ in range(2)]
    ports = ",".join(str(l.sockets[0].getsockname()[1]) for l in listeners)
    driver = await asyncio.create_subprocess_exec(
        DRIVER, "--journal", os.path.join(folder, "clients"), "--ports", ports,
        "--clients", str(CLIENTS), "--rate", "2000", *options,
        stdin=subprocess.PIPE)
    with open(os.path.join(folder, "faults"), "w") as faults:
        await asyncio.wait_for(until(server.is_busy), 30)
        for order in orders:
            word, client = order.split()[:2]
            print(int(time.monotonic() * 1e6), 1, "k", word, "c" + client, file=faults)
            driver.stdin.write((order + "\n").encode())
            await driver.stdin.drain()
            await asyncio.sleep(PACE_S)
    driver.stdin.write(b"finish\n")
    status = await asyncio.wait_for(driver.wait(), 30)
    for listener in listeners:
        listener.close()
    return status


def run(name, server, orders, counts, broken=(), options=()):
    """What the checker says after it: lines of `counts`, and what is broken."""
    with tempfile.TemporaryDirectory() as folder:
        status = asyncio.run(play(server, folder, orders, options))
        report = subprocess.run(
            [os.path.join(HERE, "check"), os.path.join(folder, "clients"),
             os.path.join(folder, "faults")], stdout=subprocess.PIPE, text=True).stdout
    values = {line[:46].strip(): int(line[46:]) for line in report.splitlines()
              if re.match(r".{46} +\d+$", line)}
    found = {line[7:].split(":")[0] for line in report.splitlines()
             if line.startswith("BROKEN ")}
    wrong = {k: v for k, v in counts.items() if not v(values[k])}
    if status or wrong or found != set(broken):
        print("%s: status %d, %s, broken %s\n%s" % (
            name, status, sorted(wrong), sorted(found), report))
        return 1
    print("%s: %d messages" % (name, values["sent"]))
    return 0


def main():
    resets = ["rst %d" % (i % CLIENTS) for i in range(3 * CLIENTS)]
    none, some = (lambda n: n == 0), (lambda n: n > 0)
    without_reason = "resumptions that failed without a reason"
    failures = run("calm", Server(), [], {"sent": some, "disconnects": none})
    failures += run("resumption", Server(), resets, {
        "resumed": lambda n: n > CLIENTS, "in doubt": none, "resumptions that failed": none,
        "copies of what was unacknowledged": none})
    failures += run("sending again", Server(cut=20), [], {
        "resumed": some, "sent again after resumption": some, "in doubt": none},
        ["disconnects without a reason"])
    failures += run("failing with h", Server(dict.fromkeys(range(1, 12), True)), resets, {
        "resumptions that failed": lambda n: n == 11, "resumed": some,
        "... of these, with h": lambda n: n == 11}, [without_reason])
    failures += run("failing", Server(dict.fromkeys(range(1, 12), False)), resets, {
        "resumptions that failed": lambda n: n == 11, "in doubt": some,
        "... of these, with h": none}, [without_reason])
    failures += run("leaving", Server(), ["offline %d 300" % i for i in range(CLIENTS)], {
        "times offline on purpose": lambda n: n == CLIENTS, "resumptions tried": none,
        "in doubt": none, "sessions": lambda n: n == 2 * CLIENTS})
    failures += run("plain", Server(), [], {
        "sent": some, "in doubt": none, "disconnects": none},
        options=["--plain", "--no-presence"])
    failures += run("silent", Server(), [], {
        "received": some, "silent: received": some, "silent: copies": none},
        options=["--silent", "5", "--silent-rate", "200"])
    sys.exit(1 if failures else 0)


main()
