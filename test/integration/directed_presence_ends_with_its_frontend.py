"""Somebody who is no contact was sent presence by name (RFC 6121 4.6); the
frontend of who sent it is killed.  "unavailable" comes from the full JID, once:
also when the owner of the sender's partition had been replaced in between, and
at once when the sender comes back with the same resource."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import CLIENT, Cluster, check, main, wait_until  # noqa: E402

GRACE = 5  # seconds of silence until a frontend is given up


def complete(cluster):
    """All run, and no partition is on its way to another owner."""
    cluster.launcher("scale", "delivery=2", "frontend=2")


def is_end_of(sender):
    return lambda e: (e.tag == CLIENT + "presence" and e.get("from") == sender and
                      e.get("type") == "unavailable")


def send_directed(alice, bob):
    """Until the owner of alice's partition knows of it, too."""
    alice.send("<presence to='%s'/>" % bob.jid)
    bob.wait_presence(alice.jid)
    alice.message(alice.bare, "noted")
    alice.wait_message("noted")


def wait_end(alice, bob):
    bob.wait(is_end_of(alice.jid), "the end of " + alice.jid)
    bob.message(bob.bare, "after that")
    bob.wait_message("after that")
    check(bob.count(is_end_of(alice.jid)) == 0, "it comes once")


def test():
    with Cluster(frontends=2, delivery=2) as cluster:
        complete(cluster)
        bob = cluster.client("bob", frontend=2, resource="b")

        # The owner has heard of it itself.
        alice = cluster.client("alice", frontend=1, resource="a")
        send_directed(alice, bob)
        cluster.kill("frontend.1")
        wait_end(alice, bob)

        # A new owner has it from the frontend's snapshot.
        complete(cluster)
        alice = cluster.client("alice", frontend=1, resource="a")
        send_directed(alice, bob)
        owner = wait_until(lambda: cluster.owner("delivery", alice.bare), "an owner")
        cluster.kill(owner)
        complete(cluster)
        cluster.kill("frontend.1")
        wait_end(alice, bob)

        # The sender is back before anybody knows that the frontend is gone.
        complete(cluster)
        alice = cluster.client("alice", frontend=1, resource="a")
        send_directed(alice, bob)
        killed = time.monotonic()
        cluster.kill("frontend.1")
        again = cluster.client("alice", frontend=2, resource="a")
        wait_end(alice, bob)
        check(time.monotonic() - killed < GRACE, "it comes at once")
        send_directed(again, bob)
        wait_until(lambda: not any(name.startswith("frontend.1") for name in
                                   cluster.queues()), "the dead inbox is drained", 40)
        check(bob.count(is_end_of(again.jid)) == 0, "nobody takes the new one for gone")
        check(cluster.queues()["dead"]["messages"] == 0, "nothing is dead")


main(test)
