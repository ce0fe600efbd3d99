"""Dead letters: oceanctl lists, shows, retries and drops them.  What it leaves
stays, in order; killed while it retries it loses nothing."""
import json
import os
import sqlite3
import subprocess
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import BUILD, Cluster, check, main, wait_until  # noqa: E402
import base64  # noqa: E402

PARTITION_OF_ALICE, PARTITION_OF_BOB = "05", "06"


# MessagePack, as much as these events need.

def pack(value):
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return b"\xcf" + value.to_bytes(8, "big")
    if isinstance(value, bytes):
        return b"\xc5" + len(value).to_bytes(2, "big") + value
    if isinstance(value, str):
        return b"\xda" + len(value.encode()).to_bytes(2, "big") + value.encode()
    return b"\xde" + len(value).to_bytes(2, "big") + \
        b"".join(pack(k) + pack(v) for k, v in value.items())


def batch(*events):
    return b"\xdc" + (2 + len(events)).to_bytes(2, "big") + b"\x01\x00" + b"".join(events)


def message(number, body, **more):
    return batch(pack({
        "type": "stanza.route", "origin": 4711, "seq": number, "kind": "message",
        "subtype": "chat", "to": "bob@localhost", "from": "alice@localhost/test",
        "payload": ("<body>%s</body>" % body).encode(), "durable": True, **more}))


