# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator types, and what is said when something is wrong."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from lab import BUILD, DEVICE4, DEVICE6, ORIGIN4, ORIGIN6, PATIENCE, wait_for

INTERCEPTD = str(BUILD / "interceptd")
INTERCEPTCTL = str(BUILD / "interceptctl")


def run(*arguments, **options):
    return subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True,
                          timeout=60 * PATIENCE, **options)


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "interceptd.conf"
        path.write_text(text)
        return path
    return write


def test_t_says_that_a_configuration_is_good(config):
    path = config("[ignore]\npattern = ^a\npattern = ^b\n")
    result = run(INTERCEPTD, "-t", "-c", path)
    assert result.returncode == 0 and result.stdout == "%s is good: 2 ignore patterns\n" % path


def test_every_error_is_told_at_once_with_its_place(config, tmp_path):
    (tmp_path / "list").write_text("# patterns\n^good$\n(bad\n\n  [also bad\n")
    path = config("""stray = 1
[network]
port = 0
queue = 70000
mark = 0x1/0x1
listen-port = 1
listen-port = 2
nonsense
unknown = 1
pass-timeout = 5 parsecs
[ignore]
pattern = ^(abc
pattern = x{2,1}
file = list
file = /nowhere/list
match = moon
[tls]
upstream = perhaps
trust = relative/path
min-version = 0.9
[device cam]
intercept = yes
[elsewhere]
a = 1
""")
    result = run(INTERCEPTD, "-t", "-c", path)
    assert result.returncode == 1 and result.stdout == ""
    lines = result.stderr.splitlines()
    for expected in [
        ":1: a key before the first [section]",
        ":3: [network] port = 0: expected ports or ranges from 1 to 65535, or all",
        ":4: [network] queue = 70000: expected a queue number from 0 to 65535, or none",
        ":5: [network] mark = 0x1/0x1: expected a value other than 0 in a mask of at least two bits",
        ":7: [network] listen-port was given at line 6 already",
        ":8: expected key = value",
        ":9: unknown key unknown in [network]; known are: lan, port,",
        ":10: [network] pass-timeout = 5 parsecs: expected a time from 1s to 365d",
        ":12:16: missing closing parenthesis in pattern ^(abc",
        ":13:16: numbers out of order in {} quantifier in pattern x{2,1}",
        "/list:3:5: missing closing parenthesis in pattern (bad",
        "/list:5:12: missing terminating ] for character class in pattern [also bad",
        ":15: [ignore] file = /nowhere/list: No such file or directory",
        ":16: [ignore] match = moon: expected some of address, dns, sni, host",
        ":18: [tls] upstream = perhaps: expected mirror, verify or ignore",
        ":19: [tls] trust = relative/path: expected a path that starts with /",
        ":20: [tls] min-version = 0.9: expected 1.0, 1.1, 1.2 or 1.3",
        ":21: [device cam] needs mac, address or interface, to know it by",
        ":23: unknown section [elsewhere]",
    ]:
        assert any(expected in line for line in lines), "%s\nis not in\n%s" % (expected, result.stderr)
    assert all(line.startswith("error: %s" % tmp_path) for line in lines)


def test_a_bad_configuration_touches_nothing(lab, config):
    path = config("[network]\nport = 0\n[tls]\nca = %s/state/ca.pem\n" % lab.directory)
    result = lab.router.run(INTERCEPTD, "-c", path, check=False)
    assert result.returncode == 1
    assert "inet interceptd" not in lab.router.run("nft", "list", "tables").stdout
    assert not (lab.directory / "state").exists()


@pytest.mark.parametrize("path,reason", [("/nowhere/interceptd.conf", "No such file or directory"),
                                         ("/etc", "Is a directory")])
def test_a_missing_configuration_is_told(path, reason):
    result = run(INTERCEPTD, "-t", "-c", path)
    assert result.returncode == 1 and result.stderr == "error: %s: %s\n" % (path, reason)


