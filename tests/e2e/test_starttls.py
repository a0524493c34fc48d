# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS that begins in mid-connection, when the protocol before it has asked for it."""

import contextlib
import ftplib
import re
import socket
import ssl
import textwrap
import time

import pytest

import peers
import pki
from lab import ORIGIN4, ORIGIN6, PATIENCE, bracketed, wait_for

PORTS = {"smtp": 25, "imap": 143, "pop3": 110, "ftp": 21, "xmpp": 5222}
TAKEN = {"network": {"port": " ".join(map(str, PORTS.values()))}}
PROTOCOLS = pytest.mark.parametrize("protocol", list(PORTS))

# ---- origins ----

SMTP_SERVER = """
    import asyncio, ssl, sys
    from aiosmtpd.handlers import Debugging
    from aiosmtpd.smtp import SMTP
    certificate, key, messages, port = sys.argv[1:]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    handler = Debugging(open(messages, "w", buffering=1))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(loop.create_server(lambda: SMTP(
        handler, hostname="mail.origin.test", tls_context=context, require_starttls=True, loop=loop),
        None, int(port)))
    loop.run_forever()
"""

FTP_SERVER = """
    import sys
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import TLS_FTPHandler
    from pyftpdlib.servers import FTPServer
    certificate, key, home, port = sys.argv[1:]
    TLS_FTPHandler.certfile, TLS_FTPHandler.keyfile = certificate, key
    TLS_FTPHandler.tls_control_required = True
    TLS_FTPHandler.authorizer = DummyAuthorizer()
    TLS_FTPHandler.authorizer.add_user("user", "secret", home)
    FTPServer(("0.0.0.0", int(port)), TLS_FTPHandler).serve_forever()
"""

DOVECOT = """
    base_dir = {directory}/run
    state_dir = {directory}/state
    log_path = {directory}/dovecot.log
    protocols = imap pop3
    ssl = required
    ssl_cert = <{certificate}
    ssl_key = <{key}
    mail_location = maildir:{directory}/mail
    first_valid_uid = 1
    passdb {{
        driver = static
        args = password=secret
    }}
    userdb {{
        driver = static
        args = uid=nobody gid=nogroup home={directory}/mail
    }}
    service imap-login {{
        chroot =
        inet_listener imaps {{
            port = 0
        }}
    }}
    service pop3-login {{
        chroot =
        inet_listener pop3s {{
            port = 0
        }}
    }}
    service anvil {{
        chroot =
    }}
"""


def is_open(lab, port):
    try:
        lab.origin.connect(ORIGIN4[0], port).close()
    except OSError:
        return False
    return True


def start_python(lab, tmp_path, program, *arguments):
    with open(tmp_path / "origin.log", "ab") as log:
        return lab.origin.spawn("/usr/bin/python3", "-c", textwrap.dedent(program),
                                lab.origin_directory / "origin.pem", lab.origin_directory / "origin.key",
                                *arguments, stdout=log, stderr=log)


def start_dovecot(lab, tmp_path):
    directory = lab.origin_directory / tmp_path.name
    (directory / "mail").mkdir(parents=True)
    (directory / "mail").chmod(0o777)
    conf = directory / "dovecot.conf"
    conf.write_text(DOVECOT.format(directory=directory, certificate=lab.origin_directory / "origin.pem",
                                   key=lab.origin_directory / "origin.key"))
    return lab.origin.spawn("dovecot", "-F", "-c", conf)


STREAM = (b"<?xml version='1.0'?><stream:stream id='1' from='origin.test' version='1.0' xml:lang='en' "
          b"xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>")
FEATURES = (b"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
            b"</stream:features>")
PROCEED = b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"


def xmpp_server(lab):
    """As far as it matters here: RFC 6120, section 9.1."""
    context = peers.server_context(lab)

    def handle(connection):
        read_until(connection, b"<stream:stream ")
        connection.sendall(STREAM + FEATURES)
        read_until(connection, b"<starttls ")
        connection.sendall(PROCEED)
        with context.wrap_socket(connection, server_side=True) as secure:
            if read_until(secure, b"<stream:stream "):
                secure.sendall(STREAM + b"<stream:features/>")
            read_until(secure, b"</stream:stream>")

    return lab.origin.serve(handle, PORTS["xmpp"])


def read_until(connection, end):
    data = b""
    while end not in data:
        part = connection.recv(4096)
        if not part:
            return b""
        data += part
    return data


