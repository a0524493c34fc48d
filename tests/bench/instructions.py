#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""instructions.py [--update] PROGRAM COMPILER   counts by callgrind what the hot paths take
(hot_paths.c), and fails where one takes a tenth more than what is kept in instructions.json.

Instructions of our own objects alone are counted: those of OpenSSL, Hyperscan and the C library differ from
one processor to the next, and are not ours to change. Our own differ by compiler, so there are counts for
each; for one that has none, the counts are printed, and nothing is compared."""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

KEPT = Path(__file__).with_suffix(".json")
PATHS = {"decide": 2000, "relay": 4, "handshake": 20}  # and how many times each
MOST = 1.10
# Of all processors the same one: the plainest that OpenSSL knows.
ENVIRONMENT = {"OPENSSL_ia32cap": "~0x200000200000000:~0x0"}


def compiler_name(command):
    """"gcc 12.2.0 x86_64-linux-gnu"."""
    def ask(option):
        return subprocess.run([*command.split(), option], capture_output=True, text=True,
                              check=True).stdout.strip()
    version = re.search(r"\d+\.\d+\.\d+", ask("--version").splitlines()[0]).group()
    kind = "clang" if "clang" in ask("--version") else "gcc"
    return "%s %s %s" % (kind, version, ask("-dumpmachine"))


def own_instructions(report, program):
    """Sums the lines of cost below each function of this object. By callgrind's manual, "Callgrind Format
    Specification": names are (number) alone once they were told; behind `calls=` stands a line with what was
    called, which is no cost of the caller's own."""
    names, own, called, total = {}, False, False, 0
    for line in report.splitlines():
        if line.startswith("ob="):
            number, name = re.match(r"ob=(\(\d+\))(?: (.*))?", line).groups()
            names.setdefault(number, name)
            own = names[number] == str(program)
        elif line.startswith("cob="):
            number, name = re.match(r"cob=(\(\d+\))(?: (.*))?", line).groups()
            if name:
                names.setdefault(number, name)
        elif line.startswith("calls="):
            called = True
        elif re.match(r"[\d+*-]", line):
            if own and not called:
                total += int(line.split()[1])
            called = False
    return total


def count(program, path, times):
    """Instructions for one time."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "out"
        done = subprocess.run(
            ["valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=%s" % out,
             program, path, str(times)], capture_output=True, text=True, env={**os.environ, **ENVIRONMENT})
        if done.returncode != 0:
            sys.exit("instructions.py: %s ended with %d:\n%s" % (path, done.returncode, done.stderr[-2000:]))
        return own_instructions(out.read_text(), program) // times


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("program", type=Path)
    parser.add_argument("compiler")
    arguments = parser.parse_args()
    compiler = compiler_name(arguments.compiler)
    all_kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept = all_kept.get(compiler, {})
    found = {path: count(arguments.program.resolve(), path, times) for path, times in PATHS.items()}
    print("instructions, %s:" % compiler)
    worse = False
    for path, number in found.items():
        before = kept.get(path)
        ratio = number / before if before else None
        worse = worse or (ratio is not None and ratio > MOST)
        print("  %-10s %9d %s" % (path, number, "%+.1f %%" % (100 * ratio - 100) if ratio
                                  else "(nothing is kept for this compiler)"))
    if arguments.update:
        all_kept[compiler] = found
        KEPT.write_text(json.dumps(all_kept, indent=1, sort_keys=True) + "\n")
    elif worse:
        sys.exit("instructions.py: that is more than a tenth more. "
                 "If it has to be: make check-cost GUARD=--update")


if __name__ == "__main__":
    main()
