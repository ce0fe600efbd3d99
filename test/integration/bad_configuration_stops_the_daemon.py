"""A bad configuration stops the daemon at start with file, line and what was
expected; the launcher refuses what cannot work and leaves nothing running.  A
broker that is not there, or does not want us, is named and tried again."""
import os
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import BUILD, ROOT, Cluster, check, free_port, is_running, main, wait_until  # noqa: E402


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
        out = with_file("\nbroker_password_file = \"/nosuch\";\n")
        check(file.name + ":2: broker_password_file: cannot read" in out, out)
        out = with_file("domain = \"a b\";\n")
        check(file.name + ":1: domain: expected a domain name" in out, out)
        out = with_file("domain = ;\n")
        check(file.name + ":1: syntax error in `domain = ;`: expected `name = value;`" in out, out)
    out = run("frontend", "--config", "nosuch.conf")
    check("nosuch.conf: No such file or directory" in out, out)
    out = run("presence", "--broker-password-file", "/dev/null")
    check("the first line of \"/dev/null\"" in out, out)
    out = run("frontend", OCEAN_PORT="70000")
    check("OCEAN_PORT" in out and "65535" in out, out)
    out = run("delivery", "--nosuch", "1")
    check("--nosuch" in out, out)
    out = run("delivery", "--broker-password", "x")
    check("secret" in out, out)
    out = run("presence", "--domain", "a b")
    check("domain" in out, out)


def certificate_errors():
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    with tempfile.TemporaryDirectory() as folder, socket.socket() as broker:
        def path(name):
            return os.path.join(folder, name)

        broker.bind(("127.0.0.1", free_port(16000, 20000)))
        broker.listen()
        broker.setblocking(False)
        broker_port = str(broker.getsockname()[1])
        for name in ("own.key", "other.key"):
            openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path(name))
        openssl("ec", "-in", path("own.key"), "-aes128", "-passout", "pass:x", "-out",
                path("secret.key"))
        openssl("req", "-new", "-x509", "-key", path("own.key"), "-subj", "/CN=localhost",
                "-out", path("own.pem"))
        for certificate, key, option, reason in (
                ("none", "own.key", "certificate", "No such file or directory"),
                ("own.key", "own.key", "certificate", "expected a PEM certificate"),
                ("own.pem", "none", "private_key", "No such file or directory"),
                ("own.pem", "own.pem", "private_key", "expected a PEM private key"),
                ("own.pem", "secret.key", "private_key", "without a passphrase"),
                ("own.pem", "other.key", "private_key", "expected the key of the certificate")):
            bad = path(certificate if option == "certificate" else key)
            with open(path("ocean.conf"), "w") as file:
                file.write('certificate = "%s";\nprivate_key = "%s";\n'
                           % (path(certificate), path(key)))
            out = run("frontend", "--config", file.name, "--broker-port", broker_port)
            where = "%s:%d: %s" % (file.name, 1 if option == "certificate" else 2, option)
            check('%s: cannot use "%s": ' % (where, bad) in out and reason in out, out)
            out = run("frontend", "--certificate", path(certificate), "--private-key", path(key),
                      "--broker-port", broker_port)
            where = "--" + option.replace("_", "-")
            check('%s: cannot use "%s": ' % (where, bad) in out and reason in out, out)
        out = run("frontend", "--broker-port", broker_port)
        check("certificate: expected a file unless tls is off" in out, out)
        try:
            broker.accept()
            check(False, "it has connected to the broker first")
        except BlockingIOError:
            pass


def no_broker_is_named_and_nothing_waited_for():
    for daemon in ("frontend", "presence"):
        port = free_port(16000, 20000)
        process = subprocess.Popen(
            [os.path.join(BUILD, "ocean-" + daemon), "--broker-port", str(port)],
            stderr=subprocess.PIPE, text=True,
            env={**os.environ, "OCEAN_TLS": "off", "OCEAN_PORT": str(free_port(10000, 14000)),
                 "OCEAN_TSL": "off"})
        line, ignored = "", []
        while "cannot be opened" not in line:
            line = process.stderr.readline()
            check(line, daemon + " has stopped")
            if "is ignored" in line:
                ignored.append(line)
        # An option of another daemon is nothing to complain about.
        check(len(ignored) == 1 and "OCEAN_TSL is ignored" in ignored[0], str(ignored))
        check("broker 127.0.0.1:%d: " % port in line and "Connection refused" in line, line)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=5)  # a frontend with work under way waits for 10 s
        check(process.returncode == 0, "stopped in order")


