# SPDX-License-Identifier: GPL-3.0-or-later
"""Our CA's key: made once, kept by a process that does nothing but sign, and out of the engine's reach."""

import ctypes
import os
import re
import signal
import socket
import stat
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import peers
import pki
from lab import ENGINE_USER, ORIGIN4, PATIENCE, wait_for
from pathlib import Path

SYS_PIDFD_GETFD = 438


def children(pid):
    listed = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(pid)], capture_output=True, text=True)
    return {name: int(number) for number, name in map(str.split, listed.stdout.splitlines())}


def signer_of(started):
    keeper = children(started.pid()).get("intercept-keep")
    return keeper and children(keeper).get("intercept-sign")


def capabilities(pid):
    status = Path("/proc/%d/status" % pid).read_text()
    return {key: int(value, 16) for key, value in re.findall(r"^Cap(\w+):\s+(\w+)$", status, re.M)}


def memory_has(pid, parts):
    """Which of these are in the process's memory, all that is mapped and can be read."""
    found = set()
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", 0) as memory:
        for line in maps:
            first, last = (int(number, 16) for number in line.split()[0].split("-"))
            # Beyond a gigabyte it is a sanitizer's shadow.
            if line.split()[1][0] != "r" or "[v" in line or last - first > 1 << 30:
                continue
            try:
                memory.seek(first)
                content = memory.read(last - first)
            except (OSError, ValueError):
                continue
            found |= {name for name, part in parts.items() if part in content}
    return found


def key_parts(path):
    """The primes of an RSA key, as files and as OpenSSL's numbers have them, and its PEM text."""
    pem = path.read_bytes()
    numbers = serialization.load_pem_private_key(pem, None).private_numbers()
    parts = {"pem": re.search(rb"PRIVATE KEY-----\n.*\n.*\n(.*)\n", pem).group(1)}
    for name, number in [("p", numbers.p), ("q", numbers.q), ("d", numbers.d)]:
        size = (number.bit_length() + 7) // 8
        parts[name + " big"] = number.to_bytes(size, "big")[-96:]
        parts[name + " little"] = number.to_bytes(size, "little")[:96]
    return parts


def test_CA4_the_key_is_in_the_signers_memory_alone(lab, engine):
    started = engine(fresh=True)
    assert lab.curl("https://origin.test/hello", ca=started.ca).stdout == "hello from the origin\n"
    parts = key_parts(started.directory / "state/ca.pem")
    assert "p little" in memory_has(signer_of(started), parts)
    assert memory_has(started.pid(), parts) == set()
    assert memory_has(children(started.pid())["intercept-keep"], parts) == set()


def test_CA4_the_engine_is_a_user_of_its_own_with_one_right(lab, engine):
    started = engine()
    only = {"Inh": 0, "Prm": 1 << 12, "Eff": 1 << 12, "Bnd": 0, "Amb": 0}  # CAP_NET_ADMIN
    for task in Path("/proc/%d/task" % started.pid()).iterdir():
        assert capabilities(int(task.name)) == only
        status = (task / "status").read_text()
        assert re.search(r"^Uid:\t%d\t%d\t%d\t%d$" % ((ENGINE_USER,) * 4), status, re.M)
        assert re.search(r"^Groups:\s*$", status, re.M) and re.search(r"^NoNewPrivs:\t1$", status, re.M)
    key = started.directory / "state/ca.pem"
    for command in (["cat", key], ["rm", "-f", key], ["mv", key, str(key) + ".old"]):
        assert not as_engine(*command)
    assert key.stat().st_uid == 0 and stat.S_IMODE(key.stat().st_mode) == 0o600
    # Of a process that is not dumpable, root owns what is in /proc.
    if "san-" not in str(peers.ROOT) and "san-" not in os.environ.get("INTERCEPTD_BUILD", ""):
        assert os.stat("/proc/%d/mem" % started.pid()).st_uid == 0


