"""One adds the other on another frontend; both see presence come, change, go."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import CLIENT, ROSTER, Cluster, check, main  # noqa: E402

GET = "<query xmlns='jabber:iq:roster'/>"


def roster_of(client):
    return {item.get("jid"): item for item in client.iq("get", GET)[0]}


def wait_push(client, jid, subscription, ask=None):
    push = client.wait(
        lambda e: e.tag == CLIENT + "iq" and e.get("type") == "set" and
        e[0].tag == ROSTER + "query" and e[0][0].get("jid") == jid and
        e[0][0].get("subscription") == subscription and e[0][0].get("ask") == ask,
        "a push of %s %s" % (jid, subscription))
    client.send("<iq type='result' id='%s'/>" % push.get("id"))
    return push


def befriend(alice, bob):
    alice.iq("set", "<query xmlns='jabber:iq:roster'><item jid='bob@localhost' name='Bob'>"
             "<group>Friends</group></item></query>")
    wait_push(alice, "bob@localhost", "none")
    alice.send("<presence type='subscribe' to='bob@localhost'/>")
    wait_push(alice, "bob@localhost", "none", "subscribe")
    bob.wait_presence("alice@localhost", "subscribe")
    bob.send("<presence type='subscribed' to='alice@localhost'/>")
    wait_push(bob, "alice@localhost", "from")
    wait_push(alice, "bob@localhost", "to")
    alice.wait_presence("bob@localhost/")
    bob.send("<presence type='subscribe' to='alice@localhost'/>")
    alice.wait_presence("bob@localhost", "subscribe")
    alice.send("<presence type='subscribed' to='bob@localhost'/>")
    wait_push(alice, "bob@localhost", "both")
    wait_push(bob, "alice@localhost", "both")
    bob.wait_presence("alice@localhost/")


def test():
    with Cluster(frontends=2) as cluster:
        alice = cluster.client("alice", frontend=1, resource="a")
        bob = cluster.client("bob", frontend=2, resource="b")
        for client in (alice, bob):
            check(roster_of(client) == {}, "an empty roster")
        befriend(alice, bob)
        item = roster_of(alice)["bob@localhost"]
        check(item.get("name") == "Bob", "name")
        check([g.text for g in item] == ["Friends"], "group")

        # Changes are seen.
        bob.send("<presence><show>away</show><status>tea</status></presence>")
        got = alice.wait(lambda e: e.tag == CLIENT + "presence" and
                         e.findtext(CLIENT + "show") == "away", "away")
        check(got.findtext(CLIENT + "status") == "tea", "status")
        check(got.get("from") == "bob@localhost/b", got.get("from"))

        # Who comes later is told (probe), on another frontend, with own resources.
        second = cluster.client("alice", frontend=2, resource="a2")
        second.wait(lambda e: e.get("from") == "bob@localhost/b" and
                    e.findtext(CLIENT + "show") == "away", "what Bob said last")
        second.wait_presence("alice@localhost/a")
        alice.wait_presence("alice@localhost/a2")
        bob.wait_presence("alice@localhost/a2")

        # Leaving is seen, in order and without a word.
        second.close()
        bob.wait_presence("alice@localhost/a2", "unavailable")
        alice.wait_presence("alice@localhost/a2", "unavailable")
        bob.drop()
        alice.wait_presence("bob@localhost/b", "unavailable")

        # A request to somebody who is away waits for him.
        cluster.add_users("carol")
        alice.send("<presence type='subscribe' to='carol@localhost' xmlns:p='urn:p'>"
                   "<status>hi</status><p:note/></presence>")
        wait_push(alice, "carol@localhost", "none", "subscribe")
        carol = cluster.client("carol", frontend=2)
        got = carol.wait_presence("alice@localhost", "subscribe")
        check(got.findtext(CLIENT + "status") == "hi", "its text")
        check(got.find("{urn:p}note") is not None, "what it is extended with")
        other = cluster.client("carol", frontend=1)  # each resource is asked
        other.wait_presence("alice@localhost", "subscribe")
        carol.send("<presence type='unavailable'/><presence/>")
        carol.wait_presence("alice@localhost", "subscribe")
        carol.send("<presence type='unsubscribed' to='alice@localhost'/>")
        wait_push(alice, "carol@localhost", "none")

        # Removing ends both subscriptions.
        bob = cluster.client("bob", frontend=2, resource="b")
        roster_of(bob)
        bob.wait_presence("alice@localhost/a")
        alice.iq("set", "<query xmlns='jabber:iq:roster'><item jid='bob@localhost' "
                 "subscription='remove'/></query>")
        wait_push(alice, "bob@localhost", "remove")
        bob.wait_presence("alice@localhost/a", "unavailable")
        alice.wait_presence("bob@localhost/b", "unavailable")
        check("bob@localhost" not in roster_of(alice), "gone")
        item = roster_of(bob).get("alice@localhost")
        check(item is None or item.get("subscription") == "none", "none is left")


main(test)
