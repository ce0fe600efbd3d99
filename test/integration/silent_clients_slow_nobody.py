"""A thousand clients that acknowledge nothing (XEP-0198) beside a thousand that
chat, on the same two frontends: nobody who chats is disconnected, nothing is
lost, the rate is kept, and neither inboxes nor frontends grow without bound.
docs/PERFORMANCE.md has how long messages take beside the same without them."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import ROOT, check, main  # noqa: E402

RUN = os.path.join(ROOT, "test", "chaos", "run")
CHATTING, SILENT = 1000, 1000
RATE, SILENT_RATE = 700, 300
DURATION_S = 15
ACK_TIMEOUT_S = 6
GROWTH = 40 * 2 ** 20  # bytes of a frontend, of which most is not ours to give
BACKLOG = 200  # AMQP messages in an inbox that is not stuck


def play(folder):
    """The figures, and the report."""
    done = subprocess.run(
        [RUN, "--calm", "--cost", "--seed", "11", "--clients", str(CHATTING),
         "--rate", str(RATE), "--duration", str(DURATION_S), "--frontends", "2",
         "--delivery", "1", "--presence", "1", "--roster", "1", "--archive", "1",
         "--silent", str(SILENT), "--silent-rate", str(SILENT_RATE),
         "--ack-timeout", str(ACK_TIMEOUT_S), "--out", folder],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    check(done.returncode == 0, done.stdout)
    with open(os.path.join(folder, "figures.json")) as file:
        return json.load(file), done.stdout


def count(report, name):
    """Of a line of the report about the silent clients."""
    return next(int(line.split()[-1]) for line in report.splitlines()
                if line.startswith("silent: %s " % name))


def show(f):
    print("%.0f messages/s, p50 %.1f, p99 %.1f, max %.1f ms, %.0f us CPU; "
          "longest inbox %d; load average %.1f" % (
              f["received"], f["p50"], f["p99"], f["max"],
              sum(f["cpu us"].values()), max(f["inboxes"]), f["load"]))
    for frontend, sizes in sorted(f["resident"].items()):
        print("    %s: %.1f to %.1f MiB" % (frontend, sizes[0] / 2 ** 20,
                                            sizes[-1] / 2 ** 20))


def test():
    with tempfile.TemporaryDirectory() as folder:
        figures, report = play(os.path.join(folder, "run"))
    show(figures)
    # That nothing is lost, or comes twice, the run itself has judged.
    check(figures["lost connections"] == 0, "nobody who chats was disconnected")
    check(figures["received"] > 0.9 * RATE, "the rate was kept")
    for name, sizes in figures["resident"].items():
        check(sizes[-1] - sizes[0] < GROWTH, "%s grew: %s" % (name, sizes))
    check(figures["inboxes"][-1] < BACKLOG, "inboxes: %s" % figures["inboxes"])
    check(count(report, "resumed") >= SILENT / 2, "silent clients were detached")
    check(count(report, "resume-failed") == 0, "and resumed their sessions:\n" + report)


main(test)
