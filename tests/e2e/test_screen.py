# SPDX-License-Identifier: GPL-3.0-or-later
"""interceptctl on a terminal, as an operator has it before him: in tmux, with keys that are typed."""

import contextlib
import json
import os
import signal
import subprocess
import uuid

import pytest

from lab import BUILD, DEVICE4, ORIGIN4, ORIGIN6, bracketed, wait_for

FAMILIES = pytest.mark.parametrize("origin", [ORIGIN4[1], ORIGIN6[1]], ids=["ipv4", "ipv6"])


class Screen:
    """A terminal of its own, in which interceptctl runs."""

    def __init__(self, command, columns=80, rows=24):
        self.socket = "interceptd-" + uuid.uuid4().hex[:8]
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), *command)
        self.tmux("set-option", "-g", "remain-on-exit", "on")

    def tmux(self, *arguments):
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
        return subprocess.run(["tmux", "-L", self.socket, *arguments], check=True, capture_output=True,
                              text=True, timeout=30, env=environment).stdout

    def text(self):
        return self.tmux("capture-pane", "-p")

    def lines(self):
        return self.text().rstrip("\n").split("\n")

    def press(self, *keys):
        self.tmux("send-keys", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def wait(self, *parts):
        """Until all of these are to be seen."""
        with contextlib.suppress(AssertionError):
            wait_for(lambda: all(part in self.text() for part in parts), str(parts))
        for part in parts:
            assert part in self.text(), self.text()

    def wait_gone(self, part):
        wait_for(lambda: part not in self.text(), "%r to be gone" % part)

    def resize(self, columns, rows):
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def is_over(self):
        return self.tmux("display-message", "-p", "#{pane_dead}").strip() == "1"

    def close(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.tmux("kill-server")


@pytest.fixture
def screen():
    """Opens a screen: screen(started, columns=80, rows=24)."""
    with contextlib.ExitStack() as screens:
        def open_screen(started, **size):
            socket = started.directory / "run/control.sock"
            opened = Screen([str(BUILD / "interceptctl"), "-s", str(socket)], **size)
            screens.callback(opened.close)
            opened.wait("revision")
            return opened
        yield open_screen


@contextlib.contextmanager
def open_connection(lab, origin):
    """A connection of the device's that is taken, and stays open."""
    spawned = lab.device.spawn("openssl", "s_client", "-connect", "%s:443" % bracketed(origin), "-servername",
                               "origin.test", "-quiet", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        yield spawned
    finally:
        spawned.stdin.close()
        spawned.kill()
        spawned.wait()


def listed(started):
    return json.loads(started.ctl("-j", "ignore", "list").stdout)


def issuer_is_ours(lab, origin):
    return "O = interceptd," in lab.issuer(origin)


@FAMILIES
def test_connections_come_and_go(engine, lab, screen, origin):
    lab.router.run("conntrack", "-F")  # what is left of other tests
    started = engine()
    shown = screen(started)
    assert "no connection" in shown.text()
    with open_connection(lab, origin):
        shown.wait("taken", "origin.test:443", "default")
        row = next(line for line in shown.lines() if "origin.test" in line)
        assert row.split()[0][-1] in "smh" and (DEVICE4 in row or ":" in origin)
        shown.press("Enter")
        shown.wait("address", "%s:443" % bracketed(origin), "relay")
        shown.press("q")
    shown.wait("ended")
    shown.press("q")
    wait_for(shown.is_over, "the end")


@FAMILIES
def test_p_passes_what_is_selected_and_u_takes_it_back(engine, lab, screen, origin):
    started = engine()
    shown = screen(started)
    assert issuer_is_ours(lab, origin)
    shown.wait("origin.test:443")
    shown.press("p")
    shown.wait("u takes it back", "[Ignore:1]", "revision 2")
    assert not issuer_is_ours(lab, origin)
    with open_connection(lab, origin):
        shown.wait("ignored")
    shown.press("u")
    shown.wait("[Ignore:0]", "revision 3")
    assert issuer_is_ours(lab, origin)
    shown.press("u")
    shown.wait("nothing was changed here")


def test_patterns_are_edited_in_place(engine, lab, screen):
    started = engine({"ignore": {"pattern": [r"^198\.51\.100\.7:443$"]}})
    shown = screen(started)
    shown.press("o")
    shown.wait("I   ignore patterns")
    shown.press("I")
    shown.wait(r"^198\.51\.100\.7:443$", "interceptd.conf:")
    shown.press("a")
    shown.type(r"^203\.0\.113\.2:8")
    shown.wait("new pattern")
    shown.press("BSpace")
    shown.type("443$")
    shown.press("Enter")
    shown.wait("revision 2", "[Ignore:2]", r"^203\.0\.113\.2:443$")
    assert not issuer_is_ours(lab, ORIGIN4[1])
    shown.press("Down", "Enter")
    shown.wait(r"pattern: ^203\.0\.113\.2:443$")
    shown.press("C-u")
    shown.type(r"^203\.0\.113\.3:443$")
    shown.press("Enter")
    shown.wait("revision 3", r"^203\.0\.113\.3:443$")
    assert issuer_is_ours(lab, ORIGIN4[1])
    patterns = [item["pattern"] for item in listed(started)]
    assert patterns == [r"^198\.51\.100\.7:443$", r"^203\.0\.113\.3:443$"]
    shown.press("Down", "d")
    shown.wait("revision 4", "[Ignore:1]")
    shown.press("u")
    shown.wait("revision 5", "[Ignore:2]", r"^203\.0\.113\.3:443$")


def test_what_cannot_be_taken_back_yet_can_be_later(engine, screen):
    started = engine()
    shown = screen(started)
    shown.press("o", "I", "a")
    shown.type("^first$")
    shown.press("Enter")
    shown.wait("u takes it back", "[Ignore:1]")
    started.signal(signal.SIGSTOP)
    try:
        shown.press("a")
        shown.type("^second$")
        shown.press("Enter")
        shown.press("u")
        shown.wait("wait: the last change is not in force yet")
    finally:
        started.signal(signal.SIGCONT)
    shown.wait("[Ignore:2]")
    shown.press("u")
    shown.wait("[Ignore:1]")
    shown.press("u")
    shown.wait("[Ignore:0]")


def test_a_bad_pattern_is_refused_and_changes_nothing(engine, screen):
    started = engine()
    shown = screen(started)
    shown.press("o", "I")
    shown.wait("there is none: a adds one")
    shown.press("a")
    shown.type("(unclosed")
    shown.press("Enter")
    shown.wait("missing")
    assert "revision 1" in shown.text()
    shown.press("a")
    shown.type("nothing")
    shown.press("Escape")
    shown.wait_gone("nothing")
    assert listed(started) == []


def test_a_search_shows_what_it_finds(engine, lab, screen):
    started = engine({"ignore": {"pattern": [r"^203\.0\.113\.2:443$"]}})
    shown = screen(started)
    for origin in ORIGIN4[0], ORIGIN4[1]:
        lab.curl("https://origin.test/hello", "-k", origin=origin)
    lab.curl("https://origin.test/hello", "-k", origin=ORIGIN4[0])
    with open_connection(lab, ORIGIN4[0]), open_connection(lab, ORIGIN4[1]):
        shown.wait("taken", "ignored")
        shown.press("/")
        shown.type("Ignored")
        shown.press("Enter")
        shown.wait_gone("taken")
        assert "ignored" in shown.text()
        shown.press("/")
        shown.press("C-u", "Enter")
        shown.wait("taken", "ignored")


@pytest.mark.parametrize("columns, rows", [(40, 6), (200, 60), (20, 5)])
def test_resizing(engine, lab, screen, columns, rows):
    started = engine()
    shown = screen(started)
    with open_connection(lab, ORIGIN4[0]):
        shown.wait("taken", "q quit")
        assert all(len(line) <= 80 for line in shown.lines()) and len(shown.lines()) == 24
        shown.resize(columns, rows)
        if columns >= 40:
            shown.wait("interceptd", "q quit")
            wait_for(lambda: len(shown.lines()) == rows, "%d rows" % rows)
        else:
            shown.wait("too small")
        shown.resize(80, 24)
        wait_for(lambda: len(shown.lines()) == 24, "24 rows")
        shown.wait("taken", "q quit")


def test_it_outlives_the_daemon(engine, lab, screen):
    first = engine()
    shown = screen(first)
    first.stop()
    shown.wait("interceptd is not running")
    shown.press("p")
    shown.wait("not running")
    shown.press("q")
    wait_for(shown.is_over, "the end")


def test_names_cannot_steer_the_terminal(engine, lab, screen):
    """Names come from devices."""
    started = engine()
    shown = screen(started)
    request = r"GET / HTTP/1.1\r\nHost: a\033]0;evil\007b\r\n\r\n"
    lab.device.run("bash", "-c", "printf '%s' > /dev/tcp/%s/443" % (request, ORIGIN4[0]), check=False)
    shown.wait("443")
    assert "evil" not in shown.tmux("display-message", "-p", "#{pane_title}")


def test_without_a_terminal_a_command_is_needed():
    done = subprocess.run([BUILD / "interceptctl"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and "usage:" in done.stderr
