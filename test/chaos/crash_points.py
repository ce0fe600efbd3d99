"""Every service kills itself at every crash point (shared/base/crash.h), again
and again, while clients chat, come and go, and change their rosters.  Every
message arrives once and in order, nobody is disconnected.

    crash_points.py [--hits N] [--seed S]

Needs a test build: OCEAN_BUILD=build/chaos/bin."""
import argparse
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import CLIENT, Client, Cluster, Failure, check, main, wait_until  # noqa: E402

SM = "{urn:xmpp:sm:3}"
STORES = ("roster", "archive")
SERVICES = ("delivery", "presence") + STORES
# The highest n of OCEAN_CRASH=point:n.
POINTS = {"received": 6, "handled": 6, "stored-first": 2, "published": 6, "confirmed": 6,
          "committed": 3, "acknowledged": 4, "taking": 2, "leaving": 1}
# Who is dead is forgotten sooner than usual: many are.
HASTE = {"OCEAN_GRACE_SECONDS": "2"}
PAIRS = 8
ABSENT = 4
VISIT_MESSAGES = 20
# Both instances of a service die in turn, which leaves it little time to work.
# So that clients are not kept waiting for longer than they and the frontends
# do, it has some peace after so many deaths.
BURST = 8
REST_SECONDS = 4
STUCK_SECONDS = 4  # a takeover that nobody begins is begun by a SIGKILL


def points_of(service):
    return [p for p in POINTS
            if service in STORES or p not in ("stored-first", "committed")]


class Chatter(Client):
    """A client with XEP-0198 that keeps the bodies it has got."""

    def __init__(self, cluster, name, frontend):
        self.lock = threading.Lock()
        self.got = []
        self.statuses = []  # of others' presence
        super().__init__(cluster.frontend_port(frontend))
        cluster.clients.append(self)
        self.login(name, "secret-" + name)
        self.bind()
        self.send("<enable xmlns='urn:xmpp:sm:3'/>")
        self.wait(lambda e: e.tag == SM + "enabled", "enabled", 60)
        self.send("<presence/>")

    def iq(self, kind, payload, to=None, seconds=90):
        return super().iq(kind, payload, to, seconds)

    def send(self, text):
        with self.lock:
            super().send(text)

    def take(self, element):
        body = element.findtext(CLIENT + "body")
        status = element.findtext(CLIENT + "status")
        if element.tag == CLIENT + "message" and body:
            self.stanzas += 1
            self.got.append(body)
        elif element.tag == CLIENT + "presence" and status:
            self.stanzas += 1
            self.statuses.append(status)
        elif element.tag == SM + "r":
            try:
                self.acknowledge()
            except OSError:
                pass  # closed, which read() finds as well
        else:
            super().take(element)

    def acknowledge(self):
        with self.changed:
            self.send("<a xmlns='urn:xmpp:sm:3' h='%d'/>" % self.stanzas)

    def handled(self):
        self.send("<r xmlns='urn:xmpp:sm:3'/>")
        return int(self.wait(lambda e: e.tag == SM + "a", "an answer", 60).get("h"))


class Traffic:
    """A thread that does something until it is told to stop."""

    def __init__(self):
        self.stopping = threading.Event()
        self.failure = None
        self.thread = threading.Thread(target=self.main, daemon=True)

    def main(self):
        try:
            self.run()
        except (Failure, OSError) as failure:
            self.failure = "%s: %s" % (type(self).__name__, failure)

    def stop(self):
        self.stopping.set()

    def join(self):
        self.thread.join(120)
        check(not self.thread.is_alive(), "%s does not end" % type(self).__name__)
        check(not self.failure, self.failure)


def check_journal(name, got, expected):
    missing = [b for b in expected if b not in set(got)]
    twice = [b for b in set(got) if got.count(b) > 1]
    check(not missing, "%s: %d lost: %s" % (name, len(missing), missing[:5]))
    check(not twice, "%s: %d came twice: %s" % (name, len(twice), twice[:5]))
    for i, body in enumerate(got):
        check(i < len(expected) and body == expected[i], "%s: out of order: %s" % (
            name, got[max(i - 3, 0):i + 12]))


class Talk(Traffic):
    """Numbered messages from one to another."""

    def __init__(self, sender, recipient, name):
        super().__init__()
        self.sender, self.recipient, self.name = sender, recipient, name
        self.sent = 0

    def run(self):
        while not self.stopping.wait(0.03):
            self.sender.message(self.recipient.bare, "%s %d" % (self.name, self.sent))
            self.sent += 1

    def check(self):
        check_journal(self.name, self.recipient.got,
                      ["%s %d" % (self.name, i) for i in range(self.sent)])


