"""Bob's connection breaks again and again while he is sent RATE messages/s, and
he asks for his session at another frontend each time: a third of the times
nothing else happens, a third its holder is killed while it hands the session
over, a third its holder is stopped.  The journals of both sides are compared: each
message came once to each session, in order, none is missing, and a copy for a
later session has a stamp.

resumptions.py [--count 100] [--rate 500]
"""
import argparse
import collections
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import CLIENT, SM, Cluster, Failure, check, is_running, main, wait_until  # noqa: E402

FRONTENDS = 4  # the first is alice's and lives


class Sender(threading.Thread):
    """Alice: `rate` numbered messages a second until told to stop."""

    def __init__(self, client, to, rate):
        super().__init__(daemon=True)
        self.client, self.to, self.rate = client, to, rate
        self.sent = 0
        self.over = threading.Event()

    def run(self):
        began = time.monotonic()
        while not self.over.is_set():
            due = int((time.monotonic() - began) * self.rate)
            while self.sent < due:
                self.client.message(self.to, "m%d" % self.sent)
                self.sent += 1
                if self.sent % self.rate == 0:
                    self.client.acknowledge()  # her own presence
            self.over.wait(0.005)


class Bob:
    """His sessions, one after another, and what each has been given."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.frontend = 2
        self.journal = []  # (number, session, has a delay stamp)
        self.session = 0
        self.resumed = self.failed = 0
        self.story = []  # what was done when, for who has to find out why
        self.login()

    def login(self):
        self.session += 1
        self.client = self.cluster.client("bob", self.frontend, resource="pc")
        self.client.enable(resume=True)

    def take(self):
        """Moves what has come into the journal."""
        with self.client.changed:
            elements = [e for e in self.client.received if e.tag == CLIENT + "message"]
            self.client.received = [e for e in self.client.received
                                    if e.tag != CLIENT + "message"]
        for element in elements:
            body = element.findtext(CLIENT + "body")
            stamped = element.find("{urn:xmpp:delay}delay") is not None
            self.journal.append((int(body[1:]), self.session, stamped))

    def chat(self, seconds):
        """Takes and acknowledges what comes."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.client.acknowledge()
            self.client.handled(60)
            self.take()
            with self.client.changed:
                self.client.changed.wait(0.05)

    def other_frontend(self, number):
        return 2 + (self.frontend - 2 + 1 + number % (FRONTENDS - 2)) % (FRONTENDS - 1)

    def resume(self, number, how):
        former, holder, deaths = self.client, self.frontend, self.deaths()
        former.drop()
        wait_until(lambda: former.is_closed, "the connection is closed")
        self.take()
        self.frontend = self.other_frontend(number)
        if how == "stopped":
            self.stop(holder)
        client = self.cluster.connect(self.frontend)
        client.login("bob", "secret-bob", "PLAIN")
        if how == "killed":
            killer = threading.Timer(0.002 * (number % 5), self.cluster.kill,
                                     args=("frontend.%d" % holder,))
            killer.start()
        answer = client.resume(former)
        if how == "killed":
            killer.join()
        self.story.append("%s: %s frontend.%d -> frontend.%d h=%d: %s; last was %s" % (
            time.strftime("%H:%M:%S"), how, holder, self.frontend, former.stanzas,
            answer.tag.split("}")[1], self.journal[-1:]))
        self.client = client
        if answer.tag == SM + "resumed":
            self.resumed += 1
        else:
            check(how == "killed", "not resumed though the holder was %s" % how)
            self.failed += 1
            self.rebind()
        if how == "killed":  # or the next one may be handed to the dead
            wait_until(lambda: self.deaths() > deaths, "it is missed", 20)
        if how != "plain":
            self.cluster.start_missing(frontend=FRONTENDS)

    def deaths(self):
        return self.cluster.log("frontend.1").count("left without a word")

    def rebind(self):
        self.session += 1
        self.client.bind("pc")
        self.client.send("<presence/>")
        self.client.enable(resume=True)

    def stop(self, holder):
        pid = self.cluster.pid("frontend.%d" % holder)
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not is_running(pid), "frontend.%d has stopped" % holder)


def compare(bob, sent):
    """Both journals."""
    first, order, twice = set(), [], []
    per_session = collections.Counter()
    for number, session, stamped in bob.journal:
        per_session[number, session] += 1
        if number not in first:
            order.append(number)
            first.add(number)
        elif not stamped:
            twice.append(number)
    missing = sorted(set(range(sent)) - first)
    check(not missing, "%d missing: %s\n%s" % (len(missing), missing[:10],
                                                "\n".join(bob.story)))
    late = [(a, b) for a, b in zip(order, order[1:]) if b < a]
    stamps = {n: stamped for n, _, stamped in reversed(bob.journal)}
    check(not late, "out of order, and with a stamp: %s\n%s" % (
        [(a, stamps[a], b, stamps[b]) for a, b in late[:10]], "\n".join(bob.story)))
    repeated = [k for k, count in per_session.items() if count > 1]
    check(not repeated, "twice in a session: %s" % repeated[:10])
    check(not twice, "copies without a stamp: %s" % twice[:10])
    return len(bob.journal) - len(first)


class Shares:
    """Have both instances of delivery their partitions?  Yes when each of them
    has some and none has moved for QUIET seconds."""

    QUIET = 3

    def __init__(self, cluster):
        self.cluster = cluster
        self.moves, self.since = None, 0

    def are_settled(self):
        logs = [self.cluster.log("delivery.%d" % i) for i in (1, 2)]
        moves = [log.count(": handing over") + log.count(": owned epoch")
                 for log in logs]
        if moves != self.moves:
            self.moves, self.since = moves, time.monotonic()
        return all(": owned epoch" in log for log in logs) and (
            time.monotonic() >= self.since + self.QUIET)


def test(count, rate):
    # For a while nobody knows that bob is about to come back, and more gathers
    # than is kept for somebody absent; and when it comes he is not quick.
    os.environ.update(OCEAN_MAX_OFFLINE="0", OCEAN_MAX_UNACKED="100000",
                      OCEAN_MAX_UNACKED_BYTES="64M")
    with Cluster(frontends=FRONTENDS, delivery=2, archive=2) as cluster:
        wait_until(Shares(cluster).are_settled, "the partitions are shared out", 30)
        alice = cluster.client("alice", frontend=1)
        alice.enable()
        bob = Bob(cluster)
        sender = Sender(alice, "bob@localhost", rate)
        sender.start()
        try:
            for i in range(count):
                bob.chat(0.3)
                bob.resume(i, ("plain", "killed", "stopped")[i % 3])
        finally:
            sender.over.set()
            sender.join()
        wait_until(lambda: alice.handled() == sender.sent, "all are handled", 60)

        def all_came():
            bob.chat(0.1)
            return len({n for n, _, _ in bob.journal}) == sender.sent
        try:
            wait_until(all_came, "all have come", 60)
        except Failure:
            pass  # compare says which have not
        copies = compare(bob, sender.sent)
        check(cluster.queues()["dead"]["messages"] == 0, "nothing is dead")
        print("%d messages; %d resumed, %d failed with their holder killed; "
              "%d copies with a stamp" % (sender.sent, bob.resumed, bob.failed, copies))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--rate", type=int, default=500)
    options = parser.parse_args()
    main(lambda: test(options.count, options.rate))
