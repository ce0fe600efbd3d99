"""An event that crashes whoever handles it is taken out after three crashes
with it alone in hand; everything around it arrives in order.  The crashes
alternate between two instances.  A SIGKILL does not count, however often.

Needs a test build: OCEAN_BUILD=build/chaos/bin."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import Cluster, check, main, wait_until  # noqa: E402

GOOD = 30  # before the poisoned message, and behind it


class Supervisor:
    """Two instances of a service, started again whenever they have died."""

    def __init__(self, cluster, service, poison):
        self.cluster = cluster
        self.names = [service + ".1", service + ".2"]
        self.poison = poison
        self.processes = {}
        self.deaths = []  # signals
        self.start()

    def start(self):
        for name in self.names:
            self.processes[name] = self.cluster.start(name, OCEAN_POISON=self.poison)

    def look(self):
        for name, process in self.processes.items():
            if process.poll() is not None:
                self.deaths.append(-process.returncode)
                self.processes[name] = self.cluster.start(name, OCEAN_POISON=self.poison)

    def look_for(self, condition, text, seconds=60):
        def step():
            self.look()
            return condition()
        wait_until(step, text, seconds, 0.05)


def dead(cluster):
    return cluster.queues()["dead"].get("messages", 0)


def without(cluster, service):
    """Both instances stop; what comes waits in the queues."""
    cluster.start_missing(**{service: 0})


def numbered(name, poison):
    return ["%s %d" % (name, i) for i in range(GOOD)] + ([poison] if poison else []) + \
        ["%s %d" % (name, i) for i in range(GOOD, 2 * GOOD)]


def send(sender, recipient, bodies):
    for body in bodies:
        sender.message(recipient, body)


def expect(client, bodies, look):
    look(lambda: len(client.bodies()) >= len(bodies), "%d messages" % len(bodies))
    check(client.bodies() == bodies, "once and in order: %s" % client.bodies())
    client.received.clear()


def crashing_delivery(cluster, alice, bob):
    without(cluster, "delivery")
    send(alice, bob.bare, numbered("d", "poison-d"))
    supervisor = Supervisor(cluster, "delivery", "abort:poison-d")
    expect(bob, numbered("d", None), supervisor.look_for)
    # One in a batch, which only makes it be handled one by one, and three.
    check(supervisor.deaths == [6] * 4, "deaths: %s" % supervisor.deaths)
    wait_until(lambda: dead(cluster) == 1, "one event is dead")


def crashing_archive(cluster, alice):
    without(cluster, "archive")
    send(alice, "carol@localhost", numbered("a", "poison-a"))
    supervisor = Supervisor(cluster, "archive", "segv:poison-a")
    supervisor.look_for(lambda: dead(cluster) == 2, "another event is dead")
    check(supervisor.deaths == [11] * 4, "deaths: %s" % supervisor.deaths)
    expect(cluster.client("carol"), numbered("a", None), supervisor.look_for)


def killed_delivery(cluster, alice, bob):
    """A crash with a batch makes the event be alone in hand; then it is killed
    with it, and once more crashed at most."""
    without(cluster, "delivery")
    send(alice, bob.bare, numbered("k", "poison-k"))
    supervisor = Supervisor(cluster, "delivery", "abort:poison-k")
    supervisor.poison = "kill:poison-k"  # whoever is started again
    supervisor.look_for(lambda: supervisor.deaths.count(9) >= 5, "killed five times")
    supervisor.poison = "kill:nothing"
    expect(bob, numbered("k", "poison-k"), supervisor.look_for)
    check(set(supervisor.deaths) == {6, 9} and supervisor.deaths.count(6) <= 2,
          "deaths: %s" % supervisor.deaths)
    check(dead(cluster) == 2, "nothing more is dead")


def test():
    with Cluster(users=("alice", "bob", "carol"), delivery=2, archive=2) as cluster:
        alice, bob = cluster.client("alice"), cluster.client("bob")
        crashing_delivery(cluster, alice, bob)
        crashing_archive(cluster, alice)
        killed_delivery(cluster, alice, bob)
        check(not alice.is_closed and not bob.is_closed, "nobody was disconnected")
        reasons = cluster.grep_logs('goes to the queue dead: crashed 3 times')
        check(len(reasons) == 2, "with that reason: %s" % reasons)


main(test)
