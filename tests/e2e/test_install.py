# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make install` puts on a system."""

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

import pki
from lab import BUILD, ORIGIN4, PATIENCE, ROOT, wait_for

INSTALL = ROOT / "scripts/install"
PRESETS = sorted((INSTALL / "presets").glob("*.list"))


def files(command, dest, prefix="/usr/local", sysconf="/etc"):
    units = "/etc/systemd/system" if prefix == "/usr/local" else prefix + "/lib/systemd/system"
    return subprocess.run([INSTALL / "files", command, dest, prefix + "/sbin", prefix + "/share",
                           sysconf, units], capture_output=True, text=True, check=True,
                          env={"BUILD": str(BUILD), "PATH": "/usr/bin:/bin"}).stdout


def tree(dest):
    return sorted(str(path.relative_to(dest)) for path in dest.rglob("*") if path.is_file())


@pytest.mark.parametrize("prefix,sysconf,unit", [
    ("/usr/local", "/etc", "etc/systemd/system/interceptd.service"),
    ("/usr", "/etc/interceptd", "usr/lib/systemd/system/interceptd.service"),
])
def test_everything_has_its_place(tmp_path, prefix, sysconf, unit):
    files("install", tmp_path, prefix, sysconf)
    base = prefix[1:]
    assert tree(tmp_path) == sorted([
        sysconf[1:] + "/interceptd.conf", unit, base + "/sbin/interceptd", base + "/sbin/interceptctl",
        base + "/share/man/man8/interceptd.8", base + "/share/man/man8/interceptctl.8",
        base + "/share/man/man5/interceptd.conf.5", base + "/share/interceptd/interceptd.nft",
        base + "/share/interceptd/eve-schema.json",
        base + "/share/bash-completion/completions/interceptctl",
        base + "/lib/sysusers.d/interceptd.conf", base + "/lib/sysctl.d/interceptd.conf",
        base + "/share/bash-completion/completions/interceptd",
        *(base + "/share/interceptd/presets/" + preset.name for preset in PRESETS)])
    text = (tmp_path / unit).read_text()
    assert "ExecStart=%s/sbin/interceptd -c %s/interceptd.conf" % (prefix, sysconf) in text
    files("uninstall", tmp_path, prefix, sysconf)
    assert tree(tmp_path) == []


def test_an_edited_configuration_is_neither_overwritten_nor_removed(tmp_path):
    files("install", tmp_path)
    config = tmp_path / "etc/interceptd.conf"
    config.write_text("[ignore]\npattern = mine\n")
    assert "KEPT" in files("install", tmp_path)
    assert config.read_text() == "[ignore]\npattern = mine\n"
    files("uninstall", tmp_path)
    assert tree(tmp_path) == ["etc/interceptd.conf"]


def test_the_makefile_honours_its_variables(tmp_path):
    result = subprocess.run(["make", "-s", "-C", ROOT, "install", "DESTDIR=%s" % tmp_path, "PREFIX=/opt/i",
                             "SYSCONFDIR=/opt/etc"], capture_output=True, text=True,
                            timeout=300 * PATIENCE)
    assert result.returncode == 0, result.stderr
    installed = tree(tmp_path)
    assert "opt/i/sbin/interceptd" in installed and "opt/etc/interceptd.conf" in installed
    assert "opt/i/lib/systemd/system/interceptd.service" in installed


def test_the_default_configuration_works_unedited(lab, tmp_path):
    """As it is; but where things are kept lies over this machine's own, and the lab's CA is trusted."""
    assert subprocess.run([BUILD / "interceptd", "-t", "-c", INSTALL / "interceptd.conf"],
                          capture_output=True).returncode == 0
    script = "mount -t tmpfs none /run && mount -t tmpfs none /var/lib && mount -t tmpfs none /var/log &&" \
        " mount --bind %s /etc/ssl/certs/ca-certificates.crt && exec %s -v -c %s" % (
            lab.origin_ca, BUILD / "interceptd", INSTALL / "interceptd.conf")
    with open(tmp_path / "log", "w") as log:
        engine = lab.router.spawn("unshare", "--mount", "sh", "-c", script, stderr=log)
    try:
        wait_for(lambda: "is running" in (tmp_path / "log").read_text(), "the engine")
        root = Path("/proc/%d/root" % engine.pid)
        (tmp_path / "ca.pem").write_bytes((root / "var/lib/interceptd/ca-cert.pem").read_bytes())
        lab.curl("https://origin.test/hello", ca=tmp_path / "ca.pem")
        events = root / "var/log/interceptd/eve.json"
        wait_for(lambda: '"event_type":"flow"' in events.read_text(), "the records")
    finally:
        engine.terminate()
        assert engine.wait(timeout=20 * PATIENCE) == 0
    told = (tmp_path / "log").read_text()
    assert "devices are on: lan0" in told and "serverconnect -> 203.0.113.1:443" in told


def uncommented(text):
    """The default configuration with every key in force."""
    return re.sub(r"^#(\w[\w-]* = |\[)", r"\1", text, flags=re.M)