@pytest.fixture
def origin(lab, tmp_path):
    """Starts the server of a protocol; returns what it keeps of what it was given."""
    processes, serving = [], []
    kept = lab.origin_directory / (tmp_path.name + "-kept")

    def start(protocol):
        port = PORTS[protocol]
        if protocol == "smtp":
            processes.append(start_python(lab, tmp_path, SMTP_SERVER, kept, port))
        elif protocol == "ftp":
            kept.mkdir()
            (kept / "file").write_text("a file of the origin's\n")
            processes.append(start_python(lab, tmp_path, FTP_SERVER, kept, port))
        elif protocol == "xmpp":
            serving.append(xmpp_server(lab))
            serving[-1].__enter__()
        else:
            processes.append(start_dovecot(lab, tmp_path))
        wait_for(lambda: is_open(lab, port), "the origin's server", 30)
        return kept

    yield start
    for process in processes:
        process.terminate()
        process.wait(timeout=20 * PATIENCE)
    for server in serving:
        server.__exit__(None, None, None)


# ---- real peers ----

def flow_of(started, protocol):
    (flow,) = started.wait_records("flow")
    assert flow["app_proto"] == protocol
    return flow["intercept"]


def assert_intercepted(started, protocol):
    intercept = flow_of(started, protocol)
    assert intercept["action"] == "intercept" and intercept["starttls"] is True
    assert intercept["upstream"]["version"] == "TLS 1.3" and intercept["client"]["version"] == "TLS 1.3"
    (tls,) = started.records("tls")
    assert tls["app_proto"] == protocol and tls["tls"]["subject"] == "CN=origin.test"


@PROTOCOLS
def test_W3_openssl_speaks_starttls(lab, engine, origin, protocol):
    origin(protocol)
    started = engine(TAKEN)
    shown = lab.device.run("openssl", "s_client", "-starttls", protocol, "-connect",
                           "%s:%d" % (ORIGIN4[0], PORTS[protocol]), "-servername", "origin.test",
                           "-verify_return_error", "-CAfile", started.ca, input="").stdout
    assert "issuer=O = interceptd" in shown and "Verify return code: 0 (ok)" in shown
    assert_intercepted(started, protocol)


@PROTOCOLS
def test_W3_gnutls_speaks_starttls(lab, engine, origin, protocol):
    origin(protocol)
    started = engine(TAKEN)
    shown = lab.device.run("gnutls-cli", "--starttls-proto", protocol, "--x509cafile", started.ca,
                           "--sni-hostname", "origin.test", "--verify-hostname", "origin.test", "-p",
                           str(PORTS[protocol]), ORIGIN4[0], input="").stdout
    assert "O=interceptd" in shown and "Status: The certificate is trusted" in shown
    assert_intercepted(started, protocol)


def mail_url(scheme, path=""):
    return "%s://origin.test:%d/%s" % (scheme, PORTS[scheme], path)


def curl(lab, scheme, ca, *options, path="", **more):
    return lab.device.run("curl", "-sS", "--ssl-reqd", "--cacert", ca, "--resolve",
                          "origin.test:%d:%s" % (PORTS[scheme], ORIGIN4[0]), *options,
                          mail_url(scheme, path), **more)


MESSAGE = "From: device@origin.test\r\nSubject: fidelity\r\n\r\nthe body\r\n"


def test_W3_a_mail_is_sent(lab, engine, origin):
    kept = origin("smtp")
    started = engine(TAKEN)
    curl(lab, "smtp", started.ca, "--mail-from", "device@origin.test", "--mail-rcpt", "you@origin.test",
         "-T", "-", input=MESSAGE)
    wait_for(lambda: "the body" in kept.read_text(), "the mail")
    assert_intercepted(started, "smtp")


@pytest.mark.parametrize("scheme,answer", [("imap", r'\* LIST \(.*\) ".*" INBOX'), ("pop3", r"")])
def test_W3_a_mailbox_is_read(lab, engine, origin, scheme, answer):
    origin(scheme)
    started = engine(TAKEN)
    listed = curl(lab, scheme, started.ca, "-u", "user:secret").stdout
    assert re.match(answer, listed), listed
    assert_intercepted(started, scheme)


def test_W3_ftp_logs_in_over_tls(lab, engine, origin):
    """And reads a file: the data connection's port is not taken, so it goes past us."""
    origin("ftp")
    started = engine(TAKEN)
    lines = []
    with lab.device.inside():
        client = ftplib.FTP_TLS(context=peers.client_context(), timeout=20 * PATIENCE)
        client.connect(ORIGIN4[0], PORTS["ftp"])
        client.login("user", "secret")  # after AUTH TLS
        assert peers.issuer_of(client.sock) == "interceptd"
        client.retrlines("RETR file", lines.append)
        client.quit()
    assert lines == ["a file of the origin's"]
    assert_intercepted(started, "ftp")


