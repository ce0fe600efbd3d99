"""profanity in tmux over TLS: logs in, receives, answers."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from ocean import Cluster, check, main, wait_until  # noqa: E402


class Terminal:
    def __init__(self, folder, command):
        self.tmux = ["tmux", "-S", os.path.join(folder, "tmux")]
        environment = {**os.environ, "HOME": folder, "TERM": "xterm",
                       "XDG_CONFIG_HOME": folder, "XDG_DATA_HOME": folder,
                       "LC_ALL": "C.UTF-8"}
        subprocess.run([*self.tmux, "-f", "/dev/null", "new-session", "-d", "-x", "140",
                        "-y", "45", command], env=environment, check=True)

    def type(self, line):
        subprocess.run([*self.tmux, "send-keys", "-l", line], check=True)
        subprocess.run([*self.tmux, "send-keys", "Enter"], check=True)

    def screen(self):
        done = subprocess.run([*self.tmux, "capture-pane", "-p"], stdout=subprocess.PIPE,
                              text=True)
        return done.stdout

    def wait(self, text, seconds=30):
        wait_until(lambda: text in self.screen(), "%r on the screen" % text, seconds, 0.1)

    def close(self):
        subprocess.run([*self.tmux, "kill-server"], stderr=subprocess.DEVNULL)


def test():
    with Cluster(frontends=2, tls="required") as cluster:
        bob = cluster.client("bob", frontend=2)
        terminal = Terminal(cluster.run_dir, "profanity")
        try:
            terminal.wait("Profanity")
            terminal.type("/connect alice@localhost server 127.0.0.1 port %d tls trust"
                          % cluster.frontend_port(1))
            terminal.wait("password")
            terminal.type("secret-alice")
            wait_until(lambda: "alice@localhost" in cluster.ctl("sessions").stdout,
                       "alice's session", 30, 0.2)
            terminal.type("/msg bob@localhost hello from profanity")
            check(bob.wait_message("hello from profanity").get("from", "").startswith(
                "alice@localhost/"), "from alice")
            bob.message("alice@localhost", "seen in the terminal")
            terminal.wait("seen in the terminal")
        except BaseException:
            print(terminal.screen())
            raise
        finally:
            terminal.close()


main(test)
