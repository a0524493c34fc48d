# SPDX-License-Identifier: GPL-3.0-or-later
"""Our engine alone on the stage, as the measures of scale.py want it, what they measure with, and how they
tell what they found."""

import contextlib
import json
import os
import statistics
import subprocess
import time

import origin
from loads import FIRST_CLIENT, Device
from systems import PLAIN, Interceptd, tree_of

PAGE = os.sysconf("SC_PAGE_SIZE")
PROBES_RATE = 500  # a second
LABEL = 40  # columns


def patterns(count):
    """As many; the last is about the many destinations, the one before about the plain one."""
    others = origin.patterns(count)[:max(count - 2, 0)]
    return [*others, "^%s:443$" % PLAIN.replace(".", r"\."), "^2001:db8:99:"][-count:]


class Alone(Interceptd):
    name = "alone"

    @contextlib.contextmanager
    def running(self, ignored):
        """The device, with an engine on its way that ignores these patterns."""
        self.start("patterns", ignored)
        try:
            yield Device(self.lab, self, None)
        finally:
            # The tests hold records against the schema. Here are too many of them.
            for path in (self.directory / "patterns").glob("eve.json*"):
                path.unlink()
            self.stop()

    def state(self):
        return self.directory / "patterns" / "state"

    def resident(self):
        """Of all its processes, in bytes; what they share counts for each."""
        pages = 0
        for pid in tree_of(self.root())[0]:
            with open("/proc/%d/statm" % pid) as statm:
                pages += int(statm.read().split()[1])
        return pages * PAGE


class Probes:
    """New connections to destinations of which nothing is known yet, at an even pace. Their client goes
    before all others in the device's processor, so what their SYNs wait for is the router."""

    def __init__(self, device, last=0):
        self.device, self.last = device, last

    def run(self, seconds):
        """Connect times in µs: median, p99 and max."""
        count = PROBES_RATE * seconds
        address = origin.MANY % ("%x:%x" % divmod(self.last + 1, 1 << 16))
        self.last += count
        done = self.device.lab.device.run(*FIRST_CLIENT, "-a", "-R", PROBES_RATE, "-n", count, "-c", 1000,
                                          address, 443, timeout=600)
        return self.device.check(json.loads(done.stdout))["connect_us"]


def merged(rounds):
    """Of several rounds, the median of each figure, but of maxima and of the longest the largest."""
    return {key: (max if key in ("max", "longest") else statistics.median)(one[key] for one in rounds)
            for key in rounds[0]}


@contextlib.contextmanager
def beside(device, seconds, address, *options):
    """Meanwhile another client is at work, for longer than that; what it found is there at the end."""
    found = {}
    with subprocess.Popen(device.command(address, *options, "-d", seconds + 2), stdout=subprocess.PIPE,
                          text=True) as client:
        try:
            time.sleep(0.3)
            yield found
            found.update(device.check(json.loads(client.communicate()[0])))
        finally:
            client.kill()


def tell(title, rows, figures):
    """Each row is what it is about, and what was found; behind a figure is its ratio to the first row's."""
    print("\n%s" % title)
    widths = [max(len(text), 14) for _, text, _ in figures]
    print("  %-*s %s" % (LABEL, "", "  ".join(text.rjust(width) for (_, text, _), width
                                              in zip(figures, widths))))
    first = rows[0][1]
    for label, found in rows:
        cells = []
        for (key, _, digits), width in zip(figures, widths):
            ratio = " (%.2f)" % (found[key] / first[key]) if first.get(key) else ""
            cells.append(("%.*f%s" % (digits, found[key], ratio) if key in found else "").rjust(width))
        print("  %-*s %s" % (LABEL, label, "  ".join(cells)), flush=True)
