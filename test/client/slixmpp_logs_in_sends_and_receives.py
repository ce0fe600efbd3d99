"""python3-slixmpp over TLS: logs in, has a roster, sends and receives."""
import asyncio
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import Cluster, check, main  # noqa: E402

import slixmpp  # noqa: E402


class Person(slixmpp.ClientXMPP):
    def __init__(self, name, certificate):
        super().__init__("%s@localhost" % name, "secret-" + name)
        self.ca_certs = certificate
        self.ready = asyncio.get_event_loop().create_future()
        self.got = asyncio.Queue()
        self.register_plugin("xep_0030")
        self.register_plugin("xep_0199")
        self.add_event_handler("session_start", self.on_start)
        self.add_event_handler("message", self.got.put_nowait)
        self.add_event_handler("failed_auth", self.on_failed)

    async def on_start(self, _):
        self.send_presence()
        await self.get_roster()
        if not self.ready.done():
            self.ready.set_result(True)

    def on_failed(self, _):
        if not self.ready.done():
            self.ready.set_exception(Exception("login failed"))


async def talk(cluster):
    alice = Person("alice", cluster.certificate())
    bob = Person("bob", cluster.certificate())
    alice.connect(("127.0.0.1", cluster.frontend_port(1)))
    bob.connect(("127.0.0.1", cluster.frontend_port(2)))
    await asyncio.wait_for(asyncio.gather(alice.ready, bob.ready), 30)

    alice.send_message(mto="bob@localhost", mbody="hello from slixmpp", mtype="chat")
    got = await asyncio.wait_for(bob.got.get(), 20)
    check(got["body"] == "hello from slixmpp", got)
    check(got["from"] == alice.boundjid, "from")
    got.reply("and back").send()
    got = await asyncio.wait_for(alice.got.get(), 20)
    check(got["body"] == "and back", got)

    info = await alice["xep_0030"].get_info(jid="localhost", timeout=20)
    check("urn:xmpp:ping" in info["disco_info"]["features"], info)
    check(await alice["xep_0199"].ping(jid="localhost", timeout=20) < 20, "ping")
    check(await alice["xep_0199"].ping(jid=bob.boundjid.full, timeout=20) < 20,
          "a ping from client to client")
    await asyncio.gather(alice.disconnect(), bob.disconnect())


def test():
    with Cluster(frontends=2, tls="required") as cluster:
        asyncio.get_event_loop().run_until_complete(talk(cluster))


main(test)
