"""A frontend is killed while messages wait in its inbox: they are given to the
archive and come at the next login, in order; its queue is deleted.  The same
when all instances of delivery are away meanwhile."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import Cluster, check, error_of, main, wait_until  # noqa: E402

PING = "<ping xmlns='urn:xmpp:ping'/>"


def inboxes(cluster):
    return {n: q for n, q in cluster.queues().items() if n.startswith("frontend.")}


def kill_with_full_inbox(cluster, alice, bob, first, count, meanwhile):
    """Its frontend is frozen first, so that all of them wait in the inbox."""
    cluster.kill("frontend.2", signal.SIGSTOP)
    for i in range(first, first + count):
        alice.message(bob.bare, "m%d" % i)
    alice.ping(bob.bare)
    wait_until(lambda: any(q["messages"] for q in inboxes(cluster).values()),
               "messages wait in the inbox")
    meanwhile()
    cluster.kill("frontend.2")
    bob.drop()


def comes_back(cluster, alice, first, count):
    wait_until(lambda: len(inboxes(cluster)) == 1, "the inbox is deleted", 40, 0.2)
    bob = cluster.client("bob", frontend=1)
    for i in range(first, first + count):
        got = bob.next_message("m%d" % i)
        check(got.find("{urn:xmpp:delay}delay") is not None, "with a stamp")
    check(bob.bodies() == [], "each once: %s" % bob.bodies())

    def comes_live():  # then the archive has nothing left for a next login
        alice.message(bob.bare, "live?")
        return bob.wait_message("live?").find("{urn:xmpp:delay}delay") is None
    wait_until(comes_live, "a message without a stamp")
    bob.close()


def test():
    with Cluster(frontends=2, delivery=2) as cluster:
        alice = cluster.client("alice", frontend=1)
        bob = cluster.client("bob", frontend=2)
        kill_with_full_inbox(cluster, alice, bob, 0, 50, lambda: None)
        # A request to somebody who is gone is refused.
        got = alice.iq("get", PING, to=bob.jid)
        check(error_of(got) == "service-unavailable", error_of(got))
        comes_back(cluster, alice, 0, 50)

        cluster.start_missing(frontend=2)
        bob = cluster.client("bob", frontend=2)

        def delivery_dies():
            cluster.kill("delivery.1")
            cluster.kill("delivery.2")

        kill_with_full_inbox(cluster, alice, bob, 50, 50, delivery_dies)
        cluster.start_missing(delivery=2, frontend=1)
        comes_back(cluster, alice, 50, 50)
        check(not alice.is_closed, "others notice nothing")
        check(cluster.queues()["dead"]["messages"] == 0, "nothing is dead")


main(test)
