"""No roster service: a login waits, then fails with temporary-auth-failure, and
the connection stays good for another try.  No delivery: binding waits."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import SASL, Cluster, check, main  # noqa: E402


def test():
    with Cluster(frontends=1) as cluster:
        alice = cluster.client("alice")
        cluster.kill("roster.1")
        bob = cluster.connect()
        answer = bob.try_login("bob", "secret-bob")
        check(answer.tag == SASL + "failure" and
              answer[0].tag == SASL + "temporary-auth-failure", "told to try later")
        check(not bob.is_closed and not alice.is_closed, "all stay connected")
        cluster.start_missing(roster=1)
        bob.login("bob", "secret-bob")

        cluster.kill("delivery.1")
        back = threading.Timer(2, cluster.start_missing, kwargs={"delivery": 1})
        back.start()
        bob.bind("pc")  # answered when it is back
        back.join()
        bob.send("<presence/>")
        alice.message(bob.bare, "hello")
        bob.wait_message("hello")


main(test)
