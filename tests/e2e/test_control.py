# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals, reloads, the service manager."""

import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import peers
from lab import ORIGIN4, ORIGIN6, PATIENCE, wait_for

IGNORE = {"ignore": {"pattern": r"^203\.0\.113\.2:443$"}}


# ---- reload ----

def test_sighup_reloads(lab, engine):
    started = engine()
    assert "O = interceptd," in lab.issuer(ORIGIN4[1])
    started.reload(IGNORE)
    assert "interceptd lab" in lab.issuer(ORIGIN4[1])
    assert started.status()["policy"]["revision"] == 2
    started.ctl("reload")
    wait_for(lambda: started.status()["policy"]["revision"] == 3, "the reload by interceptctl")


def test_a_bad_file_keeps_the_old_policy_and_says_why(lab, engine):
    started = engine(IGNORE)
    started.write_config({"ignore": {"pattern": "(bad"}, "tls": {"min-version": "7"}})
    started.signal(signal.SIGHUP)
    started.wait_log(r"error: .*interceptd\.conf was not reloaded: the old policy stays")
    started.wait_log(r"error: .*interceptd\.conf:2:15: missing closing parenthesis")
    started.wait_log(r"error: .*interceptd\.conf:\d+: \[tls\] min-version = 7")
    assert "interceptd lab" in lab.issuer(ORIGIN4[1]) and "O = interceptd," in lab.issuer(ORIGIN4[0])
    assert started.status()["policy"]["revision"] == 1
    started.config_path.unlink()
    started.signal(signal.SIGHUP)
    started.wait_log(r"error: .*interceptd\.conf: No such file or directory")
    started.reload(IGNORE)


def test_what_a_reload_cannot_change_is_told(lab, engine):
    started = engine()
    started.reload({"network": {"listen-port": "9443", "port": "443 8443"}})
    for key in ("listen-port", "port"):
        started.wait_log(r"warning: \[network\] %s has changed: that takes effect after a restart" % key)
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])


def test_tls_settings_are_reloaded(lab, engine, tmp_path):
    started = engine({"tls": {"upstream": "verify", "trust": "/etc/ssl/certs/ca-certificates.crt"}})
    assert lab.curl("https://origin.test/hello", "-k", check=False).returncode == 35
    started.reload({})
    assert lab.curl("https://origin.test/hello", "-k").stdout == "hello from the origin\n"


@pytest.mark.parametrize("network", [{}, {"queue": "none"}], ids=["queue", "no-queue"])
def test_reloads_under_load_lose_nothing(lab, engine, network):
    """None is refused, and what was decided by the old policy is never kept under the new one."""
    ignoring, intercepting = {"network": network, **IGNORE}, {"network": network}
    started = engine(ignoring)
    stop = threading.Event()
    results = []

    def load():
        while not stop.is_set():
            results.append(lab.curl("https://origin.test/hello", "-k", origin=ORIGIN4[1],
                                    check=False).returncode)

    def some_more():
        enough = len(results) + 5
        wait_for(lambda: len(results) >= enough, "connections under this policy", 20)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            some_more()
            assert started.ignored() != []
            started.reload(intercepting)
            assert started.ignored() == []
            some_more()
            assert started.ignored() == []
            started.reload(ignoring)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(results) == {0}


def test_many_sighups_at_once(engine):
    started = engine(IGNORE)
    for _ in range(20):
        started.signal(signal.SIGHUP)
    started.wait_log("^reloaded")
    time.sleep(0.5)
    assert started.status()["policy"]["revision"] >= 2


# ---- the end ----

def test_sigterm_drains(lab, engine):
    """An open connection is finished; new ones pass meanwhile."""
    started = engine()
    with lab.device.connect(ORIGIN4[0]) as connection:
        with peers.client_context().wrap_socket(connection) as secure:
            started.signal(signal.SIGTERM)
            started.wait_log("stopping: new connections pass, 1 open ones")
            assert "interceptd lab" in lab.issuer(ORIGIN6[0])
            secure.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
            assert b"hello from the origin" in peers.read_all(secure)
    assert started.process.wait(timeout=10 * PATIENCE) == 0
    assert "are cut" not in started.log()


def test_the_drain_has_a_limit(lab, engine):
    started = engine({"network": {"drain-timeout": "1s"}})
    with lab.device.connect(ORIGIN4[0]) as connection:
        with peers.client_context().wrap_socket(connection, suppress_ragged_eofs=False) as secure:
            begun = time.monotonic()
            started.signal(signal.SIGTERM)
            assert started.process.wait(timeout=20 * PATIENCE) == 0
            assert 0.8 < time.monotonic() - begun < 5 * PATIENCE
            with pytest.raises(OSError):
                secure.recv(10)
    assert "1 connections are cut: their time is up" in started.log()
    assert started.records("flow")[0]["flow"]["reason"] == "shutdown"


def test_a_second_sigterm_does_not_wait(lab, engine):
    started = engine()
    with lab.device.connect(ORIGIN4[0]) as connection:
        with peers.client_context().wrap_socket(connection):
            started.signal(signal.SIGTERM)
            started.wait_log("stopping")
            started.signal(signal.SIGINT)
            assert started.process.wait(timeout=3 * PATIENCE) == 0


# ---- the service manager ----

class Manager:
    """The receiving end of sd_notify(3)."""

    def __init__(self, lab, path):
        with lab.router.inside():  # the abstract namespace is a network namespace's
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(10 * PATIENCE)

    def wait(self, state):
        while True:
            message = self.socket.recv(1000).decode()
            if state in message.split("\n"):
                return message

    def forget(self):
        """What came so far."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(1000):
                pass
        except BlockingIOError:
            pass


def test_the_service_manager_is_told(lab, engine, tmp_path):
    manager = Manager(lab, str(tmp_path / "notify"))
    (tmp_path / "notify").chmod(0o777)  # as the real one
    started = engine(IGNORE, environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})
    assert "STATUS=policy revision 1, 1 ignore patterns" in manager.wait("READY=1")
    started.signal(signal.SIGHUP)
    assert "MONOTONIC_USEC=" in manager.wait("RELOADING=1")
    assert "STATUS=policy revision 2" in manager.wait("READY=1")
    started.signal(signal.SIGTERM)
    manager.wait("STOPPING=1")


def test_the_watchdog_is_fed_while_all_threads_live(lab, engine, tmp_path):
    manager = Manager(lab, "\0interceptd-test-%d" % os.getpid())
    environment = {"NOTIFY_SOCKET": "@interceptd-test-%d" % os.getpid(), "WATCHDOG_USEC": "600000"}
    started = engine(environment=environment)
    manager.wait("READY=1")
    for _ in range(3):
        manager.wait("WATCHDOG=1")
    gate = started.thread("gate")
    stopped = subprocess.Popen(["strace", "-o", "/dev/null", "-p", str(gate), "-e", "trace=epoll_wait",
                                "-e", "inject=epoll_wait:delay_enter=30000000"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1.5)
        manager.forget()
        manager.socket.settimeout(1)
        with pytest.raises(socket.timeout):  # one thread does not answer: nothing is said
            manager.wait("WATCHDOG=1")
    finally:
        stopped.terminate()
        stopped.wait()
    manager.socket.settimeout(10 * PATIENCE)
    manager.wait("WATCHDOG=1")