def test_CA4_the_signer_can_do_nothing_but_sign(lab, engine):
    started = engine()
    signer = signer_of(started)
    assert set(capabilities(signer).values()) <= {0, capabilities(signer)["Bnd"]}
    assert capabilities(signer)["Eff"] == capabilities(signer)["Prm"] == 0
    status = Path("/proc/%d/status" % signer).read_text()
    assert re.search(r"^Seccomp:\t2$", status, re.M) and re.search(r"^NoNewPrivs:\t1$", status, re.M)
    files = [os.readlink("/proc/%d/fd/%s" % (signer, fd)) for fd in os.listdir("/proc/%d/fd" % signer)]
    others = [name for name in files if not name.startswith("socket:")]
    assert all(name == "/dev/null" or name.endswith("/log") for name in others), others
    for line in subprocess.run(["ss", "-tunap"], capture_output=True, text=True).stdout.splitlines():
        assert "pid=%d," % signer not in line


AS_ENGINE = ["setpriv", "--reuid", str(ENGINE_USER), "--regid", str(ENGINE_USER), "--clear-groups"]


def as_engine(*command):
    """What somebody who has taken over the engine could do: true if it can be done."""
    return subprocess.run([*AS_ENGINE, *command], capture_output=True).returncode == 0


def test_CA4_what_is_roots_stays_roots_over_restarts(lab, engine):
    """Even where the key log lies beside the key, and whatever else root keeps there."""
    started = engine(fresh=True)
    state = started.directory / "state"
    config = {"tls": {"keylog": state / "keys.log"}}
    roots = [state / "ca.pem", state / "ca-cert.pem", state / "ca.pem.bak"]
    roots[2].write_bytes(roots[0].read_bytes())
    roots[2].chmod(0o600)
    for _ in range(2):
        started.reload(config)
        for path in roots:
            for command in (["mv", path, str(path) + ".x"], ["rm", "-f", path],
                            ["sh", "-c", "echo > '%s'" % path]):
                assert not as_engine(*command), command
            assert path.stat().st_uid == 0
        for secret in (roots[0], roots[2]):
            assert not as_engine("cat", secret)
        assert as_engine("touch", state / "of-its-own")
        assert state.stat().st_mode & 0o7770 == 0o1770 and state.stat().st_uid == 0
        started.stop()
        started = engine({"tls": {**config["tls"], "ca": roots[0]}, "control": {"state": state}})


def test_CA4_root_is_led_nowhere_by_what_the_engine_leaves_behind(lab, engine, tmp_path):
    """Links and pipes where root looks at the next start."""
    started = engine({"ignore": {"pattern": "^x"}})
    run, state = started.directory / "run", started.directory / "state"
    victim = tmp_path / "roots-own"
    victim.write_text("precious")
    victim.chmod(0o600)
    started.stop()
    again = {"ignore": {"pattern": "^x"}, "tls": {"ca": state / "ca.pem"},
             "control": {"state": state, "socket": run / "control.sock"}}
    assert not as_engine("rm", "-f", run / "control.sock.lock", state / "ignore.hsdb")
    assert as_engine("ln", "-s", victim, run / "other.sock.lock")
    refused = engine({**again, "control": {"state": state, "socket": run / "other.sock"}}, wait=False)
    assert "other.sock.lock" in refused.wait_refused()
    (state / "ignore.hsdb").unlink()
    for made in (["mkfifo", state / "ignore.hsdb"], ["ln", "-s", victim, state / "leaf-keys.pem"]):
        (state / "leaf-keys.pem").unlink(missing_ok=True)
        assert as_engine(*made), made
    engine(again).stop()
    assert victim.read_text() == "precious" and victim.stat().st_uid == 0
    assert stat.S_ISREG((state / "ignore.hsdb").lstat().st_mode)


def test_CA4_another_user_finds_what_the_one_before_has_left(lab, engine):
    """The operator changes `user`: records go on in the same file, whoever it was."""
    started = engine()
    events, state = started.events_path, started.directory / "state"
    for user in (ENGINE_USER + 1, "root", ENGINE_USER):
        started.stop()
        started = engine({"control": {"user": user, "state": state}, "tls": {"ca": state / "ca.pem"},
                          "events": {"file": events}})
        before = events.read_text().count("\n")
        lab.curl("https://origin.test/hello", ca=state / "ca-cert.pem")
        wait_for(lambda: events.read_text().count("\n") > before, "records")


