"""Messages to somebody who is away are stored and come at the next login, in
order, with a delay stamp, before newer ones; for nobody who has no account."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import CLIENT, Cluster, check, error_of, main, wait_until  # noqa: E402

DELAY = "{urn:xmpp:delay}delay"
STORED, LIVE = 450, 200


def test():
    with Cluster(frontends=2) as cluster:
        alice = cluster.client("alice")
        for i in range(STORED):
            alice.message("bob@localhost", "m%d" % i)
        alice.ping()

        # New ones are sent while the stored ones are replayed.
        bob = cluster.client("bob", frontend=2, presence=False)
        bob.send("<presence/>")
        for i in range(STORED, STORED + LIVE):
            alice.message("bob@localhost", "m%d" % i)
        for i in range(STORED + LIVE):
            got = bob.wait(lambda e: e.tag == CLIENT + "message", "message %d" % i)
            body = got.findtext(CLIENT + "body")
            check(body == "m%d" % i, "in order: expected m%d, got %s" % (i, body))
            delay = got.find(DELAY)
            if i < STORED:
                check(delay is not None, "stored ones have a stamp")
                check(delay.get("from") == "localhost", "from the server")

        def comes_live():
            alice.message("bob@localhost", "live?")
            return bob.wait_message("live?").find(DELAY) is None
        wait_until(comes_live, "a message without a stamp")

        # Nothing is stored twice.
        bob.close()
        bob = cluster.client("bob", frontend=1)
        alice.message("bob@localhost", "after")
        bob.wait_message("after")
        check(bob.bodies() == [], "nothing comes again: %s" % bob.bodies())

        # A negative priority does not receive for the bare JID.
        bob.close()
        bob = cluster.client("bob", presence=False)
        bob.send("<presence><priority>-1</priority></presence>")
        bob.ping()
        alice.message("bob@localhost", "later")
        alice.ping()
        bob.ping()
        check(bob.bodies() == [], "not for a negative priority")
        bob.send("<presence/>")
        bob.wait_message("later")

        # Nobody.
        alice.message("nobody@localhost", "hello?", number="n1")
        got = alice.wait(lambda e: e.get("id") == "n1", "the bounce")
        check(got.get("type") == "error", "bounced")
        check(error_of(got) == "service-unavailable", error_of(got))
        # Headlines are not kept.
        bob.close()
        alice.message("bob@localhost", "news", kind="headline")
        alice.message("bob@localhost", "kept")
        alice.ping()
        bob = cluster.client("bob")
        bob.wait_message("kept")
        check(bob.bodies() == [], "no headline")


main(test)