def test_every_commented_key_is_a_good_one(tmp_path):
    text = uncommented((INSTALL / "interceptd.conf").read_text())
    assert text.count(" = ") > 25
    text = text.replace("revocation = off", "revocation = crl")  # the default has no use for the lists' key
    for name in ("ignore.list", "allow.list", "tcp.list", "banks.list", "cam.list"):
        (tmp_path / name).write_text("^x\n")
    for name in ("client", "bank"):
        certificate, key = pki.make().write(tmp_path, name)
        certificate.write_bytes(certificate.read_bytes() + key.read_bytes())
    (tmp_path / "intermediates.pem").write_bytes((tmp_path / "bank.pem").read_bytes())
    (tmp_path / "crls").mkdir()
    (tmp_path / "interceptd.conf").write_text(text.replace("= /etc/interceptd/", "= %s/" % tmp_path))
    result = subprocess.run([BUILD / "interceptd", "-t", "-c", tmp_path / "interceptd.conf"],
                            capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_preset_is_good_and_gives_its_reasons(tmp_path, preset):
    config = tmp_path / "interceptd.conf"
    config.write_text("[ignore]\nmatch = address sni\nfile = %s\n" % preset)
    result = subprocess.run([BUILD / "interceptd", "-t", "-c", config], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    head, *blocks = re.split(r"\n\n+", preset.read_text().strip())
    assert re.match(r"# SPDX.*\n# interceptd preset: .+\n# Version \d+, \d{4}-\d\d-\d\d\. ", head)
    with_patterns = [block for block in blocks if re.search("^[^#]", block, re.M)]
    assert with_patterns and all(block.startswith("# ") for block in with_patterns)


@pytest.mark.parametrize("target,preset", [
    ("gdmf.apple.com:443", "updates"), ("au.download.windowsupdate.com:80", "updates"),
    ("play.googleapis.com:443", "stores"), ("is1-ssl.mzstatic.com:443", "stores"),
    ("17.57.144.10:5223", "push"), ("alt3-mtalk.google.com:5228", "push"),
    ("connectivitycheck.gstatic.com:80", "connectivity"), ("www.msftconnecttest.com:80", "connectivity"),
    ("time.cloudflare.com:4460", "time"), ("203.0.113.1:443", None), ("www.google.com:443", None),
    ("www.apple.com:443", None), ("mtalk.google.com.evil.test:443", None),
])
def test_presets_name_what_they_say(tmp_path, target, preset):
    config = tmp_path / "interceptd.conf"
    config.write_text("[ignore]\nmatch = address sni\n" + "".join("file = %s\n" % path for path in PRESETS))
    answer = subprocess.run([BUILD / "interceptctl", "explain", "-c", config, target], capture_output=True,
                            text=True, check=True).stdout
    if preset:
        assert answer.startswith(target + " ignore by ") and "/presets/%s.list:" % preset in answer
    else:
        assert answer.startswith(target + " intercept ")


@pytest.mark.parametrize("page", ["interceptd.8", "interceptctl.8", "interceptd.conf.5"])
def test_the_manual_is_well_formed(page):
    result = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", INSTALL / "man" / page],
                            capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("program,page", [("interceptd", "interceptd.8"),
                                          ("interceptctl", "interceptctl.8")])
def test_the_manual_has_every_option(program, page):
    usage = subprocess.run([BUILD / program, "--help"], capture_output=True, text=True).stdout
    manual = subprocess.run(["mandoc", "-T", "utf8", INSTALL / "man" / page], capture_output=True,
                            text=True).stdout
    plain = re.sub(".\b", "", manual)
    for option in re.findall(r"--[a-z]+", usage):
        assert option in plain, option


def test_the_unit_is_one_that_systemd_takes(tmp_path):
    files("install", tmp_path)
    unit = tmp_path / "etc/systemd/system/interceptd.service"
    # systemd-analyze looks for the program where the unit says.
    unit.write_text(unit.read_text().replace("/usr/local/sbin/interceptd", str(BUILD / "interceptd")))
    result = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    ours = [line for line in result.stderr.splitlines() if "interceptd.service" in line]
    assert result.returncode == 0 and ours == [], result.stderr


def test_the_unit_is_hardened(tmp_path):
    files("install", tmp_path)
    result = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                             tmp_path / "etc/systemd/system/interceptd.service"],
                            capture_output=True, text=True)
    exposure = re.search(r"Overall exposure level for interceptd\.service: ([\d.]+)", result.stdout)
    assert exposure, result.stdout + result.stderr
    assert float(exposure.group(1)) < 3.0, result.stdout


def test_the_demo_shows_what_it_says():
    result = subprocess.run([ROOT / "scripts/demo", BUILD], capture_output=True, text=True,
                            timeout=60 * PATIENCE)
    assert result.returncode == 0 and result.stderr == "", result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) <= 24 and max(len(line) for line in lines) <= 80
    assert "\x1b" not in result.stdout  # this is no terminal
    issuers = re.findall(r'"hello from the origin", certificate by (.*)', result.stdout)
    assert issuers[0].startswith("interceptd CA ") and issuers[1:] == ["Origins' CA"] * 2
    assert re.search(r"203\.0\.113\.2 \. 443 counter packets [1-9]\d+ ", result.stdout)
    left = subprocess.run(["ip", "netns"], capture_output=True, text=True).stdout
    assert "demo" not in left