class Letters:
    """Publishes to the exchange of dead letters, as a service would."""

    def __init__(self, cluster):
        self.url = "http://127.0.0.1:%d/api/exchanges/ocean/ocean.dead/publish" % (
            cluster.broker_port + 10000)
        secret = open(os.path.join(cluster.run_dir, "secrets", "admin")).read().strip()
        self.token = base64.b64encode(("admin:" + secret).encode()).decode()

    def put(self, body, queue, reason):
        request = urllib.request.Request(self.url, json.dumps({
            "properties": {"delivery_mode": 2, "timestamp": 1700000000,
                           "headers": {"queue": queue, "reason": reason}},
            "routing_key": "", "payload": base64.b64encode(body).decode(),
            "payload_encoding": "base64"}).encode(), {
                "Authorization": "Basic " + self.token, "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            check(json.load(answer)["routed"], "routed")


def listed(cluster):
    return cluster.ctl("dead", "list").stdout.splitlines()


def show_and_drop(cluster, letters, bob):
    check(listed(cluster) == ["nothing is dead"], "nothing is dead")
    letters.put(message(1, "one", epoch=5, by="delivery.00"), "delivery." + PARTITION_OF_BOB,
                "crashed 3 times")
    letters.put(batch(pack({"type": "account.set", "to": "eve@localhost", "subtype": "create",
                            "node": "x", "request": 1, "keys": 7})), "roster.01", "wrong type")
    letters.put(b"no event at all", "archive.02", "not a batch of events")
    letters.put(message(2, "two"), "nowhere", "strange")
    lines = listed(cluster)
    check(len(lines) == 4, lines)
    check(lines[0].split()[0] == "1" and "delivery.06 \"crashed 3 times\" stanza.route"
          " from=alice@localhost/test to=bob@localhost" in lines[0], lines[0])
    check("roster.01" in lines[1] and "cannot be read" in lines[1], lines[1])
    check("archive.02" in lines[2] and "cannot be read" in lines[2], lines[2])
    check(listed(cluster) == lines, "listing changes nothing")

    shown = cluster.ctl("dead", "show", "1").stdout
    check("delivery.06" in shown and "2023-11-14T22:13:20" in shown and "seq=1 " in shown and
          "one" not in shown.replace("none", ""), shown)
    shown = cluster.ctl("dead", "show", "1", "--payload").stdout
    check("<body>one</body>" in shown, shown)

    for number in ("3", "4"):  # no event; from nowhere
        kept = cluster.ctl("dead", "retry", number, ok=False)
        check(kept.returncode == 1 and "stays" in kept.stderr, kept.stderr)
    check(listed(cluster) == lines, "they are still there")
    cluster.ctl("dead", "drop", "3")
    cluster.ctl("dead", "retry", "1")
    bob.wait_message("one")
    check([line.split(None, 1)[1] for line in listed(cluster)] ==
          [line.split(None, 1)[1] for line in (lines[1], lines[3])], "two are left, in order")
    cluster.ctl("dead", "drop", "all")
    check(listed(cluster) == ["nothing is dead"], "nothing is left")

    for arguments, word in ((["show"], "expected"), (["retry"], "all"), (["drop", "x"], "number"),
                            (["list", "x"], "no arguments"), (["show", "1"], "there is no 1")):
        done = cluster.ctl("dead", *arguments, ok=False)
        check(done.returncode != 0 and word in done.stderr, done.stderr)


def refused_by_a_store(cluster, bob):
    """The reason says which constraint, and nothing that a user wrote."""
    store = sqlite3.connect(os.path.join(
        cluster.run_dir, "store", "archive.%s.db" % PARTITION_OF_ALICE))
    store.execute("CREATE UNIQUE INDEX one_each ON message (user)")
    for body in ("kept", "secret"):
        bob.message("alice@localhost", body)
    lines = wait_until(lambda: [l for l in listed(cluster) if "archive" in l], "one is dead")
    store.execute("DROP INDEX one_each")
    store.close()
    check(len(lines) == 1 and '"UNIQUE constraint failed: message.user" archive.store'
          in lines[0] and "secret" not in lines[0], lines)
    cluster.ctl("dead", "retry", "1")
    alice = cluster.client("alice")
    alice.wait_message("kept")
    alice.wait_message("secret")


def behind_newer_ones(cluster, letters, bob):
    """What the recipient got meanwhile must not make it a repeat."""
    letters.put(message(101, "late"), "delivery." + PARTITION_OF_BOB, "x")
    letters.put(message(102, "early"), "delivery." + PARTITION_OF_BOB, "x")
    cluster.ctl("dead", "retry", "2")
    bob.wait_message("early")
    cluster.ctl("dead", "retry", "1")
    bob.wait_message("late")


def killed_in_between(cluster, letters, bob):
    bodies = ["k%d" % i for i in range(200)]
    for i, body in enumerate(bodies):
        letters.put(message(1000 + i, body), "delivery." + PARTITION_OF_BOB, "x")
    got = []
    wait_until(lambda: cluster.queues()["dead"]["messages_ready"] == 200, "all are dead")
    tool = subprocess.Popen([os.path.join(BUILD, "oceanctl"), "--run-dir", cluster.run_dir,
                             "dead", "retry", "all"], stdout=subprocess.DEVNULL)
    bob.wait(lambda e: e.findtext("{jabber:client}body") == "k0", "the first", take=False)
    tool.kill()
    tool.wait()
    wait_until(lambda: cluster.queues()["dead"].get("messages_unacknowledged") == 0,
               "the rest is back")
    wait_until(lambda: cluster.ctl("dead", "retry", "all", ok=False).returncode == 0, "the rest")
    bob.wait(lambda e: e.findtext("{jabber:client}body") == "k199", "the last", take=False)
    for body in bob.bodies():
        if body not in got:
            got.append(body)
    check(got == bodies, "nothing is lost, all in order: %s" % got)
    check(len(bob.bodies()) == 200, "what came twice is known by its id")
    check(listed(cluster) == ["nothing is dead"], "nothing is left")


def test():
    with Cluster() as cluster:
        bob = cluster.client("bob")
        letters = Letters(cluster)
        show_and_drop(cluster, letters, bob)
        refused_by_a_store(cluster, bob)
        behind_newer_ones(cluster, letters, bob)
        check(bob.bodies() == [], "each came once: %s" % bob.bodies())
        killed_in_between(cluster, letters, bob)


main(test)