def launcher(*arguments):
    done = subprocess.run([os.path.join(ROOT, "deploy", "cluster"), *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, timeout=120)
    return done.returncode, done.stdout


def launcher_errors():
    for arguments, word in ((["nonsense"], "unknown command"),
                            (["up", "--nosuch"], "unknown option"),
                            (["up", "--port", "x"], "--port: expected"),
                            (["up", "delivery=x"], "delivery: expected"),
                            (["up", "nosuch"], 'unexpected "nosuch"'),
                            (["up", "--early"], "up takes no --early"),
                            (["scale", "nosuch=2"], "there is no such daemon"),
                            (["scale", "--port", "2"], "scale takes no --port"),
                            (["up", "--tls", "maybe"], "--tls"),
                            (["up", "--domain", "x y"], "--domain: expected a domain name"),
                            (["up", "--store", "x:y"], "--store: expected sqlite:DIR")):
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


def refused_login_is_named(cluster):
    process = cluster.start("presence.2", OCEAN_BROKER_PASSWORD="wrong")
    said = wait_until(lambda: cluster.grep_logs("refuses"), "the refusal is logged")[0]
    for word in ("presence.2", "127.0.0.1:%d" % cluster.broker_port, "trying again",
                 'the login of user "ocean-presence" to vhost "ocean"', "403 ACCESS_REFUSED"):
        check(word in said, said)
    status = cluster.launcher("status").stdout
    check("presence.1: pid %d, member of the cluster\n" % cluster.pid("presence.1") in status and
          "presence.2: pid %d, no member of the cluster; " % process.pid in status and
          "403 ACCESS_REFUSED" in status, status)
    process.send_signal(signal.SIGTERM)
    check(process.wait(5) == 0, "stopped in order")
    done = subprocess.run([os.path.join(BUILD, "oceanctl"), "--run-dir", cluster.run_dir, "status"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20,
                          env={**os.environ, "OCEAN_BROKER_VHOST": "none"})
    check(done.returncode != 0 and done.stdout.count("refuses") == 1 and
          'user "ocean-tool" to vhost "none": 530' in done.stdout, done.stdout)


def waiting_says_what_for(cluster):
    secret = os.path.join(cluster.run_dir, "secrets", "presence")
    with open(secret) as file:
        right = file.read()
    with open(secret, "w") as file:
        file.write("wrong")
    scale = subprocess.Popen([os.path.join(ROOT, "deploy", "cluster"), "scale", "presence=2",
                              "--run-dir", cluster.run_dir],
                             stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = scale.stderr.readline()
    check(said.startswith("cluster: still waiting; presence.2 is no member of the cluster: ") and
          "403 ACCESS_REFUSED" in said, said)
    cluster.kill("presence.2")
    out = scale.communicate(timeout=20)[1]
    check(scale.returncode != 0 and "presence.2 has stopped" in out, out)
    with open(secret, "w") as file:
        file.write(right)


def other_partitions_are_refused(cluster):
    for name in ("frontend.2", "delivery.2"):
        process = cluster.start(name, OCEAN_PARTITIONS="16")
        check(process.wait(20) == os.EX_CONFIG, "exit status of " + name)
        check("partitions is 16 here and 8 at " in cluster.log(name), cluster.log(name))


def other_domain_is_refused(cluster):
    """The newcomer stops; those who are there go on, and if they hear of it at
    all they say once that it does not count."""
    alice, bob = cluster.client("alice"), cluster.client("bob")
    for name in ("frontend.2", "delivery.2", "roster.2"):
        process = cluster.start(name, OCEAN_DOMAIN="other.example")
        check(process.wait(20) == os.EX_CONFIG, "exit status of " + name)
        said = [line for line in cluster.log(name).splitlines() if " ERROR " in line]
        check("domain is other.example here and localhost at " in said[-1], str(said))
        for there in ("frontend.1", "delivery.1", "presence.1"):
            said = [line for line in cluster.log(there).splitlines()
                    if "its domain is other.example" in line and name in line]
            check(len(said) <= 1, str(said))
    alice.message("bob@localhost", "all is as it was")
    bob.wait_message("all is as it was")
    check(".2-" not in cluster.ctl("status").stdout, "nobody is taken for a member")


def second_up_starts_what_has_died():
    with Cluster(own_broker=True) as cluster:
        check(cluster.said.startswith("cluster: starting the broker"), cluster.said)
        log = cluster.log("rabbitmq.1")
        check("Starting broker" in log and "\x1b" not in log, "no colours in the log")
        refused_login_is_named(cluster)
        waiting_says_what_for(cluster)
        other_partitions_are_refused(cluster)
        other_domain_is_refused(cluster)
        alice = cluster.client("alice")
        done = cluster.launcher("up", "--frontends", "3")
        check("already up" in done.stdout, done.stdout)
        check(not alice.is_closed, "nobody was disconnected")
        # SIGTERM: the stream is ended in order, no queue is left behind.
        cluster.kill("frontend.1", 15)
        check(alice.wait_closed() == "system-shutdown", "told why")
        check(alice.is_stream_closed, "</stream:stream>")
        cluster.kill("archive.1")
        done = cluster.launcher("up")
        check("archive.1 was not running" in done.stdout and
              is_running(cluster.pid("archive.1")), done.stdout)
        cluster.launcher("down")
        done = cluster.launcher("up", "--partitions", "16", ok=False)
        check(done.returncode and "made with 8" in done.stdout, done.stdout)


def test():
    daemon_errors()
    certificate_errors()
    no_broker_is_named_and_nothing_waited_for()
    launcher_errors()
    second_up_starts_what_has_died()


main(test)
