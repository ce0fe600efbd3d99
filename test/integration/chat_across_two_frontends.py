"""Two people on two frontends chat; each hop is a queue; payloads pass intact."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import CLIENT, Cluster, check, main  # noqa: E402


def test():
    with Cluster(frontends=2) as cluster:
        alice = cluster.client("alice", frontend=1, resource="desk")
        bob = cluster.client("bob", frontend=2, mechanism="SCRAM-SHA-1")
        check(alice.jid == "alice@localhost/desk", alice.jid)

        for i in range(50):
            alice.message("bob@localhost", "to the bare JID %d" % i)
            alice.message(bob.jid, "to the full JID %d" % i)
        for i in range(50):
            got = bob.next_message("to the bare JID %d" % i)
            check(got.get("from") == alice.jid, "from is stamped")
            bob.next_message("to the full JID %d" % i)
        check(bob.bodies() == [], "nothing comes twice")

        bob.message(alice.jid, "back")
        check(alice.wait_message("back").get("from") == bob.jid, "from is stamped")

        # What servers do not know passes through, prefixes and all.
        alice.send("<message to='bob@localhost' id='x&amp;1' xml:lang='de' "
                   "xmlns:a='urn:a' a:b='&lt;c&gt;'><body>&#228;\U0001F40B</body>"
                   "<a:d e='f'><![CDATA[<g>]]></a:d></message>")
        got = bob.wait_message("\u00e4\U0001F40B")
        check(got.get("id") == "x&1", "id")
        check(got.get("{http://www.w3.org/XML/1998/namespace}lang") == "de", "lang")
        check(got.get("{urn:a}b") == "<c>", "attribute with a prefix")
        check(got.find("{urn:a}d").text == "<g>", "child with a prefix")

        # A message to oneself without `to` (RFC 6121 10.3.1? server: own bare JID).
        alice.send("<message id='self'><body>note</body></message>")
        alice.wait_message("note")

        # The queues of both frontends are there and drained.
        inboxes = [q for q in cluster.queues() if q.startswith("frontend.")]
        check(len(inboxes) == 2, "two inboxes: %s" % inboxes)
        check(bob.count(lambda e: e.tag == CLIENT + "message") == 0, "no more")
        alice.close()
        bob.close()


main(test)
