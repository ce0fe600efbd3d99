"""A frontend is frozen until it is given up, its inbox drained and deleted,
and goes on: its clients stay connected and get everything once; a client that
logged in elsewhere with the same resource meanwhile stays, the old one goes."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import Cluster, check, main, wait_until  # noqa: E402


def inboxes(cluster):
    return [n for n in cluster.queues() if n.startswith("frontend.")]


def test():
    with Cluster(frontends=2, delivery=2, users=("alice", "bob", "carol")) as cluster:
        alice = cluster.client("alice", frontend=1)
        bob = cluster.client("bob", frontend=2)
        carol = cluster.client("carol", frontend=2, resource="pc")
        alice.message(bob.bare, "before")
        bob.wait_message("before")

        cluster.kill("frontend.2", signal.SIGSTOP)
        for i in range(20):
            alice.message(bob.bare, "inbox %d" % i)
        wait_until(lambda: len(inboxes(cluster)) == 1, "its inbox is gone", 60, 0.2)
        for i in range(20):
            alice.message(bob.bare, "archive %d" % i)
        alice.ping(bob.bare)
        new_carol = cluster.client("carol", frontend=1, resource="pc")
        cluster.kill("frontend.2", signal.SIGCONT)

        for i in range(20):
            bob.next_message("inbox %d" % i, 40)
        for i in range(20):
            bob.next_message("archive %d" % i)
        wait_until(lambda: carol.error == "conflict", "the old one goes")
        check(not new_carol.is_closed, "the new one stays")
        alice.message(new_carol.jid, "still there?")
        new_carol.wait_message("still there?")
        bob.message(alice.bare, "after")
        alice.wait_message("after")
        wait_until(lambda: len(inboxes(cluster)) == 2, "it has an inbox again")
        check(bob.bodies() == [], "each once: %s" % bob.bodies())
        check(not alice.is_closed and not bob.is_closed, "they stay connected")
        check(cluster.queues()["dead"]["messages"] == 0, "nothing is dead")


main(test)