@pytest.mark.parametrize("keys,reason", [
    ("trust = %s/none", "[tls] trust = %s/none: no certificates can be read from it"),
    ("intermediates = %s/other", "[tls] intermediates = %s/other: no certificates can be read from it"),
    ("revocation = crl\ncrl-directory = %s/none", "[tls] crl-directory = %s/none: No such file or directory"),
    ("ca = %s/other", "%s/other: there is no certificate in it"),
])
def test_what_a_start_would_find_wrong_is_told_before(config, tmp_path, keys, reason):
    (tmp_path / "other").write_text("something else\n")
    path = config("[tls]\n" + keys % tmp_path + "\n")
    result = run(INTERCEPTD, "-t", "-c", path)
    assert result.returncode == 1 and result.stderr == "error: " + reason % tmp_path + "\n"
    assert result.stdout == ""


def test_long_lines_comments_and_bytes_beyond_ascii(config):
    path = config("\ufeff# comment\n; comment\n[ignore]\npattern = ^" + "a" * 20000 + "$\n"
                  "pattern = münchen ; not a comment\n")
    result = run(INTERCEPTD, "-t", "-c", path)
    assert result.returncode == 0, result.stderr
    path.write_text("[ignore]\npattern = " + "a" * 70000 + "\npattern = (\n")
    result = run(INTERCEPTD, "-t", "-c", path)
    assert ":2: the line is too long" in result.stderr and ":3:" in result.stderr
    path.write_bytes(b"[ignore]\npattern = a\0b\n")
    assert ":2: a NUL byte in the line" in run(INTERCEPTD, "-t", "-c", path).stderr


@pytest.mark.parametrize("program", [INTERCEPTD, INTERCEPTCTL])
def test_help_version_and_usage(program):
    assert run(program, "--help").stdout.startswith("usage: ")
    assert run(program, "--version").stdout.split()[1][0].isdigit()
    wrong = run(program, "--nonsense")
    assert wrong.returncode == 2 and "usage: " in wrong.stderr
    assert run(program, "nonsense").returncode == 2


# ---- the tutorial ----

@pytest.mark.parametrize("device,origin,told,suggested", [
    (DEVICE4, ORIGIN4[0], ORIGIN4[0] + ":443", r"^203\.0\.113\.1:443$"),
    (DEVICE6, ORIGIN6[0], "[%s]:443" % ORIGIN6[0], "^%s:443$" % ORIGIN6[0]),
], ids=["ipv4", "ipv6"])
def test_the_tutorial_works_as_written(lab, engine, device, origin, told, suggested):
    """Run -v, read `serverconnect -> IP:port`, escape, anchor, --ignore: it is ignored."""
    first = engine()
    lab.curl("https://origin.test/hello", origin=origin, ca=first.ca)
    assert first.wait_log(r"^serverconnect -> (\S+)").group(1) == told
    pattern = first.wait_log(r"to ignore it: --ignore '(.*)'").group(1)
    assert pattern == suggested
    assert device in first.wait_log(r"^clientconnect (\S+):\d+$").group(1)
    first.stop()
    second = engine({}, "--ignore", pattern)
    assert "interceptd lab" in lab.issuer(origin)
    second.wait_log("^" + re.escape("ignored %s by %s (--ignore)" % (told, pattern)) + "$")


def test_ignore_may_be_given_many_times(lab, engine):
    started = engine({"ignore": {"pattern": r"^203\.0\.113\.1:"}}, "--ignore", r"113\.2:443",
                     "--ignore", r"113\.3:443")
    for origin in ORIGIN4[:3]:
        assert "interceptd lab" in lab.issuer(origin)
    assert "O = interceptd," in lab.issuer(ORIGIN4[3])
    started.wait_log(r"^ignored 203\.0\.113\.1:443 by .* \(.*/interceptd\.conf:2\)$")


