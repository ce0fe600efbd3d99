"""Bad input gets the exact error the RFC asks for, and costs only its sender."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import SASL, Client, Cluster, check, error_of, main  # noqa: E402

HEADER = ("<?xml version='1.0'?><stream:stream to='%s' version='%s' xmlns='%s' "
          "xmlns:stream='http://etherx.jabber.org/streams'>")


def raw(cluster, text):
    """Sends that as the first bytes; the stream error that comes back."""
    client = Client(cluster.frontend_port(1), connect=False)
    cluster.clients.append(client)
    client.send(text)
    client.start_reading()
    return client.wait_closed()


def stream_errors_before_login(cluster):
    good = HEADER % ("localhost", "1.0", "jabber:client")
    cases = [
        (HEADER % ("elsewhere", "1.0", "jabber:client"), "host-unknown"),
        (HEADER % ("localhost", "0.9", "jabber:client"), "unsupported-version"),
        (HEADER % ("localhost", "1.0", "jabber:server"), "invalid-namespace"),
        ("<?xml version='1.0' encoding='UTF-16'?>" + good[21:], "unsupported-encoding"),
        (good + "<!-- no -->", "restricted-xml"),
        (good + "<?php no ?>", "restricted-xml"),
        (good + "<a>&nosuch;</a>", "restricted-xml"),
        (good + "<a></b>", "not-well-formed"),
        (good + "<x:a/>", "bad-namespace-prefix"),
        (good + "<a>" * 70, "policy-violation"),
        (good + "<a b='" + "x" * 20000 + "'/>", "policy-violation"),
        (good[:-1] + " xmlns:x='" + "x" * 2000 + "'>", "policy-violation"),
        (good + "<message to='a@localhost'/>", "not-authorized"),
        (good + "<nonsense xmlns='urn:x'/>", "unsupported-stanza-type"),
    ]
    for text, expected in cases:
        error = raw(cluster, text)
        check(error == expected, "%r: expected %s, got %s" % (text[-40:], expected, error))


def sasl_errors(cluster):
    def failure(client):
        got = client.sasl_answer()
        check(got.tag == SASL + "failure", got.tag)
        return got[0].tag.split("}")[1]

    plain = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'"
    abort = "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
    client = cluster.connect()
    client.auth("NOSUCH", b"")
    check(failure(client) == "invalid-mechanism", "unknown mechanism")
    client.send(plain + ">%%</auth>")
    check(failure(client) == "incorrect-encoding", "base64")
    client.login("alice", "secret-alice")  # still possible on this connection

    client = cluster.connect()
    client.auth("PLAIN", b"no separators")
    check(failure(client) == "malformed-request", "PLAIN without separators")
    client.auth("SCRAM-SHA-1", b"n,,r=no-name")
    check(failure(client) == "malformed-request", "SCRAM without a name")
    client.send(plain + "/>" + abort)
    check(client.sasl_answer().tag == SASL + "challenge", "asks for the first message")
    check(failure(client) == "aborted", "abort")
    check(client.wait_closed() == "policy-violation", "three failures of other kinds")

    client = cluster.connect()
    client.auth("PLAIN", b"bob@localhost\0alice\0secret-alice")
    check(failure(client) == "invalid-authzid", "somebody else's authzid")

    # An account that does not exist looks like a wrong password.
    for name in ("alice", "nobody"):
        for mechanism in ("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"):
            client = cluster.connect()
            got = client.try_login(name, "wrong", mechanism)
            check(got[0].tag == SASL + "not-authorized", "%s %s" % (name, mechanism))
            client.drop()

    # Three wrong passwords and the connection is closed.
    client = cluster.connect()
    for _ in range(3):
        client.try_login("alice", "wrong")
    check(client.wait_closed() == "policy-violation", "attempts")
    own = "connection 127.0.0.1:%d: login failed" % client.socket.getsockname()[1]
    lines = cluster.grep_logs(own)
    check([line.split(own)[1] for line in lines] ==
          [" user=alice@localhost condition=not-authorized count=%d" % n for n in (1, 2, 3)],
          "what the operator sees: %s" % lines)


def stanza_errors(cluster):
    alice = cluster.client("alice")

    def answer(text, number):
        alice.send(text)
        return alice.wait(lambda e: e.get("id") == number, "the answer to " + number)

    cases = [
        ("<iq type='get' id='1'/>", "1", "bad-request"),
        ("<iq type='get' id='2'><a xmlns='x'/><b xmlns='x'/></iq>", "2", "bad-request"),
        ("<iq type='odd' id='3'><a xmlns='x'/></iq>", "3", "bad-request"),
        ("<iq type='get' id='4'><a xmlns='urn:x'/></iq>", "4", "service-unavailable"),
        ("<iq type='get' id='5' to='localhost'><a xmlns='urn:x'/></iq>", "5",
         "service-unavailable"),
        ("<iq type='get' id='6' to='bob@localhost/gone'><a xmlns='urn:x'/></iq>", "6",
         "service-unavailable"),
        ("<message id='7' to='@localhost'><body/></message>", "7", "jid-malformed"),
        ("<message id='8' to='a@other.example'><body/></message>", "8",
         "remote-server-not-found"),
        ("<presence id='9' type='odd'/>", "9", "bad-request"),
        ("<iq type='set' id='10'><query xmlns='jabber:iq:roster'/></iq>", "10",
         "bad-request"),
    ]
    for text, number, expected in cases:
        got = answer(text, number)
        check(got.get("type") == "error", text)
        check(error_of(got) == expected, "%s: expected %s, got %s" % (
            text, expected, error_of(got)))
    check(alice.iq("get", "<ping xmlns='urn:xmpp:ping'/>").get("type") == "result", "ping")
    check(alice.iq("get", "<ping xmlns='urn:xmpp:ping'/>",
                   to="localhost").get("type") == "result", "ping of the server")

    # Errors that end the stream end only this one.
    bob = cluster.client("bob")
    for text, expected in (("<message from='bob@localhost' to='bob@localhost'/>", "invalid-from"),
                           ("<odd/>", "unsupported-stanza-type"),
                           ("<message>" + "x" * 300000, "policy-violation"),
                           ("<message to='bob@localhost'><body>\x01</body></message>",
                            "not-well-formed")):
        mallory = cluster.client("alice", resource="m")
        mallory.send(text)
        error = mallory.wait_closed()
        check(error == expected, "%s: got %s" % (expected, error))
    bob.message("alice@localhost", "still here")
    alice.wait_message("still here")

    # The newer session of a resource wins (RFC 6120 7.7.2.2).
    first = cluster.client("alice", resource="same")
    second = cluster.client("alice", resource="same")
    check(first.wait_closed() == "conflict", "the older one is told")
    bob.message(second.jid, "you")
    second.wait_message("you")


def test():
    with Cluster(frontends=1) as cluster:
        stream_errors_before_login(cluster)
        sasl_errors(cluster)
        stanza_errors(cluster)
        check(cluster.queues()["dead"].get("messages", 0) == 0, "nothing is in `dead`")


main(test)
