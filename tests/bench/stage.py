# SPDX-License-Identifier: GPL-3.0-or-later
"""The stage of all that is measured with a device and an origin: the lab of the end-to-end tests, with the
origin told otherwise, and a CA. Comes before all other modules of this folder."""

import contextlib
import os
import resource
import shutil
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
import origin  # noqa: E402 (the path comes first)
from lab import Lab  # noqa: E402


def say(text):
    print("%s %s" % (time.strftime("%H:%M:%S"), text), file=sys.stderr, flush=True)


@contextlib.contextmanager
def set_up(blob_size):
    """The lab, a directory for whatever is started, and the CA."""
    directory = Path(tempfile.mkdtemp(prefix="bench-"))
    directory.chmod(0o755)
    (directory / "lab").mkdir(mode=0o755)
    lab = Lab(directory / "lab")
    try:
        lab.up()
        origin.prepare(lab, blob_size)
        ca = origin.Authority(directory)
        ca.give_to(lab.keys)
        yield lab, directory, ca
    finally:
        lab.down()
        if not os.environ.get("BENCH_KEEP"):
            shutil.rmtree(directory, ignore_errors=True)
