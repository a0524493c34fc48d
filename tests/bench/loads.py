# SPDX-License-Identifier: GPL-3.0-or-later
"""The loads: what the device does, and what the system spends meanwhile."""

import json
import subprocess
import time

from lab import BUILD
from systems import FULL, NAMED, PLAIN, RESUMING

CLIENT = BUILD / "tests/bench/load_client"
# Before all others in line for the processor, as a device is that has one of its own.
FIRST_CLIENT = ("chrt", "--fifo", "1", CLIENT)
GIGABYTE = 1 << 30

# How much of everything: `full` is for figures, `short` for figures where a third of the time has to do, and
# `quick` to see that it works. `longest`: seconds of one load, where it can be cut short.
SIZES = {
    "quick": {"latencies": 150, "connections": 150, "bytes": 16 << 20, "requests": 1600, "idle": 150,
              "names": 50, "decisions": 200, "patterns": 500, "longest": 20},
    "short": {"latencies": 1500, "connections": 2500, "bytes": GIGABYTE, "requests": 80000, "idle": 2000,
              "names": 300, "decisions": 5000, "patterns": 10000, "longest": 5},
    "full": {"latencies": 3000, "connections": 5000, "bytes": GIGABYTE, "requests": 80000, "idle": 10000,
             "names": 1000, "decisions": 10000, "patterns": 10000, "longest": 20},
}


class Device:
    """The device at work, with one system on its way."""

    def __init__(self, lab, system, size):
        self.lab, self.system, self.size = lab, system, size

    def command(self, address, *options, client=(CLIENT,)):
        return self.lab.device.command(*client, *options, address, 443)

    def paced(self, address, *options, **client):
        """run(), for as long as is reasonable: the slow ones do less."""
        return self.run(address, *options, "-d", self.size["longest"], **client)

    def check(self, result, load=None):
        assert result["failed"] == 0, "%s: %s" % (self.system.name, result)
        assert not result["issuer"] or result["issuer"] == self.system.issuer(load), result
        return result

    def run(self, address, *options, **client):
        """What the client found, and the system's processor time beside it."""
        before = self.system.processor_time()
        done = subprocess.run(self.command(address, *options, **client), capture_output=True, text=True,
                              timeout=1800)
        assert done.stdout, "%s: %s" % (self.system.name, done.stderr)
        result = self.check(json.loads(done.stdout))
        time.sleep(0.1)  # what follows the last one's end
        result["cpu"] = self.system.processor_time() - before
        return result

    def tls(self, version="1.3"):
        return "-t", "any" if self.system.tls_limit < version else version


def ignored(device):
    """New connections to a destination that was decided before: one after another, then many. They are short:
    it takes more of them than of others until noise is out of the figures."""
    device.run(PLAIN, "-n", 5)
    alone = device.paced(PLAIN, "-n", 4 * device.size["latencies"])
    many = device.paced(PLAIN, "-n", 8 * device.size["connections"], "-c", 16)
    return {"connect": alone["connect_us"]["median"], "connect_p99": alone["connect_us"]["p99"],
            "first_byte": alone["first_byte_us"]["median"],
            "rate": many["connections"] / many["seconds"],
            "cpu": (alone["cpu"] + many["cpu"]) / (alone["connections"] + many["connections"]) * 1e6}


def bulk(device, address, *options):
    result = device.run(address, *options)
    assert result["bytes"] >= device.size["bytes"], result
    return {"speed": result["bytes"] / result["seconds"] / 1e6,
            "cpu": result["cpu"] * GIGABYTE / result["bytes"], "version": result["version"]}


def ignored_bulk(device):
    device.run(PLAIN, "-n", 5)
    return bulk(device, PLAIN, "-n", 4, "-P", "/blob")


def bulk_down(device):
    return bulk(device, FULL, *device.tls(), "-P", "/blob")


def bulk_up(device):
    name = "upload/%s" % device.system.name
    found = bulk(device, FULL, *device.tls(), "-P", "/" + name, "-u", device.size["bytes"])
    (device.lab.origin_directory / "www" / name).unlink()  # some stumble over an answer without a body
    return found