def ask_as_engine(started, certificate):
    """A request by hand, over the very channel that a worker of the engine has."""
    pid = started.pid()
    started.signal(signal.SIGSTOP)
    pidfd = os.pidfd_open(pid)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        for number in sorted(map(int, os.listdir("/proc/%d/fd" % pid))):
            if not os.readlink("/proc/%d/fd/%d" % (pid, number)).startswith("socket:"):
                continue
            fd = libc.syscall(SYS_PIDFD_GETFD, pidfd, number, 0)
            assert fd >= 0, os.strerror(ctypes.get_errno())
            with socket.socket(fileno=fd) as channel:
                if channel.family != socket.AF_UNIX or channel.type != socket.SOCK_SEQPACKET:
                    continue
                digest = x509.load_pem_x509_certificate(started.ca.read_bytes()).fingerprint(hashes.SHA256())
                channel.send(b"\0\0\0\x07" + digest + certificate)
                wait_for(lambda: peers.select.select([channel], [], [], 0)[0], "the signer's answer")
                return channel.recv(1 << 17)
    finally:
        os.close(pidfd)
        started.signal(signal.SIGCONT)
    raise AssertionError("the engine has no channel to the signer")


def test_CA4_a_ca_is_not_signed_whoever_asks(lab, engine):
    started = engine()
    made = pki.make("Own CA", names=["origin.test"], is_ca=True)
    answer = ask_as_engine(started, made.certificate.public_bytes(serialization.Encoding.DER))
    assert answer[:5] == b"\0\0\0\x07\x01", answer[:60]
    assert answer[5:] in (b"it could sign others", b"its key usage is not a server's"), answer
    assert lab.curl("https://origin.test/hello", ca=started.ca).stdout == "hello from the origin\n"


def test_CA4_without_the_signer_old_connections_live_and_it_comes_back(lab, engine):
    started = engine({"network": {"workers": 1}})
    first = signer_of(started)
    crowd = peers.Crowd(lab, ORIGIN4[0], 3)
    keeper = children(started.pid())["intercept-keep"]
    try:
        os.kill(keeper, signal.SIGSTOP)  # nobody starts another one
        os.kill(first, signal.SIGKILL)
        assert crowd.answers() == 3
        # One that needs no new leaf is not even slower.
        assert lab.curl("https://origin.test/hello", ca=started.ca).stdout == "hello from the origin\n"
    finally:
        os.kill(keeper, signal.SIGCONT)
        crowd.close()
    wait_for(lambda: signer_of(started) not in (None, first), "another signer")
    started.reload({"tls": {"upstream": "ignore"}})
    # Another kind of leaf, so another one to be signed.
    assert "O = interceptd," in lab.issuer(ORIGIN4[0], 443, "-sigalgs", "RSA-PSS+SHA256:RSA+SHA256")


def test_CA1_the_key_is_never_readable_to_others(lab, engine, tmp_path):
    """Not for a moment: under the widest umask every file is made with its mode, or narrower."""
    trace = tmp_path / "calls"
    started = engine(fresh=True, environment={"ASAN_OPTIONS": "detect_leaks=0"}, wrapper=[
        "/usr/bin/python3", "-c", "import os, sys; os.umask(0); os.execvp(sys.argv[1], sys.argv[1:])",
        "strace", "-f", "-qq", "-e", "trace=openat,open,fchmod,chmod", "-o", trace])
    calls = [line for line in trace.read_text().splitlines() if "/ca.pem" in line and "O_CREAT" in line]
    assert calls and all(line.rsplit(") = ")[0].endswith(", 0600") for line in calls), calls
    assert stat.S_IMODE((started.directory / "state/ca.pem").stat().st_mode) == 0o600


