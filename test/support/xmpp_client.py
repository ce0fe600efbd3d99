"""A small XMPP client to test with (ocean.py connects it to a cluster)."""
import base64
import hashlib
import hmac
import os
import socket
import ssl
import threading
import time
import xml.etree.ElementTree as ET

CLIENT = "{jabber:client}"
STREAM = "{http://etherx.jabber.org/streams}"
SASL = "{urn:ietf:params:xml:ns:xmpp-sasl}"
TLS = "{urn:ietf:params:xml:ns:xmpp-tls}"
ROSTER = "{jabber:iq:roster}"
STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
SM = "{urn:xmpp:sm:3}"
SM_XMLNS = "xmlns='urn:xmpp:sm:3'"


class Failure(Exception):
    pass


def check(claim, text):
    if not claim:
        raise Failure(text)


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
        self.heights = []  # `stanzas` at each message since then
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
        elif element.tag == SM + "enabled":
            self.stanzas = 0
            self.heights.clear()
        if element.tag == CLIENT + "message":
            self.heights.append(self.stanzas)
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

    def acknowledge_before(self, count):
        """What came before the last `count` messages; presence may have come
        after them."""
        self.acknowledge(self.heights[-count] - 1)

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

    def ping(self, to="localhost"):
        """Comes back from delivery: what was sent to that address before has been
        handled there."""
        return self.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", to=to)

    def message(self, to, body, kind="chat", number=None):
        self.send("<message to='%s' type='%s' id='%s'><body>%s</body></message>"
                  % (to, kind, number or self.next_id(), body))

    def wait_message(self, body=None, seconds=20):
        return self.wait(lambda e: e.tag == CLIENT + "message" and
                         (body is None or e.findtext(CLIENT + "body") == body),
                         "message %s" % body, seconds)

    def next_message(self, body, seconds=20):
        """Of those with a body that are not taken yet, the first: it has to be that
        one."""
        got = self.wait(lambda e: e.tag == CLIENT + "message" and
                        e.find(CLIENT + "body") is not None, "message " + body, seconds)
        check(got.findtext(CLIENT + "body") == body,
              "in order: expected %s, got %s" % (body, got.findtext(CLIENT + "body")))
        return got

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
