#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to record what passes in the kernel: the CPU time of the threads that do it, while short
flows of ignored traffic come and go, 5,000 a second, with `ignored = no` and with `ignored = yes`.

In the tests' lab; as root. ignored_bench.py [SECONDS [FLOWS-A-SECOND]]"""

import contextlib
import shutil
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from lab import ORIGIN4, Engine, Lab  # noqa: E402 (the path comes first)

SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 20
RATE = int(sys.argv[2]) if len(sys.argv) > 2 else 5000
THREADS = ("bypassed", "recorder", "gate")


def cpu_of(engine, name):
    """In seconds."""
    schedstat = Path("/proc/%d/task/%d/schedstat" % (engine.pid(), engine.thread(name)))
    return int(schedstat.read_text().split()[0]) / 1e9


@contextlib.contextmanager
def echo(lab):
    """Answers each datagram, so that a flow has both directions."""
    with lab.origin.inside():
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    server.bind((ORIGIN4[1], 443))

    def loop():
        with contextlib.suppress(OSError):
            while True:
                data, peer = server.recvfrom(100)
                if not data:
                    return
                server.sendto(data, peer)

    thread = threading.Thread(target=loop)
    thread.start()
    yield
    with lab.origin.inside():
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", (ORIGIN4[1], 443))
    thread.join()
    server.close()


def send_flows(lab):
    """A source port each, a hundred bursts a second."""
    sent, begun = 0, time.monotonic()
    with lab.device.inside():
        while sent < SECONDS * RATE:
            due = int((time.monotonic() - begun) * RATE)
            while sent < min(due, SECONDS * RATE):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flow:
                    flow.bind(("", 2000 + sent % 60000))
                    flow.sendto(b"x", (ORIGIN4[1], 443))
                sent += 1
            time.sleep(0.01)
    return sent / (time.monotonic() - begun)


def measure(lab, ignored):
    directory = Path(tempfile.mkdtemp(prefix="bench-"))
    directory.chmod(0o755)
    engine = Engine(lab, directory, {"ignore": {"pattern": r"^203\.0\.113\.2:443$"},
                                     "events": {"ignored": ignored}}, (), None, ())
    try:
        engine.wait_ready()
        time.sleep(3)  # what was before is over
        before = {name: cpu_of(engine, name) for name in THREADS}
        counted = engine.status()["ignored"]
        rate = send_flows(lab)
        for _ in range(8):  # the kernel notices that all of it is over when somebody looks
            time.sleep(1)
            lab.router.run("cat", "/proc/net/nf_conntrack")
        spent = {name: (cpu_of(engine, name) - before[name]) / SECONDS for name in THREADS}
        now = engine.status()["ignored"]
        shares = ", ".join("%s %.2f %%" % (name, 100 * share) for name, share in spent.items())
        print("ignored = %-3s %5.0f flows/s: %s of a core; %d recorded, %d lost" %
              (ignored, rate, shares, now["ended"] - counted["ended"], now["lost"] - counted["lost"]))
    finally:
        engine.stop()
        shutil.rmtree(directory)


def main():
    directory = tempfile.mkdtemp(prefix="bench-lab-")
    Path(directory).chmod(0o755)
    lab = Lab(directory)
    try:
        lab.up()
        lab.router.run("sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=1",
                       "net.netfilter.nf_conntrack_udp_timeout_stream=1")
        with echo(lab):
            for ignored in ("no", "yes"):
                measure(lab, ignored)
    finally:
        lab.down()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
