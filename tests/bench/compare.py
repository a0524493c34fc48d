#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""compare.py   interceptd beside what one would take instead: all of them on the same loads, in one go,
in interleaved rounds, in the lab of the end-to-end tests. Prints a table, and writes all figures as JSON.
As root."""

import argparse
import contextlib
import json
import subprocess
import sys
from pathlib import Path

import stage  # the first: it sets limits and paths
import loads
import origin
import report
import systems
import targets
from lab import BUILD
from stage import say


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=loads.SIZES, default="full")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--systems", default=",".join(system.name for system in systems.ALL))
    parser.add_argument("--loads", help="only these, by name")
    parser.add_argument("--json", type=Path, default=BUILD / "bench.json")
    parser.add_argument("--publish", action="store_true",
                        help="into tests/bench/README.md, with its chart, too")
    return parser.parse_args()


def wanted(system, setup, arguments):
    names = arguments.loads.split(",") if arguments.loads else None
    for load in loads.LOADS[setup]:
        name = load.__name__
        if (not names or name in names) and name in getattr(system, "only", (name,)) \
                and name not in system.cannot:
            yield load


@contextlib.contextmanager
def failures_noted(system, load):
    """One that fails at one load is no reason to lose all the others'."""
    try:
        yield
    except (AssertionError, subprocess.TimeoutExpired, OSError) as failure:
        say("  %s fails: %s: %s" % (system.name, load, failure))
        system.failed[load] = str(failure)


def run_system(lab, system, arguments, patterns):
    """All its loads once: figures by load."""
    found = {}
    for setup in system.setups:
        chosen = list(wanted(system, setup, arguments))
        if not chosen:
            continue
        say("  %s, %s" % (system.name, ", ".join(load.__name__ for load in chosen)))
        try:
            with failures_noted(system, setup):
                system.start(setup, patterns)
                device = loads.Device(lab, system, loads.SIZES[arguments.size])
                for load in chosen:
                    with failures_noted(system, load.__name__):
                        found[load.__name__] = load(device)
        finally:
            system.stop()
        if getattr(system, "started_in", None) and "deciding" in found:
            found["deciding"]["started_in"] = system.started_in
    return found


def run_floor(size):
    counts = ["200", "64"] if size == "quick" else ["2000", "1024"]
    return json.loads(subprocess.run([BUILD / "tests/bench/floor", *counts], check=True,
                                     capture_output=True, text=True).stdout)


def run_all(lab, directory, ca, arguments):
    """Each round has each system once, and begins with another one."""
    chosen = [kind(lab, directory, ca) for kind in systems.ALL if kind.name in arguments.systems.split(",")]
    rounds, floors, patterns = [], [], origin.patterns(loads.SIZES[arguments.size]["patterns"])
    for number in range(arguments.rounds):
        say("round %d of %d" % (number + 1, arguments.rounds))
        turn = number % len(chosen)
        floors.append(run_floor(arguments.size))
        rounds.append({system.name: run_system(lab, system, arguments, patterns)
                       for system in chosen[turn:] + chosen[:turn]})
    return chosen, rounds, floors


def main():
    arguments = read_arguments()
    with stage.set_up(loads.SIZES[arguments.size]["bytes"]) as (lab, directory, ca):
        chosen, rounds, floors = run_all(lab, directory, ca, arguments)
    results = report.collect(chosen, rounds, floors, arguments)
    arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    print(report.table(results))
    print("\n" + targets.table(results))
    if arguments.publish:
        report.publish(results)
    if any(system.failed for system in chosen):
        sys.exit("compare.py: not all has worked")


if __name__ == "__main__":
    main()
