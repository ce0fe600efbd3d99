#!/usr/bin/env python3
"""The bus against a broker of its own that is killed, starved and filled."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import free_port, wait_until  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROBE = os.environ.get("OCEAN_BUS_PROBE",
                       str(ROOT / "build/release/test/bus_probe"))

# A loop that waits for the broker stands still for seconds; one that only shares
# the processors with a broker that boots, for less.
TURN_MS = 1500

EXCHANGES = {
    "ocean.test": "direct",
    "ocean.frontend": "direct",
    "ocean.node": "direct",
    "ocean.cluster": "fanout",
    "ocean.dead": "fanout",
}
QUEUES = {
    "test.00": {"x-single-active-consumer": True},
    "test.short": {"x-max-length": 3, "x-overflow": "reject-publish"},
    "test.spare": {},
    "dead": {},
}


def definitions():
    def binding(source, queue, key):
        return {"vhost": "/", "source": source, "destination": queue,
                "destination_type": "queue", "routing_key": key,
                "arguments": {}}

    return {
        "vhosts": [{"name": "/"}],
        "users": [{"name": "probe", "password": "probe", "tags": ""}],
        "permissions": [{"user": "probe", "vhost": "/", "configure": ".*",
                         "write": ".*", "read": ".*"}],
        "exchanges": [{"vhost": "/", "name": name, "type": kind,
                       "durable": True, "auto_delete": False,
                       "internal": False, "arguments": {}}
                      for name, kind in EXCHANGES.items()],
        "queues": [{"vhost": "/", "name": name, "durable": True,
                    "auto_delete": False, "arguments": arguments}
                   for name, arguments in QUEUES.items()],
        "bindings": [binding("ocean.test", "test.00", "00"),
                     binding("ocean.test", "test.short", "short"),
                     binding("ocean.dead", "dead", "")],
    }


class Broker:
    """A private RabbitMQ node: own directory, cookie, epmd and ports."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.port = free_port(21600, 24000, (1, 2))
        self.process = None
        (self.directory / "definitions.json").write_text(
            json.dumps(definitions()))
        (self.directory / "enabled_plugins").write_text("[].\n")
        (self.directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            f"load_definitions = {self.directory}/definitions.json\n"
            "log.console = false\n")

    def environment(self):
        directory = str(self.directory)
        return {
            "PATH": os.environ["PATH"],
            "HOME": directory,
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self.port + 1),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"bus{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self.port + 2),
            "RABBITMQ_CONF_ENV_FILE": f"{directory}/none",
            "RABBITMQ_CONFIG_FILE": f"{directory}/rabbitmq",
            "RABBITMQ_MNESIA_BASE": f"{directory}/data",
            "RABBITMQ_LOG_BASE": f"{directory}/log",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{directory}/enabled_plugins",
            "RABBITMQ_PID_FILE": f"{directory}/pid",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
                "-kernel inet_dist_use_interface {127,0,0,1}",
        }

    def start(self):
        self.process = subprocess.Popen(
            ["/usr/lib/rabbitmq/bin/rabbitmq-server"], cwd=self.directory,
            env=self.environment(), stdin=subprocess.DEVNULL,
            stdout=open(self.directory / "out", "ab"),
            stderr=subprocess.STDOUT, start_new_session=True)

    def is_up(self):
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def wait(self):
        wait_until(self.is_up, "the broker listens", 60)

    def ctl(self, *arguments):
        subprocess.run(["/usr/lib/rabbitmq/bin/rabbitmqctl", "-q", *arguments],
                       env=self.environment(), check=True, timeout=60,
                       stdout=subprocess.DEVNULL)

    def signal(self, number):
        os.killpg(self.process.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.process = None
        wait_until(lambda: not self.is_up(), "the broker is gone", 10)

    def stop(self):
        if self.process:
            self.kill()
        subprocess.run(["epmd", "-port", str(self.port + 1), "-kill"],
                       env=self.environment(), check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def numbers(line):
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line)}