# ---- what was sent in plaintext is no part of what is sent in TLS ----

class Naive:
    """A mail server with the old fault: what it had read with STARTTLS it obeys after the handshake."""

    def __init__(self, lab, behind=b""):
        self.context = peers.server_context(lab)
        self.behind = behind
        self.commands = []

    def answer(self, command):
        self.commands.append(command)
        return b"250 ok\r\n" if command != b"QUIT" else b"221 bye\r\n"

    def __call__(self, connection):
        connection.sendall(b"220 mail.origin.test ESMTP\r\n")
        data = b""
        while True:
            while b"\r\n" not in data:
                part = connection.recv(4096)
                if not part:
                    return
                data += part
            command, data = data.split(b"\r\n", 1)
            if command == b"STARTTLS":
                break
            connection.sendall(b"250 STARTTLS\r\n")
        connection.sendall(b"220 go on\r\n" + self.behind)
        with contextlib.suppress(ssl.SSLError), \
                self.context.wrap_socket(connection, server_side=True) as secure:
            while True:
                while b"\r\n" not in data:
                    part = secure.recv(4096)
                    if not part:
                        return
                    data += part
                command, data = data.split(b"\r\n", 1)
                secure.sendall(self.answer(command))


def greeted(lab, address=ORIGIN4[0]):
    connection = lab.device.connect(address, PORTS["smtp"])
    assert read_until(connection, b"\r\n").startswith(b"220 ")
    return connection


def send_injected(lab):
    """A device whose STARTTLS somebody has lengthened by a command; the answers that it gets in TLS."""
    with greeted(lab) as connection:
        connection.sendall(b"STARTTLS\r\nRSET\r\n")
        assert read_until(connection, b"\r\n") == b"220 go on\r\n"
        with peers.client_context().wrap_socket(connection, server_hostname="origin.test") as secure:
            secure.sendall(b"QUIT\r\n")
            return read_until(secure, b"221 bye\r\n")


def test_W3_an_injected_command_is_not_obeyed(lab, engine):
    direct, watched = Naive(lab), Naive(lab)
    with lab.origin.serve(direct, PORTS["smtp"]):
        answers = send_injected(lab)
    assert direct.commands == [b"RSET", b"QUIT"] and answers == b"250 ok\r\n221 bye\r\n"
    started = engine(TAKEN)
    with lab.origin.serve(watched, PORTS["smtp"]):
        answers = send_injected(lab)
    assert watched.commands == [b"QUIT"] and answers == b"221 bye\r\n"
    assert flow_of(started, "smtp")["starttls"] is True


def test_W3_an_injected_answer_is_not_seen(lab, engine):
    """Behind the origin's answer; a naive device would take it for one to its first command in TLS."""
    origin = Naive(lab, behind=b"250 injected\r\n")
    with lab.origin.serve(origin, PORTS["smtp"]):
        with greeted(lab) as connection:
            connection.sendall(b"STARTTLS\r\n")
            time.sleep(0.3)
            assert connection.recv(4096) == b"220 go on\r\n250 injected\r\n"
    started = engine(TAKEN)
    with lab.origin.serve(origin, PORTS["smtp"]):
        with greeted(lab) as connection:
            connection.sendall(b"STARTTLS\r\n")
            time.sleep(0.3)
            assert connection.recv(4096) == b"220 go on\r\n"
            with peers.client_context().wrap_socket(connection) as secure:
                secure.sendall(b"QUIT\r\n")
                assert read_until(secure, b"\r\n") == b"221 bye\r\n"
    assert origin.commands == [b"QUIT"]
    assert flow_of(started, "smtp")["ending"] == "closed"


def test_W3_a_dialogue_in_single_bytes(lab, engine):
    origin = Naive(lab)
    started = engine(TAKEN)
    with lab.origin.serve(origin, PORTS["smtp"], ORIGIN6[0]):
        with greeted(lab, ORIGIN6[0]) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for command, answer in ((b"EHLO device\r\n", b"250 STARTTLS\r\n"),
                                    (b"STARTTLS\r\n", b"220 go on\r\n")):
                for i in range(len(command)):
                    connection.send(command[i:i + 1])
                    time.sleep(0.01)
                assert read_until(connection, b"\r\n") == answer
            with peers.client_context().wrap_socket(connection) as secure:
                assert peers.issuer_of(secure) == "interceptd"
                secure.sendall(b"QUIT\r\n")
                assert read_until(secure, b"\r\n") == b"221 bye\r\n"
    assert flow_of(started, "smtp")["starttls"] is True


# ---- what is not intercepted ----

