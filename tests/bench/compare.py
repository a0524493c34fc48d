#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""compare.py   interceptd beside what one would take instead: all of them on the same loads, in one go,
in interleaved rounds, in the lab of the end-to-end tests. Prints a table, and writes all figures as JSON.
As root."""

import argparse
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def raise_limits():
    """As far as this machine lets: connections are descriptors. All that is started has the same."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (65536, 65536))
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


raise_limits()  # before anybody asks for them
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import loads  # noqa: E402 (the path comes first)
import origin  # noqa: E402
import report  # noqa: E402
import systems  # noqa: E402
from lab import BUILD, Lab  # noqa: E402


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


def say(text):
    print("%s %s" % (time.strftime("%H:%M:%S"), text), file=sys.stderr, flush=True)


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


def run_all(lab, directory, arguments):
    """Each round has each system once, and begins with another one."""
    origin.prepare(lab, loads.SIZES[arguments.size]["bytes"])
    ca = origin.Authority(directory)
    ca.give_to(lab.keys)
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
    directory = Path(tempfile.mkdtemp(prefix="bench-"))
    directory.chmod(0o755)
    (directory / "lab").mkdir(mode=0o755)
    lab = Lab(directory / "lab")
    try:
        lab.up()
        chosen, rounds, floors = run_all(lab, directory, arguments)
    finally:
        lab.down()
        if not os.environ.get("BENCH_KEEP"):
            shutil.rmtree(directory, ignore_errors=True)
    results = report.collect(chosen, rounds, floors, arguments)
    arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    print(report.table(results))
    if arguments.publish:
        report.publish(results)
    if any(system.failed for system in chosen):
        sys.exit("compare.py: not all has worked")


if __name__ == "__main__":
    main()
