"""A bad configuration stops the daemon at start with file, line and what was
expected; the launcher refuses what cannot work and leaves nothing running."""
import os
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import BUILD, ROOT, Cluster, check, free_port, main  # noqa: E402


def run(daemon, *arguments, **environment):
    done = subprocess.run([os.path.join(BUILD, "ocean-" + daemon), *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=20, env={**os.environ, **environment})
    check(done.returncode != 0, "exit status: %s" % done.stdout)
    return done.stdout


def daemon_errors():
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        def with_file(text):
            file.seek(0)
            file.truncate()
            file.write(text)
            file.flush()
            return run("frontend", "--config", file.name)

        out = with_file("domain = \"a\";\ntls = \"maybe\";\n")
        check(file.name + ":2" in out and "required, optional, off" in out, out)
        out = with_file("\n\nmax_stanza_bytes = \"abc\";\n")
        check(file.name + ":3" in out and "expected a size" in out, out)
        out = with_file("nosuch = 1;\n")
        check(file.name + ":1" in out and "no such option" in out, out)
        out = with_file("domain = ;\n")
        check(file.name + ":1" in out, out)
    out = run("frontend", OCEAN_PORT="70000")
    check("OCEAN_PORT" in out and "65535" in out, out)
    out = run("delivery", "--nosuch", "1")
    check("--nosuch" in out, out)
    out = run("delivery", "--broker-password", "x")
    check("secret" in out, out)
    out = run("presence", "--domain", "a b")
    check("domain" in out, out)
    out = run("frontend", "--certificate", "/nonexistent", "--port",
              str(free_port(10000, 14000)))
    check("certificate" in out and "/nonexistent" in out, out)


def launcher(*arguments):
    done = subprocess.run([os.path.join(ROOT, "deploy", "cluster"), *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, timeout=120)
    return done.returncode, done.stdout


def launcher_errors():
    for arguments, word in ((["nonsense"], "unknown command"),
                            (["up", "--nosuch"], "unknown option"),
                            (["up", "--port", "x"], "--port"),
                            (["up", "--tls", "maybe"], "--tls")):
        with tempfile.TemporaryDirectory() as folder:
            status, out = launcher(*arguments, "--run-dir", folder)
            check(status != 0 and word in out and out.count("\n") == 1, out)
    with socket.socket() as taken, tempfile.TemporaryDirectory() as folder:
        taken.bind(("127.0.0.1", free_port(10000, 14000)))
        taken.listen()
        port = taken.getsockname()[1]
        status, out = launcher("up", "--run-dir", folder, "--port", str(port),
                               "--broker-port", str(free_port(16000, 20000)))
        check(status != 0 and str(port) in out and "in use" in out, out)
        status, out = launcher("status", "--run-dir", folder)
        check(status != 0 and "nothing is up" in out, out)


def second_up_changes_nothing():
    with Cluster() as cluster:
        alice = cluster.client("alice")
        done = cluster.launcher("up", "--frontends", "3")
        check("already up" in done.stdout, done.stdout)
        check(not alice.is_closed, "nobody was disconnected")
        # SIGTERM: the stream is ended in order, no queue is left behind.
        cluster.kill("frontend.1", 15)
        check(alice.wait_closed() == "system-shutdown", "told why")
        check(alice.is_stream_closed, "</stream:stream>")


def test():
    daemon_errors()
    launcher_errors()
    second_up_changes_nothing()


main(test)