class Visitor(Traffic):
    """Absent while messages are sent to it; comes to read what is stored,
    acknowledges all, and goes again.  Who goes before the archive has heard of
    that may see these messages again at its next login: counted apart."""

    def __init__(self, cluster, name, frontend, sender):
        super().__init__()
        self.cluster, self.name, self.frontend = cluster, name, frontend
        self.sender = sender
        self.sent = 0
        self.visits = 0
        self.known = set()  # of earlier visits
        self.again = 0

    def login(self):
        """A service that is away just now is a reason to try again."""
        for _ in range(20):
            try:
                return Chatter(self.cluster, self.name, self.frontend)
            except Failure as failure:
                if "temporary-auth-failure" not in str(failure):
                    raise
        raise Failure("no login for " + self.name)

    def visit(self, expected):
        client = self.login()
        try:
            wait_until(lambda: expected[-1] in client.got or client.is_closed, "what is stored", 60, 0.05)
        except Failure:
            pass  # said better by the check
        check(not client.is_closed, "%s was disconnected" % self.name)
        client.acknowledge()
        client.handled()  # it has been read
        client.close()
        got = [b for b in client.got if b not in self.known]
        check_journal(self.name, got, expected)
        self.again += len(client.got) - len(got)
        self.known.update(got)
        self.cluster.clients.remove(client)
        self.visits += 1

    def run(self):
        while not self.stopping.is_set():
            expected = ["%s %d" % (self.name, self.sent + i) for i in range(VISIT_MESSAGES)]
            for body in expected:
                self.sender.message(self.name + "@localhost", body)
                self.stopping.wait(0.01)
            self.sent += VISIT_MESSAGES
            self.visit(expected)


class Gardener(Traffic):
    """Changes a roster, one change after the other."""

    def __init__(self, client):
        super().__init__()
        self.client = client
        self.roster = {}
        self.changes = 0

    def set(self, jid, name):
        attributes = "name='%s'" % name if name else "subscription='remove'"
        answer = self.client.iq("set", "<query xmlns='jabber:iq:roster'><item jid='%s' %s/>"
                                "</query>" % (jid, attributes))
        check(answer.get("type") == "result", "a change of the roster is refused")
        self.roster[jid] = name
        if not name:
            del self.roster[jid]
        self.changes += 1

    def run(self):
        while not self.stopping.wait(0.02):
            jid = "c%d@localhost" % (self.changes % 7)
            self.set(jid, None if jid in self.roster and self.changes % 3 == 0
                     else "n%d" % self.changes)

    def check(self):
        answer = self.client.iq("get", "<query xmlns='jabber:iq:roster'/>")
        roster = {item.get("jid"): item.get("name") for item in answer[0]}
        check(roster == self.roster, "roster: %s, expected %s" % (roster, self.roster))


class Mood(Traffic):
    """Changes a presence."""

    def __init__(self, client):
        super().__init__()
        self.client = client
        self.changes = 0

    def run(self):
        while not self.stopping.wait(0.05):
            self.changes += 1
            self.client.send("<presence><status>s%d</status></presence>" % self.changes)


class Instance:
    """One of the two of a service, started again whenever it has died."""

    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name
        self.process = None
        self.point = None
        self.since = 0
        self.offset = 0
        self.is_told = False  # to stop, or killed by us

    def log(self):
        path = os.path.join(self.cluster.run_dir, "log", self.name + ".log")
        with open(path, errors="replace") as log:
            log.seek(self.offset)
            return log.read()

    def start(self, point, number):
        path = os.path.join(self.cluster.run_dir, "log", self.name + ".log")
        self.offset = os.path.getsize(path)
        self.point = point
        self.is_told = False
        self.since = time.monotonic()
        environment = {"OCEAN_CRASH": "%s:%d" % (point, number)} if point else {}
        self.process = self.cluster.start(self.name, **HASTE, **environment)

    def age(self):
        return time.monotonic() - self.since

    def tell(self, number):
        self.is_told = True
        self.process.send_signal(number)

    def is_ready(self):
        return "ready" in self.log()

    def end(self):
        """None, or the point at which it has died, or "" for another end."""
        status = self.process.poll()
        if status is None:
            return None
        if status == -signal.SIGKILL and "crash point" in self.log():
            return self.point
        check(self.is_told and status in (0, -signal.SIGKILL),
              "%s ended with %d" % (self.name, status))
        return ""


class Reaper:
    """Sees to it that one service dies at each of its points often enough."""

    def __init__(self, cluster, service, target, seed):
        self.random = random.Random("%s %s" % (seed, service))
        self.service, self.target = service, target
        self.hits = dict.fromkeys(points_of(service), 0)
        self.instances = [Instance(cluster, "%s.%d" % (service, i)) for i in (1, 2)]
        self.last = time.monotonic()
        self.burst = 0
        self.rest_until = None
        for instance in self.instances:
            cluster.kill(instance.name)
            self.start(instance)

    def point(self):
        return next((p for p, n in self.hits.items() if n < self.target), None)

    def start(self, instance):
        point = self.point() if self.burst < BURST else None
        instance.start(point, self.random.randint(1, POINTS[point]) if point else 0)

    def is_done(self):
        return self.point() is None and all(i.point is None for i in self.instances)

    def look(self):
        for instance in self.instances:
            end = instance.end()
            if end is None:
                continue
            if end:
                self.hits[end] += 1
                self.burst += 1
                self.last = time.monotonic()
            self.start(instance)
        if self.burst >= BURST:
            self.rest()
        elif not self.is_done():
            self.push()

    def rest(self):
        if any(i.point for i in self.instances):
            self.push()
        elif not self.rest_until:
            self.rest_until = time.monotonic() + REST_SECONDS
        elif time.monotonic() > self.rest_until:
            self.rest_until = None
            self.burst = 0
            self.last = time.monotonic()

    def is_wanted(self, instance):
        """Is it to die?  One without a point is, to be started with one."""
        return bool(instance.point) or (self.burst < BURST and self.point() is not None)

    def push(self):
        """Some points are not met without help."""
        old, young = sorted(self.instances, key=lambda i: i.since)
        is_stuck = time.monotonic() - self.last > STUCK_SECONDS
        if not self.is_wanted(old):
            old, young = young, old
        if old.is_told or young.is_told or not self.is_wanted(old):
            return
        if old.point in (None, "leaving") or self.hits[old.point] >= self.target:
            if young.is_ready() and old.is_ready():
                old.tell(signal.SIGTERM)
        elif is_stuck and old.age() > STUCK_SECONDS and young.is_ready():
            old.tell(signal.SIGKILL)
            self.last = time.monotonic()