def test_CA2_the_ca_is_for_leaves_and_for_the_names_it_is_given(lab, engine, tmp_path):
    config = {"tls": {"name-constraints": "origin.test"}, "network": {"port": [443, 4433]}}
    started = engine(config, fresh=True)
    text = subprocess.run(["openssl", "x509", "-noout", "-text", "-in", started.ca], capture_output=True,
                          text=True, check=True).stdout
    assert re.search(r"Basic Constraints: critical\n\s+CA:TRUE, pathlen:0\n", text)
    assert re.search(r"Key Usage: critical\n\s+Certificate Sign, CRL Sign\n", text)
    assert re.search(r"Name Constraints: critical\n\s+Permitted:\n\s+DNS:origin.test\n", text)
    assert lab.curl("https://origin.test/hello", ca=started.ca).stdout == "hello from the origin\n"
    shown = lab.device.run("openssl", "s_client", "-connect", ORIGIN4[0] + ":443", "-servername",
                           "elsewhere.test", input="", check=False).stdout
    assert "O = interceptd," not in shown and "O = interceptd lab," in shown
    flow = started.wait_records("flow", 2)[1]["intercept"]
    assert flow["action"] == "passthrough" and flow["reason"] == "name_constraints"


def test_CA2_without_constraints_there_are_none(lab, engine):
    started = engine(fresh=True)
    certificate = x509.load_pem_x509_certificate(started.ca.read_bytes())
    with pytest.raises(x509.ExtensionNotFound):
        certificate.extensions.get_extension_for_class(x509.NameConstraints)


def test_F11_an_intermediate_ca_sends_what_is_between_it_and_the_root(lab, engine, tmp_path):
    root = pki.make("Root", names=[], is_ca=True)
    middle = pki.make("Middle", names=[], issuer=root, is_ca=True)
    own = pki.make("Own CA", names=[], issuer=middle, is_ca=True)
    pem = serialization.Encoding.PEM
    file = tmp_path / "own.pem"
    file.write_bytes(own.certificate.public_bytes(pem) + middle.certificate.public_bytes(pem) +
                     root.certificate.public_bytes(pem) +
                     own.key.private_bytes(pem, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    file.chmod(0o600)
    root_path, _ = root.write(tmp_path, "root")
    engine({"tls": {"ca": file}})
    assert lab.curl("https://origin.test/hello", ca=root_path).stdout == "hello from the origin\n"
    shown = lab.device.run("openssl", "s_client", "-connect", ORIGIN4[0] + ":443", "-servername",
                           "origin.test", "-showcerts", input="").stdout
    subjects = re.findall(r"^ *\d+ s:(.*)$", shown, re.M)
    assert subjects[1:] == ["CN = Own CA", "CN = Middle"]


@pytest.mark.parametrize("on_failure", ["open", "closed"])
def test_X1_one_device_that_needs_too_many_certificates_harms_no_other(lab, engine, on_failure):
    """Names of its own for each connection, where each is a certificate to be made. There is a limit, and
    then its connections pass, or are refused."""
    started = engine({"tls": {"upstream": "ignore"}, "network": {"workers": 1, "on-failure": on_failure}})

    def is_intercepted(number):
        with lab.device.connect(ORIGIN4[0]) as connection:
            try:
                name = "x%d.test" % number
                with peers.client_context().wrap_socket(connection, server_hostname=name) as secure:
                    return peers.issuer_of(secure) == "interceptd"
            except OSError:
                assert on_failure == "closed"
                return False

    assert not all(is_intercepted(number) for number in range(1500))
    last = wait_for(lambda: [record["intercept"] for record in started.records("flow")
                             if record["intercept"]["ending"] == "forge_limit"
                             or record["intercept"]["reason"] == "overload"], "its record")[0]
    assert last["action"] == ("passthrough" if on_failure == "open" else "intercept")
    if on_failure == "open":  # nothing is told of the session that was dropped
        assert last["upstream"].keys() == {"ip", "port", "community_id"}  # of TLS there is nothing left
    with lab.device.inside():
        other = socket.socket()
    own = lab.device.run("cat", "/sys/class/net/eth0/address").stdout.strip()
    lab.device.run("ip", "address", "add", "10.77.0.99/24", "dev", "eth0")
    lab.device.run("ip", "link", "set", "eth0", "address", "02:00:5e:77:00:99")
    try:
        other.bind(("10.77.0.99", 0))
        other.settimeout(10 * PATIENCE)
        other.connect((ORIGIN4[0], 443))
        with peers.client_context().wrap_socket(other, server_hostname="new.test") as secure:
            assert peers.issuer_of(secure) == "interceptd"
    finally:
        lab.device.run("ip", "link", "set", "eth0", "address", own)
        lab.device.run("ip", "address", "del", "10.77.0.99/24", "dev", "eth0")
