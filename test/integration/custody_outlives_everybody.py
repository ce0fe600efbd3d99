"""Messages in custody for a client that is away: delivery is killed and takes
over again, so the archive is asked what it has; the client resumes and has each
once. Then its frontend is killed as well: its next login has all of them."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import SM, Cluster, check, main, wait_until  # noqa: E402

MANY = 1500  # more than a session remembers ids of


def inboxes_are_empty(cluster):
    return all(not q["messages"] for n, q in cluster.queues().items()
               if n.startswith("frontend."))


def send(alice, bob, first, end):
    for i in range(first, end):
        alice.message(bob.bare, "m%d" % i)
    wait_until(lambda: alice.handled() == end, "all are handled")
    wait_until(lambda: inboxes_are_empty(cluster_of(alice)), "they are in custody", 20, 0.2)


def cluster_of(client):
    return client.cluster


def expect(client, first, end):
    for i in range(first, end):
        client.next_message("m%d" % i)
    check(client.bodies() == [], "each once: %s" % client.bodies()[:5])


def delivery_dies(cluster):
    cluster.kill("delivery.1")
    cluster.start_missing(delivery=1)
    wait_until(lambda: cluster.log("delivery.1").count("owned epoch") >= 8, "it is back", 30)


def test():
    with Cluster(frontends=2) as cluster:
        alice = cluster.client("alice", frontend=1)
        alice.cluster = cluster
        alice.enable()
        bob = cluster.client("bob", frontend=2, resource="pc")
        bob.enable(resume=True)
        bob.drop()
        send(alice, bob, 0, MANY)
        delivery_dies(cluster)
        send(alice, bob, MANY, MANY + 5)

        # Comes back elsewhere: each once. Of these it acknowledges none.
        again, answer = cluster.resume(bob, 1)
        check(answer.tag == SM + "resumed", "resumed")
        expect(again, 0, MANY + 5)
        again.drop()
        again, answer = cluster.resume(bob, 2)
        check(answer.tag == SM + "resumed", "resumed once more")
        expect(again, 0, MANY + 5)
        again.acknowledge_before(5)
        again.handled()
        again.drop()
        wait_until(lambda: inboxes_are_empty(cluster), "they are in custody", 20, 0.2)

        # Nobody is left who knows but the archive.
        delivery_dies(cluster)
        cluster.kill("frontend.2")
        bob = cluster.client("bob", frontend=1, resource="pc")
        expect(bob, MANY, MANY + 5)
        check(cluster.queues()["dead"]["messages"] == 0, "nothing is dead")


main(test)