def test_deps_does_nothing_where_all_is_there():
    for _ in range(2):
        result = subprocess.run([ROOT / "scripts/deps", "build", "run", "test"], capture_output=True,
                                text=True, stdin=subprocess.DEVNULL, timeout=60 * PATIENCE)
        assert result.returncode == 0
        assert result.stdout == "deps: everything is there (build run test)\n"
    assert subprocess.run([ROOT / "scripts/deps", "nonsense"], capture_output=True).returncode == 2


@pytest.mark.parametrize("system,command", [("fedora", "dnf install"), ("arch", "pacman -S --needed"),
                                            ("alpine", "apk add")])
def test_deps_prints_the_names_on_other_systems(tmp_path, system, command):
    """There is no apt-get there, and os-release says what it is."""
    release = tmp_path / "os-release"
    release.write_text("ID=%s\n" % system)
    script = "mount --bind %s /etc/os-release && PATH=%s exec /bin/sh %s" % (release, tmp_path,
                                                                            ROOT / "scripts/deps")
    (tmp_path / "uname").symlink_to("/usr/bin/uname")
    result = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "  %s make gcc " % command in result.stdout and "libnetfilter" in result.stdout


def calls_in(name):
    """A set of system calls, as systemd names them, those within it included."""
    text = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True,
                          check=True).stdout
    words = {line.strip() for line in text.splitlines()[1:] if not line.strip().startswith("#")}
    return {call for word in words if word
            for call in (calls_in(word) if word.startswith("@") else [word])}


# The unit's MemoryDenyWriteExecute, where the kernel can do it for one process (Linux 6.3).
DENY_WRITE_EXECUTE = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def test_the_daemon_lives_within_its_unit(lab, engine, tmp_path):
    """Without a service manager: its capabilities, its memory, and the system calls that it makes."""
    unit = (INSTALL / "interceptd.service").read_text()
    bounds = re.search("^CapabilityBoundingSet=(.*)$", unit, re.M).group(1).lower().replace("cap_", "+")
    assert "MemoryDenyWriteExecute=yes" in unit
    allowed, = re.findall("^SystemCallFilter=(@.*)$", unit, re.M)
    # Under strace there is no looking for leaks.
    quiet = {"ASAN_OPTIONS": "detect_leaks=0"}
    patterns = {"ignore": {"pattern": [r"^203\.0\.113\.2:", "^(?!.*:443$)"]}, "events": {"ignored": "yes"}}
    started = engine(patterns, environment=quiet, wrapper=[
        "setpriv", "--bounding-set", "-all," + bounds.replace(" ", ","), "--inh-caps", "-all",
        "--no-new-privs",
        "/usr/bin/python3", "-c", DENY_WRITE_EXECUTE, "strace", "-f", "-qq", "-c", "-o", tmp_path / "calls"])
    assert lab.curl("https://origin.test/hello", ca=started.ca).stdout == "hello from the origin\n"
    assert "interceptd lab" in lab.issuer(ORIGIN4[1])
    assert "ignored" in started.cut() and "total" in started.flows()
    started.reload()
    started.wait_records("flow")
    assert started.status()["gate"]["packets"] > 1
    started.signal(signal.SIGTERM)
    started.process.wait(timeout=20 * PATIENCE)
    used = {line.split()[-1] for line in (tmp_path / "calls").read_text().splitlines()
            if re.match(r" *[0-9.]+ +[0-9.]+ ", line)} - {"total"}
    assert {"epoll_wait", "sendto", "openat"} < used
    group, *more = allowed.split()
    assert used - calls_in(group) - set(more) == set()


def complete(words, program="interceptctl"):
    """What bash would offer for the last of the words."""
    script = """
        source {file}
        COMP_WORDS=({words}) COMP_CWORD={last}
        _{program}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """.format(file=INSTALL / "interceptctl.bash", words=" ".join("'%s'" % word for word in words),
               last=len(words) - 1, program=program)
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True).stdout.split()


def test_completion():
    assert complete(["interceptctl", "-j", "ig"]) == ["ignore", "ignored"]
    assert complete(["interceptctl", "ignore", "e"]) == ["edit"]
    assert "--config" in complete(["interceptctl", "explain", "--c"])
    assert "--config" not in complete(["interceptctl", "status", "--c"])
    assert complete(["interceptctl", "flows", "--li"]) == ["--limit"]
    assert "--ignore" in complete(["interceptd", "--i"], "interceptd")


def test_completion_knows_every_command():
    usage = subprocess.run([BUILD / "interceptctl", "--help"], capture_output=True, text=True).stdout
    commands = re.findall(r"^  ([a-z-]+) ", usage, re.M)
    assert len(commands) > 15 and complete(["interceptctl", ""]) == sorted(set(commands))