class Probe:
    def __init__(self, broker, *arguments):
        self.process = subprocess.Popen(
            [PROBE, str(broker.port), *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            bufsize=1)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.lines = []
        self.counts = {}

    def read(self):
        while line := self.process.stdout.readline():
            if line.startswith("counts "):
                self.counts = numbers(line)
            else:
                self.lines.append(line.rstrip("\n"))
        return self.lines

    def check_runs(self, what):
        status = self.process.poll()
        assert status is None, f"not {what}, exit {status}: {self.read()}"

    def wait_for(self, line, seconds=60):
        def has_come():
            while self.read():
                if self.lines.pop(0).startswith(line):
                    return True
            self.check_runs(f'said: "{line}"')
            return False

        wait_until(has_come, f'the probe says "{line}"', seconds)

    def wait_for_counts(self, condition, what, seconds=30):
        """Until that is true of what it has published, settled, received."""
        def is_so():
            self.check_runs(what)
            self.process.send_signal(signal.SIGUSR1)
            self.read()
            return self.counts and condition(**self.counts)

        wait_until(is_so, what, seconds)

    def result(self, seconds=120):
        """The facts of the last but one line, as numbers."""
        status = self.process.wait(seconds)
        lines = self.read()
        assert status == 0, lines
        return numbers(lines[-2])


def flowing(number):
    """That many have gone all the way."""
    return lambda settled, received, **_: min(settled, received) >= number


def waiting(number):
    """That many have been published, and the broker has not confirmed them."""
    return lambda published, settled, **_: published - settled >= number


def killed_while_messages_flow(broker):
    probe = Probe(broker, "flow", 30000, 2000)
    probe.wait_for("started")
    probe.wait_for_counts(flowing(1000), "messages flow")
    broker.kill()
    probe.wait_for("disconnected")
    broker.start()
    probe.wait_for("connected")
    facts = probe.result()
    assert facts["received"] == facts["settled"] == 30000, facts
    assert facts["resets"] >= 1, facts
    assert facts["longest_turn_ms"] < TURN_MS, facts


def killed_before_it_confirms(broker):
    """Frozen first, and mostly idle: what is under way has left us, has not
    been read, and dies with the broker."""
    probe = Probe(broker, "flow", 60, 5)
    probe.wait_for("started")
    probe.wait_for_counts(flowing(5), "messages flow")
    broker.signal(signal.SIGSTOP)
    probe.wait_for_counts(waiting(4), "some are under way")
    broker.kill()
    probe.wait_for("disconnected")
    broker.start()
    probe.wait_for("connected")
    facts = probe.result()
    assert facts["received"] == facts["settled"] == 60, facts


def starved_of_memory(broker):
    probe = Probe(broker, "flow", 8000, 1000)
    probe.wait_for("started")
    broker.ctl("set_vm_memory_high_watermark", "0.00001")
    probe.wait_for("blocked")
    probe.wait_for_counts(waiting(2000), "messages wait")
    broker.ctl("set_vm_memory_high_watermark", "0.4")
    probe.wait_for("unblocked")
    facts = probe.result()
    assert facts["received"] == facts["settled"] == 8000, facts
    assert facts["resets"] == 0, facts
    assert facts["longest_turn_ms"] < TURN_MS, facts


def frozen_broker_is_given_up(broker):
    probe = Probe(broker, "flow", 1000000, 1000)
    probe.wait_for("started")
    broker.signal(signal.SIGSTOP)
    try:
        probe.wait_for("disconnected", 25)
        probe.process.terminate()
        facts = probe.result(10)
    finally:
        broker.signal(signal.SIGCONT)
    assert facts["longest_turn_ms"] < TURN_MS, facts
    assert facts["stop_ms"] < 3000, facts


def full_queue_keeps_order(broker):
    facts = Probe(broker, "full", 1500).result()
    assert facts["received"] == facts["settled"] == 1500, facts


def missing_inbox_gives_back(broker):
    facts = Probe(broker, "missing", 1000).result()
    assert facts["returned"] == 1000, facts


def refusal_stops_no_other(broker):
    probe = Probe(broker, "refused", 3000, 1000)
    probe.wait_for("refused: ")
    facts = probe.result()
    assert facts["received"] == 3000, facts


def standby_inherits_the_inbox(broker):
    Probe(broker, "inbox", 200).result()


def node_queue_and_dead_letters(broker):
    facts = Probe(broker, "node", 500).result()
    assert facts["received"] == 500, facts


def throughput_is_sane(broker):
    facts = Probe(broker, "flow", 200000).result()
    assert facts["received"] == 200000, facts
    print(f"200000 events in {facts['took_ms']} ms")


SCENARIOS = [
    throughput_is_sane,
    full_queue_keeps_order,
    missing_inbox_gives_back,
    refusal_stops_no_other,
    standby_inherits_the_inbox,
    node_queue_and_dead_letters,
    starved_of_memory,
    killed_while_messages_flow,
    killed_before_it_confirms,
    frozen_broker_is_given_up,  # leaves messages behind
]


def main():
    chosen = sys.argv[1:]
    directory = tempfile.mkdtemp(prefix="ocean-bus-")
    broker = Broker(directory)
    try:
        broker.start()
        broker.wait()
        for scenario in SCENARIOS:
            if not chosen or scenario.__name__ in chosen:
                began = time.monotonic()
                scenario(broker)
                print(f"{scenario.__name__}: "
                      f"{time.monotonic() - began:.1f} s", flush=True)
    finally:
        broker.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