def test_W3_a_name_that_is_ignored_passes_after_starttls(lab, engine, origin):
    origin("smtp")
    started = engine({**TAKEN, "ignore": {"pattern": r"^origin\.test:25$", "match": "address sni"}})
    shown = lab.device.run("openssl", "s_client", "-starttls", "smtp", "-connect",
                           bracketed(ORIGIN4[0]) + ":25", "-servername", "origin.test",
                           input="").stdout
    assert "issuer=O = interceptd lab, CN = Origins' CA" in shown
    intercept = flow_of(started, "smtp")
    assert intercept["action"] == "passthrough" and intercept["reason"] == "rule"
    assert intercept["starttls"] is True


DIALOGUES = {
    "refused": [(b"STARTTLS\r\n", b"454 not now\r\n"), (b"MAIL FROM:<a@b>\r\n", b"250 ok\r\n"),
                (b"\0\xff binary", b"\1\2\3")],
    "plaintext": [(b"EHLO device\r\n", b"250-mail\r\n250 AUTH PLAIN\r\n"),
                  (b"AUTH PLAIN AGEAYg==\r\n", b"235 ok\r\n"), (b"\0\xff binary", b"\1\2\3")],
    "unknown": [(b"what now?\r\n", b"500 what?\r\n"), (b"\0\xff binary", b"\1\2\3")],
    "binary": [(b"\0\xff binary", b"\1\2\3"), (b"EHLO\r\n", b"\0")],
    "no-tls-after-all": [(b"STARTTLS\r\n", b"220 go on\r\n"), (b"EHLO again\r\n", b"250 ok\r\n"),
                         (b"STARTTLS\r\n", b"220 go on\r\n"), (b"\0\xff", b"\1\2\3")],
    "out-of-turn": [(b"EHLO device\r\n", b"250 ok\r\n250 ok again\r\n"), (b"\0\xff", b"\1\2\3")],
}


@pytest.mark.parametrize("dialogue", list(DIALOGUES))
def test_W3_another_dialogue_is_untouched(lab, engine, dialogue):
    started = engine(TAKEN)
    seen = []

    def answer(connection):
        connection.sendall(b"220 mail.origin.test ESMTP\r\n")
        for asked, answered in DIALOGUES[dialogue]:
            seen.append(read_exactly(connection, len(asked)))
            connection.sendall(answered)
        seen.append(peers.read_all(connection))

    with lab.origin.serve(answer, PORTS["smtp"]):
        with greeted(lab) as connection:
            for asked, answered in DIALOGUES[dialogue]:
                connection.sendall(asked)
                assert read_exactly(connection, len(answered)) == answered
            connection.sendall(b"bye")
            connection.shutdown(socket.SHUT_WR)
            assert peers.read_all(connection) == b""
    assert seen == [asked for asked, _ in DIALOGUES[dialogue]] + [b"bye"]
    intercept = flow_of(started, "smtp")
    assert intercept["action"] == "passthrough" and intercept["reason"] == "not_tls"
    assert intercept.get("starttls", False) == (dialogue == "no-tls-after-all")


def read_exactly(connection, length):
    data = b""
    while len(data) < length:
        part = connection.recv(length - len(data))
        assert part, data
        data += part
    return data


def test_W3_commands_that_come_at_once_are_answered_one_by_one(lab, engine):
    """They wait for their turn; none is lost, and each answer belongs to its own."""
    origin = Naive(lab)
    started = engine(TAKEN)
    with lab.origin.serve(origin, PORTS["smtp"]):
        with greeted(lab) as connection:
            connection.sendall(b"EHLO a\r\nNOOP\r\nSTARTTLS\r\n")
            expected = b"250 STARTTLS\r\n250 STARTTLS\r\n220 go on\r\n"
            assert read_exactly(connection, len(expected)) == expected
            with peers.client_context().wrap_socket(connection) as secure:
                secure.sendall(b"QUIT\r\n")
                assert read_until(secure, b"\r\n") == b"221 bye\r\n"
    assert flow_of(started, "smtp")["starttls"] is True


def test_W3_what_waits_in_vain_is_let_go(lab, engine):
    """An origin that says nothing until it has read more than one command."""
    started = engine(TAKEN)

    def answer(connection):
        connection.sendall(b"220 mail.origin.test ESMTP\r\n")
        connection.settimeout(40 * PATIENCE)
        assert read_exactly(connection, 12) == b"NOOP\r\nNOOP\r\n"
        connection.sendall(b"250 ok\r\n250 ok\r\n")
        peers.read_all(connection)

    with lab.origin.serve(answer, PORTS["smtp"]):
        with greeted(lab) as connection:
            connection.settimeout(40 * PATIENCE)
            connection.sendall(b"NOOP\r\nNOOP\r\n")
            assert read_exactly(connection, 16) == b"250 ok\r\n250 ok\r\n"
    assert flow_of(started, "smtp")["action"] == "passthrough"


