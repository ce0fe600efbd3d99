"""What a run costs and how long messages take, in a window of a calm run."""
import os
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def stat_fields(pid):
    """From the state (field 3 of proc(5)) on; None: there is no such process."""
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rsplit(")", 1)[1].split()
    except OSError:
        return None


def cpu_of(fields):
    """Seconds, with those of the children it has waited for."""
    return sum(map(int, fields[11:15])) / TICK


def group_cpu(group):
    """Of all processes of a process group: a daemon's is its own."""
    everybody = map(stat_fields, map(int, filter(str.isdigit, os.listdir("/proc"))))
    return sum(cpu_of(f) for f in everybody if f and group in (int(f[2]), int(f[3])))


def resident(pid):
    fields = stat_fields(pid)
    return int(fields[21]) * PAGE if fields else 0


def instances(cluster):
    return sorted(os.listdir(os.path.join(cluster.run_dir, "pid")))


class Sample:
    """CPU seconds so far, by kind of daemon."""

    def __init__(self, cluster, driver_pid):
        self.at = time.monotonic()
        self.seconds = {}
        for name in instances(cluster):
            kind = name.split(".")[0]
            self.seconds[kind] = self.seconds.get(kind, 0) + group_cpu(cluster.pid(name))
        self.driver = cpu_of(stat_fields(driver_pid))


class Watch(threading.Thread):
    """Once a second: memory of the frontends, and what their inboxes hold."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster = cluster
        self.over = threading.Event()
        self.resident = {}  # by frontend: bytes, one per second
        self.inboxes = []  # messages in the longest one
        self.start()

    def run(self):
        while not self.over.wait(1):
            for name in instances(self.cluster):
                if name.startswith("frontend."):
                    self.resident.setdefault(name, []).append(
                        resident(self.cluster.pid(name)))
            queues = self.cluster.queues()
            self.inboxes.append(max(
                [q.get("messages", 0) for n, q in queues.items() if n.startswith("inbox.")],
                default=0))

    def stop(self):
        self.over.set()
        self.join()


class Traffic:
    """Of the clients that chat: what the journal says of a window of time."""

    def __init__(self, path, begin, end):
        due = {}
        self.latencies = []  # of what should have been sent in the window
        self.sent = self.received = self.lost = self.silent_lost = 0
        chatting = None
        with open(path) as lines:
            for line in lines:
                words = line.split()
                at, index, event = int(words[0]) / 1e6, int(words[1]), words[2]
                if event == "begin":
                    chatting = int(words[3])
                elif index >= chatting:
                    self.silent_lost += event == "lost"
                elif event == "lost":
                    self.lost += 1
                elif event == "sent" and int(words[3]) < chatting:
                    planned = at - int(words[5]) / 1e6
                    due[index, int(words[3]), words[4]] = planned
                    self.sent += begin <= planned < end
                elif event == "received" and words[7] == "first":
                    self.received += begin <= at < end
                    planned = due[int(words[3]), index, words[4]]
                    if begin <= planned < end:
                        self.latencies.append(at - planned)
        self.latencies.sort()

    def latency(self, part):
        """Milliseconds from when it should have been sent to reception."""
        if not self.latencies:
            return float("nan")
        last = len(self.latencies) - 1
        return self.latencies[min(last, int(part * len(self.latencies)))] * 1e3


def has_started(path):
    """Everybody is online, and messages are being sent."""
    if not os.path.exists(path):
        return False
    with open(path, "rb") as journal:
        return b" start\n" in journal.read()


def figures(traffic, before, after, watch):
    """All of it, by name; CPU in microseconds per message received."""
    seconds = after.at - before.at
    received = max(1, traffic.received)
    cpu = {kind: after.seconds[kind] - before.seconds[kind] for kind in after.seconds}
    return {
        "seconds": seconds,
        "sent": traffic.sent / seconds,
        "received": traffic.received / seconds,
        "p50": traffic.latency(0.5),
        "p99": traffic.latency(0.99),
        "max": traffic.latency(1),
        "lost connections": traffic.lost,
        "lost connections of silent clients": traffic.silent_lost,
        "cpu seconds": sum(cpu.values()),
        "cpu us": {kind: spent * 1e6 / received for kind, spent in cpu.items()},
        "driver us": (after.driver - before.driver) * 1e6 / received,
        "resident": watch.resident,
        "inboxes": watch.inboxes,
        "load": os.getloadavg()[0],
    }


def print_figures(f):
    print("%.0f messages/s in %.1f s, latency p50 %.1f p99 %.1f max %.1f ms, "
          "CPU %.2f s = %.0f us/message; load average %.1f" % (
              f["received"], f["seconds"], f["p50"], f["p99"], f["max"],
              f["cpu seconds"], sum(f["cpu us"].values()), f["load"]))
    print("\n| process | CPU us per message |\n|---|---|")
    for kind, spent in sorted(f["cpu us"].items(), key=lambda item: -item[1]):
        print("| %s | %.0f |" % (kind, spent))
    print("| all | %.0f |\n| (the clients) | %.0f |\n" % (
        sum(f["cpu us"].values()), f["driver us"]))
    for name, sizes in sorted(f["resident"].items()):
        print("%s: resident %.1f MiB at first, %.1f at most, %.1f at last" % (
            name, sizes[0] / 2 ** 20, max(sizes) / 2 ** 20, sizes[-1] / 2 ** 20))
    print("longest inbox: %d messages at most, %d at last\n" % (
        max(f["inboxes"], default=0), (f["inboxes"] or [0])[-1]))