def deciding(device):
    """New connections to destinations that nobody was at before, with many patterns: alone, and while the
    workers are busy with handshakes."""
    count = device.size["decisions"]
    alone = device.paced("10.99.0.1", "-a", "-n", count, client=FIRST_CLIENT)
    found = {"connect": alone["connect_us"]["median"], "connect_p99": alone["connect_us"]["p99"],
             "first_byte": alone["first_byte_us"]["median"],
             "cpu": alone["cpu"] / alone["connections"] * 1e6}
    with subprocess.Popen(device.command(FULL, *device.tls(), "-n", 10 ** 9, "-c", 16),
                          stdout=subprocess.DEVNULL) as handshakes:
        try:
            time.sleep(0.5)
            busy = device.paced("10.99.128.1", "-a", "-n", count, client=FIRST_CLIENT)
        finally:
            handshakes.kill()
    return {**found, "busy_connect": busy["connect_us"]["median"], "busy_p99": busy["connect_us"]["p99"],
            "busy_first_byte": busy["first_byte_us"]["median"]}


def new(device, address, *options):
    result = device.paced(address, *options, "-n", device.size["connections"])
    count = result["connections"]
    return {"cpu": result["cpu"] / count * 1e3, "rate": count / result["seconds"],
            "version": result["version"], "resumed": result["resumed"] / count}


def new_full(device):
    device.run(FULL, *device.tls(), "-n", 8)
    return new(device, FULL, *device.tls(), "-c", 8)


def new_full_12(device):
    device.run(FULL, "-t", "1.2", "-n", 8)
    return new(device, FULL, "-t", "1.2", "-c", 8)


def new_resumed(device, many=1):
    """Later connections of a device to the same server, one after another."""
    log = device.lab.origin_directory / "resumed.log"
    device.run(RESUMING, *device.tls(), "-s", "-n", 2 * many, "-c", many)
    seen = log.stat().st_size
    found = new(device, RESUMING, *device.tls(), "-s", "-c", many)
    lines = log.read_text()[seen:].split()
    return {**found, "resumed_upstream": lines.count("r") / len(lines)}


def new_resumed_many(device):
    """The same, 8 at a time."""
    return new_resumed(device, 8)


def first_byte(device):
    """On a destination where all is warm, but the connection is new; one after another."""
    device.run(FULL, *device.tls(), "-n", 8)
    result = device.paced(FULL, *device.tls(), "-n", device.size["latencies"] // 3)
    return {"median": result["first_byte_us"]["median"] / 1e3, "p99": result["first_byte_us"]["p99"] / 1e3,
            "connect": result["connect_us"]["median"]}


def requests(device):
    each = device.size["requests"] // 8
    result = device.paced(FULL, *device.tls(), "-n", 8, "-c", 8, "-r", each)
    return {"cpu": result["cpu"] / result["requests"] * 1e6, "rate": result["requests"] / result["seconds"],
            "median": result["request_us"]["median"], "kept": 1 - result["reopened"] / result["requests"]}


def idle(device):
    """Connections that are open after one request, with nothing to do; after none, where that would be the
    end of it."""
    system = device.system
    count = min(device.size["idle"], system.most)
    device.run(FULL, *device.tls(), "-n", 8)
    rest, before = system.memory(), system.processor_time()
    with subprocess.Popen(device.command(FULL, *device.tls(), "-n", count, "-c", 16, "-H",
                                         *(() if system.keeps_alive else ("-r", "0"))),
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        result = device.check(json.loads(client.stdout.readline()))
        time.sleep(0.5)
        found = {"connections": count, "rest": rest / 1e6,
                 "kilobytes": (system.memory() - rest) / count / 1024,
                 "cpu": (system.processor_time() - before) / count * 1e3}
        client.stdin.close()
    assert result["connections"] == count
    time.sleep(1)
    return found


def forge(device):
    """As many names as there are, each with a certificate of its own at the origin: the first time, and
    the second time."""
    options = (*device.tls(), "-S", "n%u.origin.test", "-n", device.size["names"], "-c", 8)
    cold, warm = device.run(NAMED, *options), device.run(NAMED, *options)
    count = device.size["names"]
    return {"cold": cold["cpu"] / count * 1e3, "warm": warm["cpu"] / count * 1e3,
            "rate": count / cold["seconds"]}


LOADS = {"intercept": (first_byte, new_full, new_full_12, new_resumed, new_resumed_many, requests, bulk_down,
                       bulk_up, forge, ignored, ignored_bulk, idle),
         "patterns": (deciding,)}
