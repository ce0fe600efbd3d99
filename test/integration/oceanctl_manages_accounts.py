"""oceanctl: accounts through the broker, sessions, status, tap, clear errors."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import BUILD, SASL, Cluster, check, main, wait_until  # noqa: E402


def test():
    with Cluster(frontends=2, users=()) as cluster:
        ctl = cluster.ctl
        nobody = ctl("user", "list")
        check(nobody.stdout == "" and nobody.stderr == "no accounts\n", nobody.stderr)
        ctl("user", "add", "alice@localhost", "--password-file", "-", stdin="one\n")
        again = ctl("user", "add", "alice@localhost", "--password-file", "-",
                    stdin="two\n", ok=False)
        check(again.returncode == 1 and "exists already" in again.stderr, again.stderr)

        def can_login(password, mechanism="SCRAM-SHA-256"):
            client = cluster.connect()
            tag = client.try_login("alice", password, mechanism).tag
            client.drop()
            return tag == SASL + "success"

        check(can_login("one") and not can_login("two"), "the first password counts")
        ctl("user", "passwd", "alice@localhost", "--password-file", "-", stdin="two\n")
        check(can_login("two") and not can_login("one"), "the new password counts")
        wait_until(lambda: "account alice@localhost: changed" in cluster.log("delivery.1"),
                   "who operates it can see that")
        said = ctl("user", "passwd", "ALICE@Localhost", "--password-file", "-",
                   stdin="two\n").stdout
        check(said == "alice@localhost: password changed\n", said)
        # RFC 4013 3: a Roman numeral or three letters, they are the same password.
        ctl("user", "passwd", "alice@localhost", "--password-file", "-", stdin="\u2168\n")
        check(can_login("IX") and can_login("\u2168", "PLAIN"), "it is prepared")
        odd = ctl("user", "passwd", "alice@localhost", "--password-file", "-",
                  stdin="\u0627" "1\n", ok=False)
        check("RFC 4013 2.4" in odd.stderr, odd.stderr)
        none = ctl("user", "passwd", "nobody@localhost", "--password-file", "-",
                   stdin="x\n", ok=False)
        check("no such account" in none.stderr, none.stderr)
        # Before anything is typed; and there is no terminal here to type at.
        for command, name, word in (("passwd", "nobody", "no such account"),
                                    ("add", "alice", "exists already"),
                                    ("passwd", "alice", "no terminal"),
                                    ("add", "nobody", "no terminal")):
            asked = ctl("user", command, name + "@localhost", ok=False)
            check(asked.returncode != 0 and word in asked.stderr, asked.stderr)

        names = ["user%d" % i for i in range(300)]
        cluster.add_users(*names)
        listed = ctl("user", "list").stdout.split()
        check(sorted(listed) == sorted([n + "@localhost" for n in names] + ["alice@localhost"]),
              "everybody is listed once")
        bad = ctl("user", "import", "-", ok=False,
                  stdin="user1@localhost\tx\nno tab\n@\tx\nuser1@example.org\tx\n")
        check(bad.returncode == 1 and "line 1: exists" in bad.stderr and
              "line 2: expected" in bad.stderr and "line 3: not an account's" in bad.stderr and
              "line 4: not of localhost" in bad.stderr, bad.stderr)
        away = ctl("user", "add", "user1@example.org", "--password-file", "-", stdin="x\n", ok=False)
        check(away.returncode == 64 and "user1@example.org: not of localhost" in away.stderr,
              away.stderr)

        empty = ctl("sessions")
        check(empty.stdout == "" and empty.stderr == "no sessions\n", empty.stderr)
        user = cluster.client("user7", frontend=2, resource="r")
        sessions = ctl("sessions").stdout
        check(re.search(r"user7@localhost/r available frontend\.2-\w+ 127\.0\.0\.1:\d+", sessions),
              sessions)
        status = ctl("status").stdout
        for member in ("frontend.1", "frontend.2", "delivery.1", "presence.1", "roster.1"):
            check(member in status, status)
        check("oooooooo" in status, status)

        tap = subprocess.Popen(
            [os.path.join(BUILD, "oceanctl"), "--run-dir", cluster.run_dir, "tap",
             "stanza.route", "--count", "1", "--seconds", "30"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        check(tap.stderr.readline() == "oceanctl: listening to 34 queues for stanza.route\n",
              "it says when it is ready")
        user.message("user7@localhost", "tapped")
        line = tap.communicate(timeout=20)[0]
        user.wait_message("tapped")
        check("stanza.route" in line and "user7@localhost/r" in line, line)
        check("tapped" not in line, "bodies are not shown unasked: " + line)

        # Deleting ends the sessions, and logins that are under way.
        late = cluster.connect(frontend=1)
        late.login("user7", "secret-user7")
        ctl("user", "del", "user7@localhost")
        check(user.wait_closed() == "not-authorized", "the session is ended")
        check("user7@localhost" not in ctl("user", "list").stdout, "gone")
        late.send_iq("set", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>")
        check(late.wait_closed() == "not-authorized", "a login that had begun is ended")
        cluster.add_users("user7")
        cluster.client("user7").ping()

        for arguments, word in ((["nonsense"], 'unknown command "nonsense"\noceanctl --help'),
                                (["user"], '"user" alone is no command\nExpected one of\n'),
                                (["user", "lst"], 'unknown command "user lst"\nExpected one of\n'),
                                (["user", "list", "x"],
                                 'takes no arguments, got "x"\nUsage: oceanctl user list\n'),
                                (["--nonsense", "x"], "unknown option --nonsense"),
                                (["user", "add"], "JID"),
                                (["tap", "nonsense"], "expected a queue"),
                                (["tap", "delivery.08"], "delivery.00 (to 07)"),
                                (["--run-dir", "/nonexistent", "status"], "cannot read")):
            done = ctl(*arguments, ok=False)
            check(done.returncode != 0 and word in done.stderr,
                  "%s: %s" % (arguments, done.stderr))


main(test)
