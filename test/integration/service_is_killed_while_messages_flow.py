"""Two instances of each service share the partitions; one of each is killed
while messages flow.  Nobody is disconnected; every message comes once, in
order."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import Cluster, Failure, check, main, wait_until  # noqa: E402

PAIRS = 12
SERVICES = ("delivery", "presence", "roster", "archive")


def shares(cluster):
    """Partitions owned, by member."""
    owned = {}
    for line in cluster.ctl("status").stdout.splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[1] in SERVICES:
            owned[fields[0]] = fields[3].count("o")
    return owned


def is_shared(cluster):
    owned = shares(cluster)
    return len(owned) == 8 and all(n == 4 for n in owned.values())


class Talk:
    """A numbered stream of messages from one client to another."""

    def __init__(self, sender, receiver, name):
        self.sender, self.receiver, self.name = sender, receiver, name
        self.sent = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stop.wait(0.01):
            self.sender.message(self.receiver.bare, "%s %d" % (self.name, self.sent))
            self.sent += 1

    def finish(self):
        self.stop.set()
        self.thread.join()

    def got(self):
        return [b for b in self.receiver.bodies() if b.startswith(self.name + " ")]


def test():
    users = ["u%d" % i for i in range(2 * PAIRS)]
    with Cluster(frontends=2, users=users, delivery=2, presence=2, roster=2,
                 archive=2) as cluster:
        wait_until(lambda: is_shared(cluster), "partitions shared evenly", 60, 0.5)
        clients = [cluster.client(u, frontend=1 + i % 2) for i, u in enumerate(users)]
        talks = [Talk(clients[2 * i], clients[2 * i + 1], "t%d" % i) for i in range(PAIRS)]
        try:
            for service in SERVICES:
                before = [len(t.got()) for t in talks]
                cluster.kill(service + ".1")
                wait_until(lambda: all(len(t.got()) > b + 20 for t, b in zip(talks, before)),
                           "messages flow again after " + service + " was killed", 30)
                cluster.start_missing(**{service: 2})
            wait_until(lambda: is_shared(cluster), "shared again", 60, 0.5)
        finally:
            for talk in talks:
                talk.finish()
        for talk in talks:
            expected = ["%s %d" % (talk.name, i) for i in range(talk.sent)]
            try:
                wait_until(lambda: len(talk.got()) >= talk.sent, "the rest", 30)
            except Failure:
                pass
            got = talk.got()
            missing = sorted(set(expected) - set(got))
            check(not missing, "%s: lost %s" % (talk.name, missing[:5]))
            check(len(got) == len(set(got)), "%s: came twice" % talk.name)
            check(got == expected, "%s: out of order" % talk.name)
        check(not any(c.is_closed for c in clients), "nobody was disconnected")
        check(cluster.queues()["dead"].get("messages", 0) == 0, "nothing is in `dead`")


main(test)
