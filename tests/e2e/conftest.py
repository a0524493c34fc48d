# SPDX-License-Identifier: GPL-3.0-or-later
import contextlib
import itertools
import os
import shutil
import tempfile

import pytest

from lab import Engine, Lab


def pytest_configure(config):
    """A run's files are its own: pytest closes what it shares with other runs to all but root, and engines
    are not root for long."""
    if not config.option.basetemp:
        config.option.basetemp = config.own_files = tempfile.mkdtemp(prefix="e2e-")


def pytest_unconfigure(config):
    shutil.rmtree(getattr(config, "own_files", ""), ignore_errors=True)


@pytest.fixture(scope="session")
def lab():
    assert os.geteuid() == 0, "the lab needs root"
    directory = tempfile.mkdtemp(prefix="interceptd-lab-")
    os.chmod(directory, 0o755)
    lab = Lab(directory)
    try:
        lab.up()
        yield lab
    finally:
        lab.down()
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def engines_in(lab, parent):
    """Starts engines: start({"ignore": {"pattern": [...]}}, "-v", …). They are stopped afterwards.
    A `fresh` one has no keys from before."""
    with contextlib.ExitStack() as engines:
        count = itertools.count()

        def start(config=None, *arguments, environment=None, wait=True, wrapper=(), fresh=False):
            directory = parent / ("engine%d" % next(count))
            directory.mkdir()
            started = Engine(lab, directory, config or {}, ("-v", *arguments), environment, wrapper, fresh)
            engines.callback(started.stop)
            if wait:
                started.wait_ready()
            return started

        yield start


@pytest.fixture
def engine(lab, tmp_path):
    with engines_in(lab, tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def shared_engine(lab, tmp_path_factory):
    """For tests that only look: one engine for a module, or for a set of its parameters."""
    with engines_in(lab, tmp_path_factory.mktemp("shared")) as start:
        yield start


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """On a failure, what the engines had to say."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and "tmp_path" in item.funcargs:
        for log in sorted(item.funcargs["tmp_path"].glob("engine*/log")):
            report.sections.append((str(log), log.read_text(errors="replace")[-6000:]))
