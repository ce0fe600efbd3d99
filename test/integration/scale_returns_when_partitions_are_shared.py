"""`scale` returns when the instances share the partitions, so that `status` right
after it shows where they are; both spellings of a number of instances work."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import Cluster, check, main  # noqa: E402


def owned(cluster, daemon):
    """The partitions that each instance says it owns, by its name."""
    status = cluster.launcher("status").stdout
    lines = re.findall(r"^(%s\.\d+)-\w+ +%s +up +([os-]+)$" % (daemon, daemon), status, re.M)
    shares = {name: [i for i, letter in enumerate(letters) if letter == "o"]
              for name, letters in lines}
    check(sorted(sum(shares.values(), [])) == list(range(8)),
          "every partition has one owner: %s\n%s" % (shares, status))
    return shares


def test():
    with Cluster(users=()) as cluster:
        cluster.launcher("scale", "delivery=2", "--archive", "2", "--frontend", "2")
        status = cluster.launcher("status").stdout
        check(len(re.findall(r"^frontend\.\d-\w+ +frontend +up", status, re.M)) == 2, status)
        for daemon in ("delivery", "archive"):
            shares = owned(cluster, daemon)
            check(sorted(shares) == [daemon + ".1", daemon + ".2"], str(shares))
        cluster.launcher("scale", "delivery=1")
        check(owned(cluster, "delivery") == {"delivery.1": list(range(8))}, "all are back")
        # Who was killed is given up before the rest is shared.
        cluster.kill("archive.2")
        cluster.launcher("scale", "archive=1")
        check(owned(cluster, "archive") == {"archive.1": list(range(8))}, "all are taken over")


main(test)
