"""What the checker of the chaos runs finds, shown with journals by hand: each
broken promise is seen, and nothing is seen where none is broken."""
import os
import subprocess
import sys
import tempfile

CHECK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "check")

# Seconds; c1 and c2 are at frontends 1 and 2, c1 sends to c2.
LOGIN = """
0 0 begin 10 100
1.0 1 connect 1
1.0 1 bound 1 1
1.0 1 enabled 1 id
1.0 2 connect 2
1.0 2 bound 1 2
1.0 2 enabled 1 id
"""
END = "90 0 end complete 0"


def message(number, at=2.0, session=1, how="direct", who="first"):
    return """
        %f 1 sent 2 %d
        %f 1 acked 2 %d
        %f 2 received 1 %d %d %s %s
        """ % (at, number, at + .01, number, at + .02, number, session, how, who)


def received(number, at, session=1, how="direct"):
    return "\n%f 2 received 1 %d %d %s again\n" % (at, number, session, how)


def silent(number, at):
    return "\n%f 10 received 1 %d 1 direct first\n" % (at, number)


def acknowledged(at, session=1):
    """c2 acknowledges, and the server shows that it has read it."""
    return """
        %f 2 a %d 9
        %f 2 r %d
        %f 2 answer %d 9
        """ % (at, session, at, session, at + .01, session)


def lost(client, at, how, frontend=2):
    return "\n%f %d lost 1 %d %s\n" % (at, client, frontend, how)


def back(at, client=2, session=2, frontend=1):
    return """
        %f %d connect %d
        %f %d bound %d %d
        %f %d enabled %d id
        """ % (at, client, frontend, at, client, session, frontend, at, client, session)


def resume(at, outcome, frontend=1):
    """c2 tries to resume its session 1."""
    attempt = """
        %f 2 connect %d
        %f 2 resume 1 %d 9
        """ % (at, frontend, at, frontend)
    if outcome == "resumed":
        return attempt + "%f 2 resumed 1 %d 3\n" % (at, frontend)
    return attempt + "%f 2 resume-failed 1 %d - item-not-found\n" % (at, frontend)


def fault(action, target, at, number=1, kind="kind"):
    return "\n%f %d %s %s %s\n" % (at, number, kind, action, target)


KILL_2 = fault("kill", "frontend.2", 5) + fault("gone", "frontend.2", 5.01) + \
    fault("start", "frontend.2", 8)
TERM_2 = fault("term", "frontend.2", 5) + fault("gone", "frontend.2", 5.5) + \
    fault("start", "frontend.2", 8)
FREEZE_2 = fault("stop", "frontend.2", 5) + fault("cont", "frontend.2", 25)
BLINK_2 = fault("stop", "frontend.2", 5) + fault("cont", "frontend.2", 8)
RST_2 = fault("rst", "c2", 5)

