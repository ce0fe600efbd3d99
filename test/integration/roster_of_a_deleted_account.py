"""An account is deleted while its session is open and nobody has ended it yet:
what it asks of its roster is refused, and others of the partition are served."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import Cluster, check, error_of, main  # noqa: E402

ADD = "<query xmlns='jabber:iq:roster'><item jid='carol@localhost'/></query>"


def test():
    with Cluster(frontends=1, partitions=1) as cluster:
        alice = cluster.client("alice")
        bob = cluster.client("bob")
        cluster.kill("delivery.1")  # who would end the session
        cluster.ctl("user", "del", "alice@localhost")

        check(error_of(alice.iq("set", ADD)) == "item-not-found", "a set")
        check(bob.iq("set", ADD).get("type") == "result", "another user's set")
        alice.send("<presence type='subscribe' to='bob@localhost'/>")
        refused = alice.wait_presence("bob@localhost", "error")
        check(error_of(refused) == "item-not-found", "a subscription")

        cluster.start_missing(delivery=1)
        check(alice.wait_closed() == "not-authorized", "then the session ends")
        check(not cluster.grep_logs("goes to the queue dead"), "nothing is dead")


main(test)
