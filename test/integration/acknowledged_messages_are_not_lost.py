"""XEP-0198: a sender hears that its messages are handled when the broker has
them; what a recipient has not acknowledged comes at its next login, in order,
whether its connection broke or its frontend was killed."""
import glob
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import SM, Cluster, check, main, wait_until  # noqa: E402


def send(sender, recipient, first, count, total):
    for i in range(first, first + count):
        sender.message(recipient.bare, "m%d" % i)
    wait_until(lambda: sender.handled() == total, "all are handled")


def expect(client, first, end):
    for i in range(first, end):
        client.next_message("m%d" % i)
    check(client.bodies() == [], "and no more: %s" % client.bodies())


def in_custody(cluster):
    """Messages that the archive keeps for a session; the broker's own figures
    are some seconds old."""
    count = 0
    for file in glob.glob(os.path.join(cluster.run_dir, "store", "archive.*.db")):
        store = sqlite3.connect(file, timeout=5)
        count += store.execute(
            "SELECT count(*) FROM message WHERE custody NOT IN (0, 1)").fetchone()[0]
        store.close()
    return count


def test():
    with Cluster(frontends=2, delivery=2, own_broker=True) as cluster:
        alice = cluster.client("alice", frontend=1)
        alice.enable()
        bob = cluster.client("bob", frontend=2)
        bob.enable()
        send(alice, bob, 0, 50, 50)
        bob.wait(lambda e: e.tag == SM + "r", "a request")
        expect(bob, 0, 50)
        bob.acknowledge_before(30)
        bob.handled()  # it has been read

        # The connection breaks.
        bob.drop()
        bob = cluster.client("bob", frontend=2)
        bob.enable()
        expect(bob, 20, 50)
        bob.acknowledge()

        # Nothing is acknowledged for a while, then the frontend is killed.
        send(alice, bob, 50, 50, 100)
        expect(bob, 50, 100)
        bob.acknowledge_before(40)
        wait_until(lambda: in_custody(cluster) == 40, "the archive has custody of them")
        wait_until(lambda: all(not q["messages"] for n, q in cluster.queues().items()
                               if n.startswith("frontend.")), "the inboxes let go", 20, 0.2)
        cluster.kill("frontend.2")
        bob.drop()
        bob = cluster.client("bob", frontend=1)
        bob.enable()
        expect(bob, 60, 100)

        # The broker is away: pings of both kinds are answered, h waits.
        cluster.kill_broker()
        alice.message(bob.bare, "m100")
        check(alice.handled(5) == 100, "not handled yet")
        cluster.start_broker()
        bob.wait_message("m100", 60)
        wait_until(lambda: alice.handled() == 101, "handled")
        check(not alice.is_closed and not bob.is_closed, "both stay connected")
        check(cluster.queues()["dead"]["messages"] == 0, "nothing is dead")


main(test)
