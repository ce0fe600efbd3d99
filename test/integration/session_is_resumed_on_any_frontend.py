"""XEP-0198 resumption: a client whose connection broke comes back on the same
or another frontend and has everything once and in order; nobody sees it go; a
frontend that is stopped hands its sessions over; one that was killed cannot,
and the client's next login has what it had not acknowledged."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import CLIENT, SM, Cluster, check, is_running, main, wait_until  # noqa: E402

# What a client acknowledged that long before its frontend was killed does not
# come again (docs/GUARANTEES.md).
PROMISED_S = 1


class Flow:
    """Alice's messages to bob, numbered."""

    def __init__(self, cluster):
        self.alice = cluster.client("alice", frontend=1)
        self.alice.enable()
        self.sent = 0
        self.expected = 0

    def send(self, bare, count):
        for _ in range(count):
            self.alice.message(bare, "m%d" % self.sent)
            self.sent += 1

    def expect(self, bob):
        """All that were sent, each once, in order."""
        for i in range(self.expected, self.sent):
            bob.next_message("m%d" % i)
        check(bob.bodies() == [], "and no more: %s" % bob.bodies())
        self.expected = self.sent


def befriend(alice, bob):
    bob.iq("get", "<query xmlns='jabber:iq:roster'/>")
    alice.iq("get", "<query xmlns='jabber:iq:roster'/>")
    alice.send("<presence type='subscribe' to='%s'/>" % bob.bare)
    bob.wait_presence(alice.bare, "subscribe")
    bob.send("<presence type='subscribed' to='%s'/>" % alice.bare)
    alice.wait_presence(bob.jid)


def resumed(cluster, flow, bob, frontend, meanwhile):
    """The connection breaks; comes back there with all that came meanwhile."""
    flow.expect(bob)
    bob.drop()
    flow.send(bob.bare, meanwhile)
    again, answer = cluster.resume(bob, frontend)
    check(answer.tag == SM + "resumed", "resumed: %s" % answer.tag)
    check(answer.get("previd") == bob.token, "the same session")
    flow.send(bob.bare, meanwhile)
    flow.expect(again)
    again.acknowledge()
    return again


def no_one_saw_it_go(alice, bob, status):
    """A new status comes the way that bob's end would have come before it."""
    bob.send("<presence><status>%s</status></presence>" % status)
    alice.wait(lambda e: e.findtext(CLIENT + "status") == status, "bob's new status")
    check(alice.count(lambda e: e.tag == CLIENT + "presence" and
                      e.get("type") == "unavailable") == 0, "nobody saw bob go")


def test():
    with Cluster(frontends=3, delivery=2) as cluster:
        flow = Flow(cluster)
        bob = cluster.client("bob", frontend=2, resource="pc")
        befriend(flow.alice, bob)
        enabled = bob.enable(resume=True)
        check(enabled.get("resume") == "true" and int(enabled.get("max")) == 300, "resumable")

        # What bob has sent is counted on, wherever he is.
        bob.message(flow.alice.bare, "first")
        flow.alice.wait_message("first")
        for frontend in (2, 3, 2, 1, 1, 3):
            bob = resumed(cluster, flow, bob, frontend, 20)
            wait_until(lambda: bob.handled() == 1, "h is 1")
        no_one_saw_it_go(flow.alice, bob, "resumed")

        # The old connection is still open: it ends with a conflict.
        again, answer = cluster.resume(bob, 2)
        check(answer.tag == SM + "resumed", "resumed")
        check(bob.wait_closed() == "conflict", "the old stream: %s" % bob.error)
        bob = again
        flow.send(bob.bare, 5)
        flow.expect(bob)

        # Not somebody else's, and not one that never was.
        eve = cluster.connect(1)
        eve.login("alice", "secret-alice")
        answer = eve.resume(bob)
        check(answer.tag == SM + "failed" and answer[0].tag.endswith("item-not-found"), "refused")
        eve.bind()

        # Its frontend is stopped.
        pid = cluster.pid("frontend.2")
        os.kill(pid, signal.SIGTERM)
        check(bob.wait_closed() == "system-shutdown", "told why: %s" % bob.error)
        flow.send(bob.bare, 20)
        wait_until(lambda: not is_running(pid), "frontend.2 has stopped")
        check(cluster.grep_logs("1 sessions handed over, 0 not"),
              "handed over: %s" % cluster.grep_logs("drain:"))
        again, answer = cluster.resume(bob, 3)
        check(answer.tag == SM + "resumed", "resumed after SIGTERM")
        flow.send(bob.bare, 20)
        flow.expect(again)
        bob = again
        no_one_saw_it_go(flow.alice, bob, "handed over")

        # Its frontend is killed.
        bob.acknowledge()
        bob.handled()
        time.sleep(PROMISED_S)
        cluster.kill("frontend.3")
        bob.drop()
        flow.send(bob.bare, 20)
        again, answer = cluster.resume(bob, 1)
        check(answer.tag == SM + "failed", "failed")
        again.bind("pc")
        again.send("<presence/>")
        flow.send(bob.bare, 20)
        flow.expect(again)
        check(cluster.queues()["dead"]["messages"] == 0, "nothing is dead")


main(test)