# What an origin may say to STARTTLS that we take for no yes, and a lenient client for one.
ODD_ANSWERS = {"too-long": b"220 " + b"a" * 4200 + b"\r\n", "no-code": b"go on\r\n",
               "another-code": b"250 go on\r\n", "no-end": b"220-go on\r\n"}


@pytest.mark.parametrize("mode", ["mirror", "verify", "ignore"])
@pytest.mark.parametrize("answer", list(ODD_ANSWERS))
def test_W3_a_device_that_has_asked_for_tls_is_never_left_to_an_unverified_origin(lab, engine, tmp_path,
                                                                                 mode, answer):
    context = peers.server_context(lab, pki.make().write(tmp_path, "self-signed"))
    got = []

    def handle(connection):
        connection.sendall(b"220 mail.origin.test ESMTP\r\n")
        read_until(connection, b"STARTTLS\r\n")
        connection.sendall(ODD_ANSWERS[answer])
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
            got.append(secure.recv(100))

    started = engine({**TAKEN, "tls": {"upstream": mode}})
    with lab.origin.serve(handle, PORTS["smtp"]):
        with greeted(lab) as connection, contextlib.suppress(OSError):
            connection.sendall(b"STARTTLS\r\n")
            connection.settimeout(1)
            with contextlib.suppress(TimeoutError):
                connection.recv(8192)
            connection.settimeout(20 * PATIENCE)
            with peers.client_context().wrap_socket(connection, server_hostname="origin.test") as secure:
                secure.sendall(b"secret\r\n")
        intercept = flow_of(started, "smtp")
    assert not got
    assert intercept["ending"] == "starttls_failed"
    started.wait_log("TLS in mid-connection, and it did not begin; look what the origin answers")


def test_W3_a_refusal_of_tls_is_seen(lab, engine):
    """XMPP's, behind which the stream ends: it must not be taken for an attack."""
    failure = b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>"

    def handle(connection):
        read_until(connection, b"<stream:stream ")
        connection.sendall(STREAM + FEATURES)
        read_until(connection, b"<starttls ")
        connection.sendall(failure)

    started = engine(TAKEN)
    with lab.origin.serve(handle, PORTS["xmpp"]):
        with lab.device.connect(ORIGIN4[0], PORTS["xmpp"]) as connection:
            connection.sendall(b"<?xml version='1.0'?><stream:stream version='1.0'>")
            read_until(connection, FEATURES)
            connection.sendall(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            assert peers.read_all(connection) == failure
    assert flow_of(started, "xmpp")["action"] == "passthrough"


def test_W3_an_origin_that_leaves_is_seen_to_leave(lab, engine):
    started = engine(TAKEN)

    def answer(connection):
        connection.sendall(b"220 mail.origin.test ESMTP\r\n")
        read_until(connection, b"\r\n")
        connection.sendall(b"220 go on\r\n")

    with lab.origin.serve(answer, PORTS["smtp"]):
        with greeted(lab) as connection:
            connection.sendall(b"STARTTLS\r\n")
            assert peers.read_all(connection) == b"220 go on\r\n"
    intercept = flow_of(started, "smtp")
    assert intercept["starttls"] is True and intercept["ending"] == "starttls_failed"


def test_W3_what_is_spliced_is_never_in_our_memory(lab, engine):
    """SSH and the like: a server that speaks first, and no dialogue that leads to TLS."""
    started = engine({**TAKEN, "tcp": {"pattern": "."}})
    pid, calls = started.pid(), started.directory / "calls"
    with lab.origin.serve(lambda connection: connection.sendall(b"SSH-2.0-x\r\n" + b"x" * 500_000),
                          PORTS["smtp"]):
        tracer = lab.router.spawn("strace", "-f", "-q", "-e", "trace=recvfrom,read,splice", "-o", calls,
                                  "-p", pid)
        wait_for(lambda: "TracerPid:\t0" not in open("/proc/%d/status" % pid).read(), "strace")
        with lab.device.connect(ORIGIN4[0], PORTS["smtp"]) as connection:
            assert len(peers.read_all(connection)) == 500_011
        tracer.terminate()
        tracer.wait(timeout=20 * PATIENCE)
    lines = calls.read_text().splitlines()
    assert any("splice(" in line for line in lines)
    assert not any("xxxx" in line for line in lines if "recvfrom(" in line and "MSG_PEEK" not in line)
