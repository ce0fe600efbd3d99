"""go-sendxmpp over TLS: one sends, one listens."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import Cluster, check, main, wait_until  # noqa: E402


def command(cluster, name, frontend, *arguments):
    return ["go-sendxmpp", "-u", name + "@localhost", "-p", "secret-" + name, "-j",
            "localhost:%d" % cluster.frontend_port(frontend), *arguments]


def test():
    with Cluster(frontends=2, tls="required") as cluster:
        # The system's way to trust a certificate, for this process only.
        environment = {**os.environ, "SSL_CERT_FILE": cluster.certificate()}
        listener = subprocess.Popen(command(cluster, "bob", 2, "-l"), env=environment,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    stdin=subprocess.DEVNULL, text=True)
        try:
            wait_until(lambda: "bob@localhost" in cluster.ctl("sessions").stdout,
                       "bob's session", 30, 0.2)
            done = subprocess.run(command(cluster, "alice", 1, "bob@localhost"),
                                  env=environment, input="hello from go\n",
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, timeout=30)
            check(done.returncode == 0, done.stdout)
            line = listener.stdout.readline()
            check("hello from go" in line and "alice@localhost" in line, line)
        finally:
            listener.kill()

        # Received by somebody else's code, sent by somebody else's code.
        carol = cluster.client("bob", frontend=1)
        subprocess.run(command(cluster, "alice", 2, "bob@localhost"), env=environment,
                       input="second", text=True, timeout=30, check=True)
        carol.wait_message()


main(test)
