"""XEP-0198 5: a client that comes back too late for its session, at another
frontend, is told how many of its stanzas had been handled, and need not send
them again; one that comes with a session nobody has heard of is not."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import SM, Cluster, check, main, wait_until  # noqa: E402


def test():
    os.environ["OCEAN_RESUME_TIMEOUT"] = "1s"
    with Cluster(frontends=2, delivery=1) as cluster:
        alice = cluster.client("alice", frontend=1)
        bob = cluster.client("bob", frontend=1, resource="pc")
        bob.enable(resume=True)
        for i in range(3):
            bob.message(alice.bare, "m%d" % i)
            alice.wait_message("m%d" % i)
        wait_until(lambda: bob.handled() == 3, "all are handled")
        bob.drop()
        wait_until(lambda: cluster.grep_logs("bob@localhost/pc: closed"), "it is over")

        again, answer = cluster.resume(bob, 2)
        check(answer.tag == SM + "failed", "not resumed")
        check(answer[0].tag.endswith("item-not-found"), "because there is none")
        check(answer.get("h") == "3", "and told what arrived: h=%s" % answer.get("h"))
        again.bind("pc")  # it may go on
        again.message(alice.bare, "m3")
        alice.wait_message("m3")
        check(alice.bodies() == [], "nothing came twice")


main(test)
