"""An instance of the archive that is too old for the stores it is given says so
once for each, leaves them to the other instance, and waits for one when it is
alone; nothing is lost.  The older one has stores of its own here, whose version
is far ahead of what it knows: to the real ones' owner it is the same."""
import os
import re
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import Cluster, check, main, wait_until  # noqa: E402

PARTITIONS = range(8)
BOBS = "archive.06"


def make_newer_stores(cluster):
    folder = os.path.join(cluster.run_dir, "newer")
    os.mkdir(folder)
    for partition in PARTITIONS:
        store = sqlite3.connect(os.path.join(folder, "archive.%02d.db" % partition))
        store.execute("PRAGMA user_version = 1000")
        store.close()
    return folder


def letters(cluster):
    """By instance of the archive, as `oceanctl status` shows them."""
    return dict(re.findall(r"^(archive\.\d+)-\w+ +archive +up +([osx-]+)$",
                           cluster.ctl("status").stdout, re.M))


def complaints(cluster):
    return [line for line in cluster.log("archive.2").splitlines() if "too old" in line]


def test():
    with Cluster() as cluster:
        alice = cluster.client("alice")
        folder = make_newer_stores(cluster)
        cluster.start("archive.2", OCEAN_STORE="sqlite:" + folder)

        def has_given_back():
            now = letters(cluster)
            return now.get("archive.1") == "o" * 8 and now.get("archive.2", "").count("x") >= 4
        wait_until(has_given_back, "its part of the partitions is given back", 60, 0.2)
        alice.message("bob@localhost", "one")
        alice.ping()

        cluster.kill("archive.1")
        wait_until(lambda: letters(cluster) == {"archive.2": "x" * 8}, "all are declined", 60, 0.2)
        status = cluster.ctl("status").stdout
        check(re.search(r"^%s +\d+ +0$" % BOBS, status, re.M), "nobody consumes: " + status)
        alice.message("bob@localhost", "two")
        alice.ping()

        cluster.start("archive.1")
        wait_until(lambda: letters(cluster) == {"archive.1": "o" * 8, "archive.2": "x" * 8},
                   "who can read them owns them all", 60, 0.2)
        bob = cluster.client("bob")
        bob.wait_message("one")
        bob.wait_message("two")
        check(bob.bodies() == [], "each once: %s" % bob.bodies())

        lines = complaints(cluster)
        check(len(lines) == len(PARTITIONS), "said once for each: %s" % lines)
        for partition in PARTITIONS:
            name = "archive.%02d" % partition
            check(any(" %s: %s has schema version 1000, this program knows up to"
                      % (name, os.path.join(folder, name + ".db")) in line for line in lines),
                  "%s in %s" % (name, lines))
        check(cluster.queues()["dead"]["messages"] == 0, "nothing is dead")


main(test)
