"""The broker goes away and comes back: clients stay connected (pings are
answered meanwhile), messages flow again, no frontend is taken for dead."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import BUILD, Cluster, check, main, wait_until  # noqa: E402

PING = "<ping xmlns='urn:xmpp:ping'/>"


def operator_is_told(cluster):
    done = cluster.launcher("status", ok=False)
    check(done.returncode == 1 and "rabbitmq.1: not running" in done.stdout and
          "the broker does not run" in done.stdout, done.stdout)
    with subprocess.Popen([os.path.join(BUILD, "oceanctl"), "--run-dir", cluster.run_dir, "status"],
                          stderr=subprocess.PIPE, text=True) as tool:
        said = tool.stderr.readline()
        tool.kill()
    check("waiting for the broker at 127.0.0.1:%d" % cluster.broker_port in said, said)


def test():
    with Cluster(frontends=2, delivery=2, own_broker=True) as cluster:
        alice = cluster.client("alice", frontend=1)
        bob = cluster.client("bob", frontend=2)
        alice.message(bob.bare, "before")
        bob.wait_message("before")

        for turn in range(2):
            cluster.kill_broker()
            if turn == 0:
                operator_is_told(cluster)
            check(alice.iq("get", PING, to="localhost").get("type") == "result",
                  "answered without the broker")
            for i in range(20):
                alice.message(bob.bare, "during %d %d" % (turn, i))
                bob.message(alice.bare, "back %d %d" % (turn, i))
            cluster.start_broker()
            for i in range(20):
                bob.next_message("during %d %d" % (turn, i), seconds=60)
                alice.next_message("back %d %d" % (turn, i), seconds=60)
        for i in range(20):
            alice.message(bob.bare, "after %d" % i)
            bob.wait_message("after %d" % i)
        rest = alice.bodies() + bob.bodies()
        check(not rest, "each came once, but again: %s" % rest)
        check(not alice.is_closed and not bob.is_closed, "nobody was disconnected")
        for daemon in ("delivery.1", "delivery.2", "presence.1"):
            gone = [l for l in cluster.log(daemon).splitlines()
                    if "member frontend" in l and "left" in l]
            check(not gone, "no frontend was taken for dead: %s" % gone)
        # New logins work.
        wait_until(lambda: cluster.client("alice", frontend=2), "a login")


main(test)
