#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the readers of protocols and their records cost: downloads of 1 GB, and small requests over
connections that are kept, with and without them (where no file of events is named nothing is read), by
turns. As root, in the lab of the end-to-end tests, all of it on this machine: the ratios mean something, the
figures do not. Told is the best of some rounds, since what else goes on here can only slow them down."""

import os
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from lab import ORIGIN4, Engine, Lab  # noqa: E402

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
SIZE = 1 << 30
REQUESTS = 60000


def download(lab, protocol):
    begun = time.monotonic()
    lab.curl("https://origin.test/blob", "-k", protocol, "-o", "/dev/null", timeout=120)
    return SIZE / (time.monotonic() - begun) / 1e6


def small_requests(lab, *options):
    report = lab.device.run("h2load", *options, "-n", REQUESTS, "-c", 8, "https://%s/hello" % ORIGIN4[0],
                            timeout=120).stdout
    assert "%d succeeded" % REQUESTS in report, report
    return float(re.search(r"finished in .*, ([\d.]+) req/s", report).group(1))


MEASURES = {
    "1 GB, HTTP/1.1, MB/s": lambda lab: download(lab, "--http1.1"),
    "1 GB, HTTP/2, MB/s": lambda lab: download(lab, "--http2"),
    "small, HTTP/1.1, requests/s": lambda lab: small_requests(lab, "--h1"),
    "small, HTTP/2, requests/s": lambda lab: small_requests(lab, "-m", 1),
    "small, HTTP/2, ten at once, requests/s": lambda lab: small_requests(lab, "-m", 10),
}


def processor_time(engine):
    """That the engine has used, in s. Beside it, in the figures, is what all the others have used."""
    fields = Path("/proc/%d/stat" % engine.pid()).read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(lab, directory, config):
    directory.mkdir()
    engine = Engine(lab, directory, config, (), None, ())
    found = {}
    try:
        engine.wait_ready()
        for what, run in MEASURES.items():
            before = processor_time(engine)
            figure = run(lab)
            found[what] = figure, processor_time(engine) - before
        return found
    finally:
        engine.stop()


def prepare_origin(lab):
    """With something to download, and connections that are kept for longer than 1000 requests."""
    with open(lab.origin_directory / "www/blob", "wb") as blob:
        blob.truncate(SIZE)
    conf = lab.origin_directory / "nginx.conf"
    conf.write_text(conf.read_text().replace("http {", "http {\n    keepalive_requests 1000000;", 1))
    os.kill(int((lab.origin_directory / "nginx.pid").read_text()), signal.SIGHUP)
    time.sleep(1)


def main():
    directory = Path(tempfile.mkdtemp(prefix="bench-"))
    os.chmod(directory, 0o755)
    (directory / "lab").mkdir()
    lab = Lab(directory / "lab")
    found = {True: [], False: []}
    try:
        lab.up()
        prepare_origin(lab)
        for turn in range(2 * ROUNDS):
            reads = turn % 2 == 0
            found[reads].append(measure(lab, directory / ("engine%d" % turn),
                                        {} if reads else {"events": {"file": []}}))
    finally:
        lab.down()
        shutil.rmtree(directory, ignore_errors=True)
    for what in MEASURES:
        (speed, used), (plain_speed, plain_used) = (
            (max(one[what][0] for one in found[reads]), min(one[what][1] for one in found[reads]))
            for reads in (True, False))
        print("%-40s %6.0f with readers, %6.0f without: %.3f; processor %.2f s, %.2f s: %.3f"
              % (what, speed, plain_speed, speed / plain_speed, used, plain_used, used / plain_used))


main()
