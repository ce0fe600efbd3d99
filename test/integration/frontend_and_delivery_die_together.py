"""Two accidents at once: a frontend is killed with messages in its inbox, and
the owner of its user's partition before anybody has noticed.  The new owner
knows nothing of that session; the user logs in elsewhere while messages keep
coming.  All come, once, the old ones first.  The same with all instances of
delivery killed, so that only the register of inboxes tells of it."""
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import Cluster, check, main, wait_until  # noqa: E402

WAITING = 50


def waits_in_an_inbox(cluster):
    return any(q["messages"] for name, q in cluster.queues().items()
               if name.startswith("frontend."))


class Talk:
    """m0, m1 ... from alice, until told to stop."""

    def __init__(self, alice, to):
        self.alice, self.to, self.sent = alice, to, 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def say(self):
        self.alice.message(self.to, "m%d" % self.sent)
        self.sent += 1

    def run(self):
        while not self.stop.wait(0.02):
            self.say()

    def finish(self):
        self.stop.set()
        self.thread.join()


def accident(cluster, kill_delivery):
    alice = cluster.client("alice", frontend=1)
    bob = cluster.client("bob", frontend=2)
    alice.message(bob.bare, "first")
    bob.wait_message("first")
    wait_until(lambda: not waits_in_an_inbox(cluster), "it is acknowledged")
    talk = Talk(alice, bob.bare)
    cluster.kill("frontend.2", signal.SIGSTOP)
    for _ in range(WAITING):
        talk.say()
    wait_until(lambda: waits_in_an_inbox(cluster), "messages wait in the inbox")
    cluster.kill("frontend.2")
    kill_delivery()
    bob.drop()
    talk.thread.start()
    bob = cluster.client("bob", frontend=1)
    wait_until(lambda: len(bob.bodies()) > WAITING, "they come again", 40)
    talk.finish()
    wait_until(lambda: "m%d" % (talk.sent - 1) in bob.bodies(), "the last of them")
    check(bob.bodies() == ["m%d" % i for i in range(talk.sent)],
          "all, once, in order: %s" % bob.bodies())
    check(not alice.is_closed, "others notice nothing")
    alice.close()
    bob.close()


def test():
    with Cluster(frontends=2, delivery=2) as cluster:
        owner = wait_until(lambda: cluster.owner("delivery", "bob@localhost"), "an owner")
        accident(cluster, lambda: cluster.kill(owner))
        cluster.start_missing(frontend=2, delivery=2)

        def both():
            cluster.kill("delivery.1")
            cluster.kill("delivery.2")
            cluster.start("delivery.1")
            cluster.start("delivery.2")

        accident(cluster, both)
        check(cluster.queues()["dead"]["messages"] == 0, "nothing is dead")


main(test)
