#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""scale.py   what our engine costs where there is much of something: connections that were, connections that
are open, destinations, patterns, reloads, and certificates to forge. In the lab of the end-to-end tests;
prints tables with the targets beside them, and writes the figures as JSON. As root."""

import argparse
import json

import stage  # the first: it sets limits and paths
import costs
import forging
import memory
import reloads
from alone import Alone
from lab import BUILD

MEASURES = {"memory": memory.memory, "restart": reloads.restart, "reload": reloads.reload,
            "forging": forging.forging, "concurrency": costs.concurrency,
            "destinations": costs.destinations, "patterns": costs.patterns_count}

# `full` is for figures, `quick` to see that it works.
SIZES = {
    "quick": {"count": 1500, "patterns": 300, "seconds": 2, "rounds": 1, "names": 200, "connections": 200,
              "idle": (1, 10, 100), "destinations": (1, 100, 1000), "pattern_counts": (1, 10, 100)},
    "full": {"count": 200000, "patterns": 10000, "seconds": 10, "rounds": 3, "names": 1000,
             "connections": 5000, "idle": (1, 100, 1000, 10000), "destinations": (1, 1000, 100000),
             "pattern_counts": (1, 100, 1000, 10000)},
}


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--measures", default=",".join(MEASURES), help="only these (%(default)s)")
    parser.add_argument("--count", type=int, help="so many connections for `memory`")
    parser.add_argument("--json", default=BUILD / "scale.json")
    return parser.parse_args()


def main():
    arguments = read_arguments()
    size = dict(SIZES[arguments.size])
    size["count"] = arguments.count or size["count"]
    found = {}
    with stage.set_up(0) as (lab, directory, ca):
        # Of what has ended nothing is kept for minutes: a million connections would not fit.
        lab.router.run("sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_time_wait=5")
        for name in arguments.measures.split(","):
            stage.say(name)
            (directory / name).mkdir()
            found[name] = MEASURES[name](Alone(lab, directory / name, ca), size)
    with open(arguments.json, "w") as file:
        json.dump({"size": arguments.size, **found}, file, indent=1)


if __name__ == "__main__":
    main()