def test_without_v_there_is_no_line_a_connection(lab, tmp_path):
    path = tmp_path / "interceptd.conf"
    path.write_text("[tls]\nca = {0}/ca.pem\ntrust = {1}\n[control]\nsocket = {0}/socket\n"
                    "state = {0}\n".format(tmp_path, lab.origin_ca))
    with open(tmp_path / "log", "w") as log:
        process = lab.router.spawn(INTERCEPTD, "-c", path, stderr=log)
        wait_for(lambda: "is running" in (tmp_path / "log").read_text(), "the engine")
        lab.curl("https://origin.test/hello", "-k")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20 * PATIENCE) == 0
    assert "clientconnect" not in (tmp_path / "log").read_text()


# ---- the self-check: one clear line each ----

def test_missing_privilege(lab, engine):
    started = engine(wait=False, wrapper=["setpriv", "--bounding-set=-net_admin",
                                          "--inh-caps=-net_admin"])
    assert "error: the right to change the network (CAP_NET_ADMIN) is missing" in started.wait_refused()


@pytest.mark.parametrize("sysctl,family", [("net.ipv4.ip_forward", "IPv4"),
                                           ("net.ipv6.conf.all.forwarding", "IPv6")])
def test_forwarding_off(lab, engine, sysctl, family):
    lab.router.run("sysctl", "-qw", sysctl + "=0")
    try:
        started = engine()
    finally:
        lab.router.run(lab_script(), "router", "lan0", "wan0")
    assert "warning: %s forwarding is off" % family in started.log()
    assert "sysctl -w %s=1" % sysctl in started.log()


def lab_script():
    from lab import ROOT
    return ROOT / "scripts/lab"


def test_marks_that_the_kernel_checks_sources_by(lab, engine):
    lab.router.run("sysctl", "-qw", "net.ipv4.conf.all.src_valid_mark=1")
    try:
        started = engine()
        assert "sysctl -w net.ipv4.conf.all.src_valid_mark=0" in started.log()
    finally:
        lab.router.run("sysctl", "-qw", "net.ipv4.conf.all.src_valid_mark=0")


def test_no_lan_interface_is_told_and_waited_for(lab, engine):
    lab.router.run("ip", "route", "add", "default", "dev", "lan0", "metric", "999")
    try:
        started = engine()
        assert "warning: no LAN interface found" in started.log()
        assert "interceptd lab" in lab.issuer(ORIGIN4[0])
    finally:
        lab.router.run("ip", "route", "del", "default", "dev", "lan0")
    started.wait_log("^devices are on: lan0$")
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])


def test_port_taken(lab, engine):
    with lab.router.listen("0.0.0.0", 8443):
        started = engine(wait=False)
        assert "error: port 8443 is taken by another program" in started.wait_refused()
    assert "inet interceptd" not in lab.router.run("nft", "list", "tables").stdout


def test_queue_taken(lab, engine):
    engine({"network": {"listen-port": "9443"}})
    second = engine(wait=False)
    assert "error: queue 77 is taken by another program" in second.wait_refused()
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])


def test_another_instance_running(lab, engine):
    first = engine()
    command = lab.router.command(INTERCEPTD, "-c", first.config_path)
    second = subprocess.run(command, capture_output=True, text=True, timeout=20 * PATIENCE)
    assert second.returncode == 1
    assert "error: another instance is running (process %d)" % first.pid() in second.stderr
    third = engine({"network": {"queue": "78", "listen-port": "9443"}}, wait=False)
    assert "error: table inet interceptd belongs to another process" in third.wait_refused()
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])


def test_a_missing_kernel_feature_and_what_is_used_instead(lab, engine):
    started = engine()
    rule = "table inet probe { chain c { type filter hook forward priority 0; queue num 9; }; }"
    has = lab.router.run("nft", "--check", rule, check=False).returncode == 0
    told = "this kernel lacks nft queue: using xtables NFQUEUE through nft_compat instead"
    assert (told in started.log()) == (not has)
    assert started.status()["gate"]["queue"] == (
        "nft queue" if has else "xtables NFQUEUE through nft_compat")


