"""The archive's database takes two seconds for every transaction: who writes to
somebody absent is not held up for ever, who talks to somebody present does not
notice, and all that was stored comes in order."""
import glob
import os
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import Cluster, check, main, wait_until  # noqa: E402

PAUSE = 2.0


class SlowStore(threading.Thread):
    """Holds the write lock of every file of the archive but for moments."""

    def __init__(self, run_dir):
        super().__init__(daemon=True)
        self.files = [sqlite3.connect(f, isolation_level=None, timeout=5,
                                      check_same_thread=False)
                      for f in glob.glob(os.path.join(run_dir, "store", "archive.*.db"))]
        self.over = threading.Event()
        self.held = 0

    def run(self):
        while not self.over.is_set():
            for file in self.files:
                file.execute("BEGIN IMMEDIATE")
            self.held += 1
            self.over.wait(PAUSE)
            for file in self.files:
                file.execute("ROLLBACK")
            self.over.wait(0.02)

    def stop(self):
        self.over.set()
        self.join()
        for file in self.files:
            file.close()


def test():
    with Cluster(frontends=2, users=("alice", "bob", "carol")) as cluster:
        alice = cluster.client("alice", frontend=1)
        carol = cluster.client("carol", frontend=2)
        alice.enable()
        store = SlowStore(cluster.run_dir)
        check(len(store.files) == 8, "a file per partition")
        store.start()
        wait_until(lambda: store.held, "the store is slow")
        slowest = 0
        for i in range(200):
            alice.message("bob@localhost", "b%d" % i)
            began = time.monotonic()
            alice.message(carol.bare, "c%d" % i)
            carol.wait_message("c%d" % i)
            slowest = max(slowest, time.monotonic() - began)
            store.over.wait(0.02)
        check(slowest < PAUSE / 2, "carol waited %.1f s" % slowest)
        check(store.held > 1, "the store was slow all the time")
        # Acknowledged to alice as soon as the broker has them.
        wait_until(lambda: alice.handled() == 400, "all are handled")
        store.stop()
        bob = cluster.client("bob", frontend=2)
        for i in range(200):
            bob.next_message("b%d" % i)
        check(bob.bodies() == [], "each once: %s" % bob.bodies())
        check(cluster.queues()["dead"]["messages"] == 0, "nothing is dead")


main(test)