# name, clients' journal, faults, the rule that is broken (or None)
CASES = [
    ("nothing happens", message(0) + message(1), "", None),
    ("lost", message(0) + "3 1 sent 2 1\n3.1 1 acked 2 1\n", "",
     "lost though acknowledged"),
    ("in doubt and lost", message(0) + "3 1 sent 2 1\n3.1 1 doubt 2 1\n", "", None),
    ("neither acknowledged nor in doubt", "3 1 sent 2 0\n" + received(0, 4), "",
     "never acknowledged"),
    ("came back", "3 1 sent 2 0\n3.1 1 acked 2 0\n3.2 1 bounced 2 0\n", "",
     "came back as an error"),
    ("twice in a session", message(0) + received(0, 3), "",
     "duplicates in one session"),
    ("twice, with a stamp", message(0) + received(0, 3, how="delayed"), "",
     "duplicates in one session"),
    ("in doubt, and twice", "3 1 sent 2 0\n3.1 1 doubt 2 0\n" + received(0, 4) +
     received(0, 5), "", "duplicates in one session"),
    ("out of order", message(1) + message(0, 3), "", "out of order"),
    ("out of order over sessions", message(1) + lost(2, 5.1, "eof") + back(6) +
     message(0, 7, session=2, how="delayed"), KILL_2, "out of order"),
    ("late, but in doubt", message(1) + "1.5 1 sent 2 0\n3 1 doubt 2 0\n" +
     received(0, 4), "", None),
    ("never sent", received(7, 3), "", "violations"),
    ("too high an h", "3 1 violation h=9 after 0 with 1 unacknowledged\n", "",
     "violations"),
    ("no end", None, "", "ends of the run that were not reached"),

    # Copies in another session.
    ("copy of what was unacknowledged", message(0) + lost(2, 5.1, "eof") + back(6) +
     received(0, 7, 2, "delayed"), KILL_2, None),
    ("without a stamp", message(0) + lost(2, 5.1, "eof") + back(6) +
     received(0, 7, 2), KILL_2, "copies without a delay stamp"),
    ("copy of what was acknowledged", message(0) + acknowledged(3) +
     lost(2, 5.1, "eof") + back(6) + received(0, 7, 2, "delayed"), KILL_2,
     "copies of what the client had acknowledged"),
    ("acknowledged when it was too late", message(0) + acknowledged(4.9) +
     lost(2, 5.1, "eof") + back(6) + received(0, 7, 2, "delayed"), KILL_2, None),
    ("the server has not read it", message(0) + "3 2 a 1 9\n" +
     lost(2, 5.1, "eof") + back(6) + received(0, 7, 2, "delayed"), KILL_2, None),
    ("asked before it was acknowledged", message(0) +
     "3 2 r 1\n3.1 2 a 1 9\n3.2 2 answer 1 9\n" + lost(2, 5.1, "eof") + back(6) +
     received(0, 7, 2, "delayed"), KILL_2, None),
    ("acknowledged by resuming", message(0) + lost(2, 5.1, "rst") +
     resume(6, "resumed") + lost(2, 15.1, "eof", 1) + back(16) +
     received(0, 17, 2, "delayed"), RST_2 + fault("kill", "frontend.1", 15) +
     fault("gone", "frontend.1", 15.01), "copies of what the client had acknowledged"),
    ("twice, then acknowledged, then again", message(0) + lost(2, 5.1, "eof") +
     back(6) + received(0, 7, 2, "delayed") + acknowledged(8, 2) +
     lost(2, 15.1, "eof", 1) + back(16, session=3) + received(0, 17, 3, "delayed"),
     KILL_2 + fault("kill", "frontend.1", 15) + fault("gone", "frontend.1", 15.01),
     "copies of what the client had acknowledged"),

    # Disconnects.
    ("closed by nobody", lost(2, 5, "eof") + back(6), "",
     "disconnects without a reason"),
    ("killed", lost(2, 5.1, "eof") + back(6), KILL_2, None),
    ("killed was another", lost(1, 5.1, "eof", 1) + back(6, 1), KILL_2,
     "disconnects without a reason"),
    ("before it was killed", lost(2, 4.9, "eof") + back(6), KILL_2,
     "disconnects without a reason"),
    ("long after it was killed", lost(2, 7.5, "eof") + back(8), KILL_2,
     "disconnects without a reason"),
    ("from its successor", lost(2, 5.05, "eof") + back(5.5, frontend=2) +
     lost(2, 6, "eof"), KILL_2, "disconnects without a reason"),
    ("a service was killed", lost(2, 5.1, "eof") + back(6),
     KILL_2.replace("frontend", "delivery"), "disconnects without a reason"),
    ("shutdown", lost(2, 5.1, "error:system-shutdown") + back(6), TERM_2, None),
    ("timeout of the frozen", lost(2, 24, "timeout") + back(26), FREEZE_2, None),
    ("timeout of the shortly frozen", lost(2, 7, "timeout") + back(9), BLINK_2,
     "disconnects without a reason"),
    ("timeout of the broker", lost(2, 24, "timeout") + back(26),
     KILL_2.replace("frontend.2", "rabbitmq.1"), "disconnects without a reason"),
    ("reset as ordered", lost(2, 5.1, "rst") + back(6), RST_2, None),
    ("reset of another", lost(1, 5.1, "rst", 1) + back(6, 1, frontend=2), RST_2,
     "disconnects without a reason"),
    ("reset by the server", lost(2, 5.1, "reset") + back(6), RST_2,
     "disconnects without a reason"),
    ("left as ordered", lost(2, 6, "clean") + "6 2 offline 1\n7 2 online\n" + back(8),
     fault("offline", "c2", 5), None),

    # Resumption.
    ("resumed", lost(2, 5.1, "rst") + resume(6, "resumed") + message(0, 8), RST_2, None),
    ("resumption fails after a reset", lost(2, 5.1, "rst") + resume(6, "failed") +
     back(7), RST_2, "resumptions that failed without a reason"),
    ("resumption fails after SIGTERM", lost(2, 5.1, "error:system-shutdown") +
     resume(6, "failed") + back(7), TERM_2, "resumptions that failed without a reason"),
    ("resumption fails after SIGKILL", lost(2, 5.1, "eof") + resume(6, "failed") +
     back(7), KILL_2, None),
    ("resumption fails after another's SIGKILL", lost(2, 5.1, "rst") +
     resume(6, "failed") + back(7), RST_2 + KILL_2.replace("frontend.2", "frontend.3"),
     "resumptions that failed without a reason"),

    # Silent clients: c10 and behind.
    ("to a silent one", "2 1 sent 10 0 500\n2.1 1 acked 10 0\n" + silent(0, 3) +
     silent(0, 4), "", None),
    ("lost to a silent one", "2 1 sent 10 0 500\n2.1 1 acked 10 0\n" + silent(1, 3),
     "", "lost though acknowledged"),
    ("in doubt to a silent one", "2 1 sent 10 0 500\n2.1 1 doubt 10 0\n", "", None),
    ("a silent one comes and goes", "5 10 lost 1 1 eof\n6 10 resume-failed 1 1 - gone\n",
     "", None),
    ("came back from a silent one", "2 1 sent 10 0 500\n2.1 1 acked 10 0\n"
     "2.2 1 bounced 10 0\n", "", "came back as an error"),

    ("a daemon died", "", fault("died", "roster.1", 5),
     "daemons that died by themselves"),
]


def journal(text):
    lines = []
    for line in text.splitlines():
        if line.strip():
            at, rest = line.split(None, 1)
            lines.append((float(at), rest))
    return "".join("%d %s\n" % (at * 1e6, rest)
                   for at, rest in sorted(lines, key=lambda pair: pair[0]))


def run(clients, faults):
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("clients", "faults")]
        for path, text in zip(paths, (clients, faults)):
            with open(path, "w") as file:
                file.write(journal(text))
        return subprocess.run([CHECK, *paths], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)


def broken_rules(output):
    return sorted({line[len("BROKEN "):].split(":")[0]
                   for line in output.splitlines() if line.startswith("BROKEN ")})


def main():
    failures = 0
    for name, text, faults, rule in CASES:
        clients = LOGIN if text is None else LOGIN + text + "\n" + END
        done = run(clients, faults)
        found = broken_rules(done.stdout)
        expected = [rule] if rule else []
        if found != expected or bool(done.returncode) != bool(rule):
            failures += 1
            print("%s: expected %s, got %s (status %d)\n%s" % (
                name, expected, found, done.returncode, done.stdout[-1500:]))
    print("%d cases, %d failures" % (len(CASES), failures))
    sys.exit(1 if failures else 0)


main()