@pytest.mark.parametrize("key,text,fault", [
    ("ca", "nonsense", "there is no certificate in it"),
    ("trust", "nonsense", "no certificates can be read from it"),
])
def test_bad_files_are_told(lab, engine, tmp_path, key, text, fault):
    path = tmp_path / "file.pem"
    path.write_text(text)
    started = engine({"tls": {key: path}}, wait=False)
    assert fault in started.wait_refused()
    assert path.read_text() == text


# ---- interceptctl ----

def test_exit_status_tells_why(lab, engine, tmp_path):
    assert run(INTERCEPTCTL, "-s", tmp_path / "nothing", "status").returncode == 3
    started = engine()
    socket_path = started.directory / "run/control.sock"
    denied = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", INTERCEPTCTL, "-s",
                 socket_path, "reload")
    assert denied.returncode == 4, denied.stderr
    started.signal(signal.SIGSTOP)
    try:
        assert started.ctl("-t", "1", "status", check=False).returncode == 5
    finally:
        started.signal(signal.SIGCONT)
    assert started.ctl("status").returncode == 0


def test_status_for_people_and_for_programs(lab, engine):
    started = engine({"ignore": {"pattern": ["^a", "^b", "(?!c)zzz"]}})
    lab.curl("https://origin.test/hello", "-k")
    text = started.ctl("status").stdout
    assert "3 ignore patterns" in text and "devices on    lan0" in text and "1 intercepted" in text
    status = started.status()
    assert status["pid"] == started.pid() and status["policy"]["revision"] == 1
    assert status["policy"]["by_hyperscan"] == 2
    assert status["policy"]["by_hyperscan_and_pcre2"] == 1
    assert status["certificates"]["forged"] == 1


def test_explain_needs_no_privilege(tmp_path):
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o755)
        (folder / "c.conf").write_text("[ignore]\npattern = ^192\\.0\\.2\\.1:443$\n")
        told = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all",
                   INTERCEPTCTL, "explain", "-c", folder / "c.conf", "192.0.2.1:443", "a.test:443")
    finally:
        shutil.rmtree(folder)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("192.0.2.1:443 ignore by ^192\\.0\\.2\\.1:443$ (")
    assert "a.test:443 intercept" in told.stdout
    assert "note: a.test:443 is a name, and patterns are tried against addresses alone" in told.stderr


def test_explain_asks_the_daemon_without_c(engine):
    started = engine({"ignore": {"pattern": "^192\\.0\\.2\\.1:443$"}})
    assert started.ctl("explain", "192.0.2.1:443").stdout == \
        "192.0.2.1:443 ignore by ^192\\.0\\.2\\.1:443$ (%s:2)\n" % started.config_path
    assert "192.0.2.2:443 intercept" in started.ctl("explain", "192.0.2.2:443").stdout
    refused = started.ctl("explain", "nonsense", check=False)
    assert refused.returncode == 1 and "a target is address:port or name:port" in refused.stderr


@pytest.mark.parametrize("line", [
    b"\n", b"{}\n", b"[]\n", b"{\"cmd\": 1}\n", b"{\"cmd\": \"nonsense\"}\n", b"\xff\xfe\n",
    b"[" * 100000 + b"\n", b"{\"cmd\": \"explain\", \"args\": {\"targets\": [1]}}\n",
    b"{\"cmd\": \"explain\", \"args\": 7}\n", b"x" * 2_000_000,
], ids=range(10))
def test_the_control_socket_bears_nonsense(engine, line):
    started = engine()
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10 * PATIENCE)
        client.connect(str(started.directory / "run/control.sock"))
        stream = client.makefile("rb")
        assert json.loads(stream.readline())["api"] == 1
        try:
            client.sendall(line)
            answer = stream.readline()
        except ConnectionError:
            answer = b""  # it went too far, and was cut off
        if answer:
            answer = json.loads(answer)
            assert answer["ok"] is False and answer["error"]
    assert started.status()["pid"] == started.pid()


def test_the_control_socket_is_the_owners(engine):
    started = engine()
    assert os.stat(started.directory / "run/control.sock").st_mode & 0o777 == 0o660
    started.stop()
    assert not (started.directory / "run/control.sock").exists()
