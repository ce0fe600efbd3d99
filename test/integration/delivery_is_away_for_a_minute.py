"""All instances of delivery are away for a minute at 1000 messages/s, then all
come back at once: the backlog, many times the prefetch window, drains in order,
and a request that has waited for too long is answered with a timeout."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import CLIENT, Cluster, check, error_of, main, wait_until  # noqa: E402

PAIRS, RATE, SECONDS = 20, 1000, 60
PING = "<ping xmlns='urn:xmpp:ping'/>"


def send_all(senders, receivers, sent, stop):
    """RATE messages a second, round robin."""
    began = time.monotonic()
    count = 0
    while not stop.is_set():
        due = int((time.monotonic() - began) * RATE)
        while count < due:
            pair = count % PAIRS
            senders[pair].message(receivers[pair].bare, "m %d" % sent[pair])
            sent[pair] += 1
            count += 1
        stop.wait(0.005)


def test():
    users = ["u%d" % i for i in range(2 * PAIRS)]
    with Cluster(frontends=2, users=users, delivery=2) as cluster:
        clients = [cluster.client(u, frontend=1 + i % 2) for i, u in enumerate(users)]
        senders, receivers = clients[:PAIRS], clients[PAIRS:]
        sent, stop = [0] * PAIRS, threading.Event()
        thread = threading.Thread(target=send_all, args=(senders, receivers, sent, stop))
        thread.start()
        try:
            wait_until(lambda: all(r.bodies() for r in receivers), "messages flow")
            cluster.kill("delivery.1")
            cluster.kill("delivery.2")
            away = sum(sent)
            # Asked by somebody who gets messages, not by one who sends them
            # (two threads, one socket).
            asked = receivers[0].send_iq("get", PING, to=receivers[1].jid)
            wait_until(lambda: sum(sent) >= away + RATE * SECONDS,
                       "a minute's worth of messages", SECONDS * 3, 0.2)
            got = sum(len(r.bodies()) for r in receivers)
            check(got < away + RATE, "nothing was delivered meanwhile")
            cluster.start_missing(delivery=2)
            wait_until(lambda: sum(len(r.bodies()) for r in receivers) > away + RATE * SECONDS,
                       "the backlog drains", 60)
            answer = receivers[0].wait(lambda e: e.tag == CLIENT + "iq" and
                                       e.get("id") == asked, "an answer", 60)
            check(error_of(answer) == "remote-server-timeout", error_of(answer))
        finally:
            stop.set()
            thread.join()
        for receiver, count in zip(receivers, sent):
            wait_until(lambda: len(receiver.bodies()) >= count, "the rest")
            check(receiver.bodies() == ["m %d" % i for i in range(count)],
                  "in order, each once")
        check(not any(c.is_closed for c in clients), "nobody was disconnected")


main(test)
