"""An inbox rejects everything for a while.  What is for it waits and comes in
order; also if delivery, which has handled it, is killed meanwhile: its input is
not acknowledged before its output is confirmed."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import Cluster, Failure, check, main, wait_until  # noqa: E402

MORE = 100  # messages while it rejects
WATCHED_S = 2  # for how long what must not happen is looked for


class Talk:
    """Numbered messages from alice to bob."""

    def __init__(self, alice, bob):
        self.alice, self.bob = alice, bob
        self.sent = self.expected = 0

    def send(self, count):
        for _ in range(count):
            self.alice.message(self.bob.bare, "m%d" % self.sent)
            self.sent += 1
        wait_until(lambda: self.alice.handled() == self.sent, "all are handled")

    def expect(self):
        wait_until(lambda: len(self.bob.bodies()) >= self.sent, "all messages", 40)
        check(self.bob.bodies() == ["m%d" % i for i in range(self.sent)],
              "each once, in order: %s" % self.bob.bodies()[-MORE - 20:])


def rejections(cluster):
    return cluster.log("delivery.1").count("messages are rejected, trying again")


def input_is_acknowledged(cluster):
    return not any(q["messages"] for n, q in cluster.queues().items()
                   if n.startswith("delivery."))


def send_in_vain(cluster, talk):
    before = rejections(cluster)
    cluster.close_queues("^frontend[.]frontend[.]2-")

    def is_rejected():
        talk.send(1)
        return rejections(cluster) > before
    wait_until(is_rejected, "the inbox rejects")
    talk.send(MORE)


def test():
    with Cluster(frontends=2) as cluster:
        alice = cluster.client("alice", frontend=1)
        alice.enable()
        bob = cluster.client("bob", frontend=2)
        talk = Talk(alice, bob)
        talk.send(1)
        talk.expect()

        send_in_vain(cluster, talk)
        cluster.open_queues()
        talk.expect()

        send_in_vain(cluster, talk)
        try:
            wait_until(lambda: input_is_acknowledged(cluster), "", WATCHED_S, 0.1)
            print("acknowledged, though the inbox has nothing of it")
        except Failure:
            pass  # as it should be
        cluster.kill("delivery.1")
        cluster.open_queues()
        cluster.start_missing(delivery=1)
        talk.expect()
        check(not alice.is_closed and not bob.is_closed, "both stay connected")
        check(cluster.queues()["dead"]["messages"] == 0, "nothing is dead")


main(test)
