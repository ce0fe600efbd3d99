"""Messages to somebody who is away are stored and come at the next login, in
order, with a stamp that says when they were sent, before newer ones.  What
cannot be stored goes back to its sender."""
import datetime
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import Cluster, check, error_of, main, wait_until  # noqa: E402

DELAY = "{urn:xmpp:delay}delay"
STORED, LIVE = 450, 200
ROUNDS = 5
MAX_OFFLINE = 3


def wait_live(alice, bob):
    """Until all that was stored has come, and what comes now is not stored."""
    def comes_live():
        alice.message("bob@localhost", "live?")
        return bob.wait_message("live?").find(DELAY) is None
    wait_until(comes_live, "a message without a stamp")


def come_in_order(cluster, alice):
    """New ones are sent while the stored ones are replayed."""
    for i in range(STORED):
        alice.message("bob@localhost", "m%d" % i)
    alice.ping("bob@localhost")
    bob = cluster.client("bob", frontend=2, presence=False)
    bob.send("<presence/>")
    for i in range(STORED, STORED + LIVE):
        alice.message("bob@localhost", "m%d" % i)
    for i in range(STORED + LIVE):
        delay = bob.next_message("m%d" % i).find(DELAY)
        if i < STORED:
            check(delay is not None, "stored ones have a stamp")
            check(delay.get("from") == "localhost", "from the server")

    wait_live(alice, bob)
    bob.close()


def nothing_is_stored_twice(cluster, alice):
    bob = cluster.client("bob", frontend=1)
    alice.message("bob@localhost", "after")
    bob.wait_message("after")
    check(bob.bodies() == [], "nothing comes again: %s" % bob.bodies())
    bob.close()


def what_it_had_does_not_come_again(cluster, alice, says_so, ends):
    """A client that leaves as soon as it has what was stored: the archive may not
    have heard yet that this has arrived.  says_so: by XEP-0198; ends: how."""
    for i in range(ROUNDS):
        alice.message("bob@localhost", "had %d" % i)
        alice.ping("bob@localhost")
        bob = cluster.client("bob", frontend=2, presence=False)
        if says_so:
            bob.enable()
        bob.send("<presence/>")
        bob.next_message("had %d" % i)
        if says_so:
            bob.acknowledge()
            bob.handled()
        ends(bob)
    bob = cluster.client("bob")
    wait_live(alice, bob)
    check(bob.bodies() == [], "nothing comes again: %s" % bob.bodies())
    bob.close()


def says_good_bye(client):
    client.send("<presence type='unavailable'/>")
    client.close()


def not_had_comes_again(cluster, alice):
    """The same, but it has not acknowledged the last: that comes again, first."""
    for i in range(2):
        alice.message("bob@localhost", "told %d" % i)
    alice.ping("bob@localhost")
    bob = cluster.client("bob", frontend=2, presence=False)
    bob.enable()
    bob.send("<presence/>")
    bob.next_message("told 0")
    bob.next_message("told 1")
    bob.acknowledge_before(1)
    bob.handled()
    bob.close()
    alice.message("bob@localhost", "told 2")
    bob = cluster.client("bob")
    bob.next_message("told 1")
    bob.next_message("told 2")
    wait_live(alice, bob)
    check(bob.bodies() == [], "and no more: %s" % bob.bodies())
    bob.close()


def negative_priority_is_as_good_as_away(cluster, alice):
    """RFC 6121 8.5.2: for the bare JID."""
    bob = cluster.client("bob", presence=False)
    bob.send("<presence><priority>-1</priority></presence>")
    bob.ping()
    alice.message("bob@localhost", "later")
    alice.ping(bob.bare)
    bob.ping()
    check(bob.bodies() == [], "not for a negative priority")
    bob.send("<presence/>")
    bob.wait_message("later")
    bob.close()


def check_sent_back(alice, number, sender):
    got = alice.wait(lambda e: e.get("id") == number, "the answer to " + number)
    check(got.get("type") == "error", "sent back")
    check(got.get("from") == sender, "from %s: %s" % (sender, got.get("from")))
    check(error_of(got) == "service-unavailable", error_of(got))


def nobody_has_no_store(alice):
    alice.message("nobody@localhost", "hello?", number="n1")
    check_sent_back(alice, "n1", "nobody@localhost")


def headlines_are_not_kept(cluster, alice):
    alice.message("bob@localhost", "news", kind="headline")
    alice.message("bob@localhost", "kept")
    alice.ping("bob@localhost")
    bob = cluster.client("bob")
    bob.wait_message("kept")
    check("news" not in bob.bodies(), "no headline: %s" % bob.bodies())
    bob.close()


def unix_ms(stamp):
    moment = datetime.datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%fZ")
    return round(moment.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)


def start_again(cluster):
    """Archive and delivery; the archive keeps no more than MAX_OFFLINE now."""
    cluster.start("archive.1", OCEAN_MAX_OFFLINE=str(MAX_OFFLINE))
    cluster.start("delivery.1")


def stamp_says_when_it_was_sent(cluster):
    """Not when it is routed, stored or replayed: nobody is there for that."""
    sender = cluster.client("alice")
    sender.enable()
    cluster.kill("delivery.1")
    cluster.kill("archive.1")
    before = time.time_ns() // 1000000
    sender.message("bob@localhost", "waited")
    wait_until(lambda: sender.handled() == 1, "the server has it")
    after = time.time_ns() // 1000000
    start_again(cluster)
    bob = cluster.client("bob", frontend=2)
    stamp = bob.wait_message("waited").find(DELAY).get("stamp")
    check(before <= unix_ms(stamp) <= after,
          "%s is %d ms after sending" % (stamp, unix_ms(stamp) - before))


def more_than_the_limit_goes_back(cluster, alice):
    """XEP-0160 2: from the address that it was for.  Carol has never been here:
    the limit is not for somebody who has just left."""
    for i in range(MAX_OFFLINE):
        alice.message("carol@localhost", "kept %d" % i)
    alice.message("carol@localhost", "too many", number="n2")
    alice.message("carol@localhost/gone", "too many", number="n3")
    check_sent_back(alice, "n2", "carol@localhost")
    check_sent_back(alice, "n3", "carol@localhost/gone")
    carol = cluster.client("carol", frontend=2)
    for i in range(MAX_OFFLINE):
        carol.next_message("kept %d" % i)
    alice.message("carol@localhost", "last")
    carol.next_message("last")


def test():
    with Cluster(frontends=2, users=("alice", "bob", "carol")) as cluster:
        alice = cluster.client("alice")
        come_in_order(cluster, alice)
        nothing_is_stored_twice(cluster, alice)
        what_it_had_does_not_come_again(cluster, alice, True, type(alice).close)
        what_it_had_does_not_come_again(cluster, alice, True, says_good_bye)
        what_it_had_does_not_come_again(cluster, alice, False, type(alice).close)
        not_had_comes_again(cluster, alice)
        negative_priority_is_as_good_as_away(cluster, alice)
        nobody_has_no_store(alice)
        headlines_are_not_kept(cluster, alice)
        stamp_says_when_it_was_sent(cluster)
        more_than_the_limit_goes_back(cluster, alice)


main(test)