def table(reapers, out=print):
    out("%-10s" % "" + "".join("%14s" % p for p in POINTS))
    for reaper in reapers:
        out("%-10s" % reaper.service +
            "".join("%14s" % reaper.hits.get(p, "-") for p in POINTS))


def subscribe(watcher, watched):
    """So that one sees the other's presence."""
    watcher.send("<presence to='%s' type='subscribe'/>" % watched.bare)
    watched.wait_presence(watcher.bare, "subscribe")
    watched.send("<presence to='%s' type='subscribed'/>" % watcher.bare)
    watcher.wait_presence(watched.bare, "subscribed")


def reap(reapers, traffic, seconds):
    end = time.monotonic() + seconds

    def step():
        for reaper in reapers:
            reaper.look()
        if any(t.failure for t in traffic):
            raise Failure("; ".join(t.failure for t in traffic if t.failure))
        return all(r.is_done() for r in reapers)
    try:
        wait_until(step, "every point is hit", end - time.monotonic(), 0.02)
    except Failure:
        table(reapers)
        raise


def finish(talks, others):
    for thread in talks + others:
        thread.stop()
    for thread in talks + others:
        thread.join()
    for talk in talks:
        try:
            wait_until(lambda: len(talk.recipient.got) >= talk.sent, "the rest", 60)
        except Failure:
            pass  # said better by the check
        talk.check()
        wait_until(lambda: talk.sender.handled() >= talk.sent, "h of " + talk.name)


def run(hits, seed):
    names = ["u%d" % i for i in range(2 * PAIRS)] + ["v%d" % i for i in range(ABSENT)]
    began = time.monotonic()
    with Cluster(frontends=2, users=names, **dict.fromkeys(SERVICES, 2)) as cluster:
        clients = [Chatter(cluster, n, 1 + i % 2) for i, n in enumerate(names[:2 * PAIRS])]
        senders, recipients = clients[:PAIRS], clients[PAIRS:]
        for watcher, watched in zip(recipients, senders):
            subscribe(watcher, watched)
        talks = [Talk(s, r, "t%d" % i)
                 for i, (s, r) in enumerate(zip(senders, recipients))]
        visitors = [Visitor(cluster, n, 1 + i % 2, senders[i])
                    for i, n in enumerate(names[2 * PAIRS:])]
        gardeners = [Gardener(r) for r in recipients[:4]]
        for gardener, watched in zip(gardeners, senders):
            gardener.roster[watched.bare] = None
        moods = [Mood(s) for s in senders]
        others = visitors + gardeners + moods
        for thread in talks + others:
            thread.thread.start()
        print("up after %.0f s" % (time.monotonic() - began), flush=True)
        began = time.monotonic()
        reapers = [Reaper(cluster, s, hits, seed) for s in SERVICES]
        reap(reapers, talks + others, 60 + 30 * hits)
        took = time.monotonic() - began
        table(reapers)
        total = sum(sum(r.hits.values()) for r in reapers)
        print("%d hits in %.0f s, %d messages, %d visits, %d changes of rosters, "
              "%d seen again at a later login" % (
            total, took, sum(t.sent for t in talks + visitors), sum(v.visits for v in visitors),
            sum(g.changes for g in gardeners), sum(v.again for v in visitors)), flush=True)
        finish(talks, others)
        for gardener in gardeners:
            gardener.check()
        for mood, watcher in zip(moods, recipients):
            wait_until(lambda: watcher.statuses[-1:] == ["s%d" % mood.changes],
                       "the last presence, s%d; seen %s" % (mood.changes, watcher.statuses[-3:]))
        check(not any(c.is_closed for c in clients), "nobody was disconnected")
        check(cluster.queues()["dead"].get("messages", 0) == 0, "nothing is in `dead`")


def test():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hits", type=int, default=1)
    parser.add_argument("--seed", default=str(random.randrange(10 ** 6)))
    options = parser.parse_args()
    print("seed %s" % options.seed, flush=True)
    run(options.hits, options.seed)


main(test)
