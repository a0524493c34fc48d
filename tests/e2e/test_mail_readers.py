# SPDX-License-Identifier: GPL-3.0-or-later
"""SMTP, IMAP, POP3 and FTP are read command by command: what servers have logged is what is told."""

import contextlib
import ftplib
import imaplib
import os
import poplib
import re
import smtplib
import socket

import pytest

import peers
from lab import ORIGIN4, PATIENCE, wait_for
from test_protocols import PORT, connect_tls, read_until, serve_tls
from test_starttls import DOVECOT, start_python

# By which TLS begins: at once, or when the device asks for it.
PORTS = {"smtp": (465, 25), "imap": (993, 143), "pop3": (995, 110), "ftp": (990, 21)}
TAKEN = {"network": {"port": " ".join(str(port) for pair in PORTS.values() for port in pair)}}
BEGINNINGS = pytest.mark.parametrize("upgraded", [False, True], ids=["at-once", "starttls"])
NAME, SECRET = "some-body", "s3cret-w0rd"
BODY = "a line of the mail, which is nobody's business\r\n..\r\n" + "x" * 70 + "\r\n"
MAIL = "From: device@origin.test\r\nSubject: private\r\n\r\n" + BODY * 1000

SMTP_SERVER = """
    import asyncio, logging, ssl, sys
    from aiosmtpd.smtp import SMTP, AuthResult
    certificate, key, log, at_once, upgraded = sys.argv[1:]
    logging.basicConfig(filename=log, level=logging.INFO)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    class Handler:
        async def handle_RCPT(self, server, session, envelope, address, options):
            if address.startswith("none@"):
                return "550 5.1.1 Nobody"
            envelope.rcpt_tos.append(address)
            return "250 2.1.5 Ok"
        async def handle_DATA(self, server, session, envelope):
            logging.info("mail of {} bytes".format(len(envelope.content)))
            return "250 2.0.0 Queued"
    def check(server, session, envelope, mechanism, data):
        good = (data.login, data.password) == (b"%s", b"%s")
        return AuthResult(success=good, handled=False)
    def serve(**options):
        return SMTP(Handler(), hostname="mail.origin.test", loop=loop, authenticator=check,
                    auth_required=True, **options)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(loop.create_server(
        lambda: serve(auth_require_tls=False), None, int(at_once), ssl=context))
    loop.run_until_complete(loop.create_server(
        lambda: serve(tls_context=context, require_starttls=True), None, int(upgraded)))
    loop.run_forever()
""" % (NAME, SECRET)

FTP_SERVER = """
    import logging, sys
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import TLS_FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer
    certificate, key, log, home, at_once, upgraded = sys.argv[1:]
    logging.basicConfig(filename=log, level=logging.DEBUG)
    TLS_FTPHandler.certfile, TLS_FTPHandler.keyfile = certificate, key
    TLS_FTPHandler.tls_control_required = True
    TLS_FTPHandler.authorizer = DummyAuthorizer()
    TLS_FTPHandler.authorizer.add_user("%s", "%s", home, perm="elradfmwMT")
    class AtOnce(TLS_FTPHandler):
        def handle(self):
            self.secure_connection(self.ssl_context)
            super().handle()
    FTPServer(("0.0.0.0", int(at_once)), AtOnce)
    FTPServer(("0.0.0.0", int(upgraded)), TLS_FTPHandler)
    IOLoop.instance().loop()
""" % (NAME, SECRET)


@contextlib.contextmanager
def running(lab, process, protocol):
    try:
        for port in PORTS[protocol]:
            wait_for(lambda port=port: peers.port_is_open(lab, port), "the server of " + protocol, 30)
        yield
    finally:
        process.terminate()
        process.wait(timeout=20 * PATIENCE)


@pytest.fixture
def smtp_log(lab, tmp_path):
    log = tmp_path / "smtp.log"
    with running(lab, start_python(lab, tmp_path, SMTP_SERVER, log, *PORTS["smtp"]), "smtp"):
        yield log


@pytest.fixture
def ftp_log(lab, tmp_path):
    log, home = tmp_path / "ftp.log", lab.origin_directory / (tmp_path.name + "-home")
    home.mkdir()
    (home / "a file").write_text("a file of the origin's\n")
    with running(lab, start_python(lab, tmp_path, FTP_SERVER, log, home, *PORTS["ftp"]), "ftp"):
        yield log


@pytest.fixture
def dovecot_logs(lab, tmp_path):
    """dovecot writes down all that a session says once it has logged in: a file for each."""
    directory = lab.origin_directory / tmp_path.name
    for name in ("mail", "raw"):
        (directory / name).mkdir(parents=True)
        (directory / name).chmod(0o777)
    text = DOVECOT.replace("port = 0", "ssl = yes").replace("password=secret", "password=" + SECRET)
    text += "    protocol imap {{\n        rawlog_dir = {directory}/raw\n    }}\n"
    text += "    protocol pop3 {{\n        rawlog_dir = {directory}/raw\n    }}\n"
    configuration = directory / "dovecot.conf"
    configuration.write_text(text.format(directory=directory, certificate=lab.origin_directory / "origin.pem",
                                         key=lab.origin_directory / "origin.key"))
    process = lab.origin.spawn("dovecot", "-F", "-c", configuration)
    with running(lab, process, "imap"):
        wait_for(lambda: peers.port_is_open(lab, PORTS["pop3"][0]), "the server of pop3", 30)
        yield directory / "raw"


def raw_lines(directory):
    """What the last session has said, without the time in front of each line."""
    newest = max(directory.glob("*.in"), key=lambda path: path.stat().st_mtime)
    return [re.sub(r"^\d+\.\d+ ", "", line) for line in newest.read_text().splitlines()]


def told(started, protocol):
    """The records of the connection, when it has ended; all are of that protocol, and none fails."""
    (flow,) = started.wait_records("flow")
    assert flow["intercept"]["protocol"] == protocol
    assert not started.records("anomaly") and not started.records("unknown")
    records = started.records(protocol)
    assert {record["app_proto"] for record in records} == {protocol}
    assert sorted(record["tx_id"] for record in records) == list(range(len(records)))
    assert all(record["intercept"][protocol]["complete"] for record in records)
    return records


def assert_secret(started):
    text = started.events_path.read_text() + started.log()
    for word in (NAME, SECRET, "nobody's business", "Subject"):
        assert word not in text, word


def keeping():
    return {**TAKEN, "events": {"credentials": "keep"}}


# ---- SMTP ----

def send(lab, upgraded):
    """A mail for two, of whom there is one."""
    with lab.device.inside():
        if upgraded:
            client = smtplib.SMTP(ORIGIN4[0], 25, "device.test", timeout=20 * PATIENCE)
            client.starttls(context=peers.client_context())
        else:
            client = smtplib.SMTP_SSL(ORIGIN4[0], 465, "device.test", timeout=20 * PATIENCE,
                                      context=peers.client_context())
        client.login(NAME, SECRET)
        client.sendmail("device@origin.test", ["you@origin.test", "none@origin.test"], MAIL)
        client.quit()


@BEGINNINGS
def test_T13_smtp_is_told_as_the_server_has_understood_it(lab, engine, smtp_log, upgraded):
    started = engine(TAKEN)
    send(lab, upgraded)
    records = told(started, "smtp")
    logged = re.findall(r">> b'(.*)'", smtp_log.read_text())
    if upgraded:
        logged = logged[logged.index("STARTTLS") + 1:]
    ours = [record["intercept"]["smtp"] for record in records if "command" in record["intercept"]["smtp"]]
    lines = [" ".join(filter(None, (one["command"], one.get("args")))) for one in ours]
    assert lines == ["AUTH PLAIN (redacted)" if line.startswith("AUTH") else line
                     for line in map(as_spelled, logged)]
    assert len(records) == len(ours) + (0 if upgraded else 1)
    by_line = dict(zip(lines, (record for record in records if "command" in record["intercept"]["smtp"])))
    (data,) = [record for line, record in by_line.items() if line == "DATA"]
    assert data["smtp"] == {"helo": "device.test", "mail_from": "<device@origin.test>",
                            "rcpt_to": ["<you@origin.test>"]}
    assert data["intercept"]["smtp"]["data_toserver"] == len(MAIL) + 1000  # its dots are doubled
    assert data["intercept"]["smtp"]["code"] == 250
    assert data["intercept"]["smtp"]["reply"][-1] == "2.0.0 Queued"
    refused = by_line["RCPT TO:<none@origin.test>"]
    assert refused["intercept"]["smtp"]["code"] == 550 and "wait_ms" in refused["intercept"]["smtp"]
    assert refused["smtp"]["rcpt_to"] == ["<you@origin.test>", "<none@origin.test>"]
    assert by_line["AUTH PLAIN (redacted)"]["intercept"]["smtp"]["code"] == 235
    assert "mail of %d bytes" % (len(MAIL)) in smtp_log.read_text()
    assert_secret(started)


def as_spelled(line):
    """Commands are told in upper case, their arguments as they are."""
    verb, space, rest = line.partition(" ")
    return verb.upper() + space + rest


def test_T14_credentials_of_smtp_are_told_where_they_are_to_be_kept(lab, engine, smtp_log):
    started = engine(keeping())
    send(lab, False)
    (login,) = [record["intercept"]["smtp"] for record in told(started, "smtp")
                if record["intercept"]["smtp"].get("command") == "AUTH"]
    assert login["args"].startswith("PLAIN ") and "redacted" not in login["args"]


# ---- FTP ----

class AtOnce(ftplib.FTP_TLS):
    """Python's own client changes to TLS, and knows nothing else."""

    def connect(self, host, port):
        self.sock = self.context.wrap_socket(socket.create_connection((host, port), self.timeout))
        self.af, self.host = self.sock.family, host
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()


def fetch(lab, upgraded):
    lines = []
    with lab.device.inside():
        make = ftplib.FTP_TLS if upgraded else AtOnce
        client = make(context=peers.client_context(), timeout=20 * PATIENCE)
        client.connect(ORIGIN4[0], PORTS["ftp"][upgraded])
        client.login(NAME, SECRET)
        client.sendcmd("FEAT")
        client.mkd("new")
        with pytest.raises(ftplib.error_perm):
            client.cwd("none")
        client.retrlines("RETR a file", lines.append)
        client.quit()
    assert lines == ["a file of the origin's"]


@BEGINNINGS
def test_T13_ftp_is_told_as_the_server_has_understood_it(lab, engine, ftp_log, upgraded):
    started = engine(TAKEN)
    fetch(lab, upgraded)
    records = told(started, "ftp")
    logged = re.findall(r"<- (.*)", ftp_log.read_text())
    if upgraded:
        logged = logged[logged.index("AUTH TLS") + 1:]
    ours = [record["ftp"] for record in records if "command" in record["ftp"]]
    assert [" ".join(filter(None, (one["command"], one.get("command_data")))) for one in ours] == [
        re.sub(r"^(USER|PASS) .*", r"\1 (redacted)", line) for line in logged]
    assert all(one["reply_received"] == "yes" for one in ours)
    codes = {one["command"]: one["completion_code"] for one in ours}
    assert codes["PASS"] == ["230"] and codes["RETR"] == ["125", "226"] or codes["RETR"] == ["150", "226"]
    (passive,) = [one for one in ours if one["command"] in ("PASV", "EPSV")]
    assert passive["mode"] == "passive" and passive["dynamic_port"] > 1023
    assert codes["CWD"] == ["550"] and codes["FEAT"] == ["211"]
    (feat,) = [one for one in ours if one["command"] == "FEAT"]
    assert " MLST type*;perm*;size*;modify*;unique*;unix.mode;unix.uid;unix.gid;" in feat["reply"]
    if not upgraded:
        assert records[0]["ftp"]["completion_code"] == ["220"] and "command" not in records[0]["ftp"]
    assert_secret(started)


def test_T14_credentials_of_ftp_are_told_where_they_are_to_be_kept(lab, engine, ftp_log):
    started = engine(keeping())
    fetch(lab, True)
    data = {record["ftp"]["command"]: record["ftp"].get("command_data") for record in told(started, "ftp")}
    assert data["USER"] == NAME and data["PASS"] == SECRET


# ---- POP3 and IMAP ----

def imap_client(upgraded):
    if not upgraded:
        return imaplib.IMAP4_SSL(ORIGIN4[0], 993, ssl_context=peers.client_context(), timeout=20 * PATIENCE)
    client = imaplib.IMAP4(ORIGIN4[0], 143, timeout=20 * PATIENCE)
    client.starttls(peers.client_context())
    return client


def use_imap(lab, upgraded):
    with lab.device.inside():
        client = imap_client(upgraded)
        client.login(NAME, SECRET)
        client.select("INBOX")
        client.append("INBOX", "", imaplib.Time2Internaldate(0), MAIL.encode())
        client.append("none", "", imaplib.Time2Internaldate(0), MAIL.encode())
        client.noop()
        assert client.fetch("1", "(BODY.PEEK[])")[1][0][1] == MAIL.encode()
        client.uid("SEARCH", "SUBJECT", '"no such mail"')
        client.close()
        client.logout()


@BEGINNINGS
def test_T13_imap_is_told_as_the_server_has_understood_it(lab, engine, dovecot_logs, upgraded):
    started = engine(TAKEN)
    use_imap(lab, upgraded)
    records = told(started, "imap")
    ours = [record["intercept"]["imap"] for record in records]
    assert "imap" not in records[0] and (upgraded or ours[0]["status"] == "OK")
    ours = [one for one in ours if "command" in one]
    lines = [" ".join(filter(None, (one["tag"], one["command"], one.get("args")))) for one in ours]
    commands = [one["command"] for one in ours]
    login = commands.index("LOGIN")
    assert lines[login].endswith(" LOGIN (redacted)") and ours[login]["status"] == "OK"
    tags = ours[login]["tag"][:4]
    logged = [line for line in raw_lines(dovecot_logs) if line.startswith(tags)]
    assert lines[login + 1:] == logged and len(logged) == 8
    good, bad = [one for one in ours if one["command"] == "APPEND"]
    assert good["status"] == "OK" and good["data_toserver"] == len(MAIL)
    assert bad["status"] == "NO" and bad["reply"][0].startswith("[TRYCREATE]")
    (fetched,) = [one for one in ours if one["command"] == "FETCH"]
    assert fetched["data_toclient"] == len(MAIL) and fetched["untagged"] == 1
    assert [one["status"] for one in ours if one is not bad] == ["OK"] * (len(ours) - 1)
    assert_secret(started)


def test_T14_credentials_of_imap_are_told_where_they_are_to_be_kept(lab, engine, dovecot_logs):
    started = engine(keeping())
    use_imap(lab, True)
    (login,) = [record["intercept"]["imap"] for record in told(started, "imap")
                if record["intercept"]["imap"].get("command") == "LOGIN"]
    assert login["args"] == '%s "%s"' % (NAME, SECRET)


def use_pop3(lab, upgraded):
    with lab.device.inside():
        if upgraded:
            client = poplib.POP3(ORIGIN4[0], 110, timeout=20 * PATIENCE)
            client.stls(peers.client_context())
        else:
            client = poplib.POP3_SSL(ORIGIN4[0], 995, context=peers.client_context(), timeout=20 * PATIENCE)
        client.user(NAME)
        client.pass_(SECRET)
        client.stat()
        client.list()
        assert b"\r\n".join(client.retr(1)[1]) + b"\r\n" == MAIL.encode()
        with pytest.raises(poplib.error_proto):
            client.retr(7)
        client.top(1, 0)
        client.dele(1)
        client.quit()


@pytest.fixture
def mailbox(lab, tmp_path, dovecot_logs):
    """With one mail in it."""
    folder = lab.origin_directory / tmp_path.name / "mail" / "new"
    for name in ("new", "cur", "tmp"):
        (folder.parent / name).mkdir(exist_ok=True)
        (folder.parent / name).chmod(0o777)
    (folder / "1.test").write_bytes(MAIL.encode())
    (folder / "1.test").chmod(0o666)
    return dovecot_logs


@BEGINNINGS
def test_T13_pop3_is_told_as_the_server_has_understood_it(lab, engine, mailbox, upgraded):
    started = engine(TAKEN)
    use_pop3(lab, upgraded)
    records = told(started, "pop3")
    ours = [record["pop3"] for record in records if "request" in record["pop3"]]
    lines = [" ".join([one["request"]["command"], *one["request"]["args"]]) for one in ours]
    login = lines.index("PASS (redacted)")
    assert lines[login - 1] == "USER (redacted)"
    assert lines[login + 1:] == raw_lines(mailbox)
    bad = lines.index("RETR 7")
    assert ours[bad]["response"]["status"] == "ERR" and not ours[bad]["response"]["success"]
    assert all(one["response"]["success"] for at, one in enumerate(ours) if at != bad)
    (fetched,) = [record for record in records
                  if record["pop3"].get("request") == {"command": "RETR", "args": ["1"]}]
    assert fetched["intercept"]["pop3"]["data_toclient"] == len(MAIL) + 1000  # its dots are doubled
    assert upgraded or records[0]["pop3"] == {"response": records[0]["pop3"]["response"]}
    assert_secret(started)


def test_T14_credentials_of_pop3_are_told_where_they_are_to_be_kept(lab, engine, mailbox):
    started = engine(keeping())
    use_pop3(lab, False)
    args = {record["pop3"]["request"]["command"]: record["pop3"]["request"]["args"]
            for record in told(started, "pop3") if "request" in record["pop3"]}
    assert args["USER"] == [NAME] and args["PASS"] == [SECRET]


# ---- on any port, and whatever it is ----

def test_T13_what_is_said_at_once_is_told_one_by_one_on_any_port(lab, engine):
    started = engine({"network": {"port": PORT}})
    said = b"EHLO a\r\nMAIL FROM:<b@c>\r\nRCPT TO:<d@e>\r\nDATA\r\n"

    def answer(connection):
        connection.sendall(b"220 mail.origin.test ESMTP\r\n")
        assert read_until(connection, b"DATA\r\n") == said
        connection.sendall(b"250-origin\r\n250 PIPELINING\r\n250 Ok\r\n250 Ok\r\n354 Go on\r\n")
        assert read_until(connection, b"QUIT\r\n") == b"DATA\r\n.\r\nQUIT\r\n"
        connection.sendall(b"250 Queued\r\n221 Bye\r\n")

    with serve_tls(lab, answer), connect_tls(lab) as connection:
        connection.sendall(said)
        assert b"354 Go on" in read_until(connection, b"354 Go on\r\n")
        connection.sendall(b"DATA\r\n.\r\nQUIT\r\n")
        assert peers.read_all(connection) == b"250 Queued\r\n221 Bye\r\n"
    ours = [record["intercept"]["smtp"] for record in told(started, "smtp")]
    assert [(one.get("command"), one["code"]) for one in ours] == [
        (None, 220), ("EHLO", 250), ("MAIL", 250), ("RCPT", 250), ("DATA", 250), ("QUIT", 221)]
    assert ours[4]["data_toserver"] == len(b"DATA\r\n")


def test_T15_a_dialogue_that_never_turns_to_tls_is_read_from_its_first_command_on(lab, engine):
    """The greeting and EHLO were followed, since they might have led to TLS."""
    heard = []

    def serve(connection):
        connection.sendall(b"220 mail ESMTP\r\n")
        for answer in (b"250-mail\r\n250 STARTTLS\r\n", b"250 2.1.0 Ok\r\n", b"550 5.1.1 Nobody\r\n",
                       b"221 2.0.0 Bye\r\n"):
            heard.append(read_until(connection, b"\r\n"))
            connection.sendall(answer)

    started = engine(TAKEN)
    with lab.origin.serve(serve, 25), lab.device.connect(ORIGIN4[0], 25) as device:
        read_until(device, b"\r\n")
        for line in (b"EHLO device\r\n", b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<c@d>\r\n", b"QUIT\r\n"):
            device.sendall(line)
            read_until(device, b" STARTTLS\r\n" if line.startswith(b"EHLO") else b"\r\n")
        assert peers.read_all(device) == b""
    records = told(started, "smtp")
    assert [record["intercept"]["smtp"]["command"] for record in records] == ["MAIL", "RCPT", "QUIT"]
    assert [record["intercept"]["smtp"]["code"] for record in records] == [250, 550, 221]
    assert len(heard) == 4


@pytest.mark.parametrize("protocol,greeting", [
    ("smtp", b"220 mail.origin.test ESMTP\r\n"), ("imap", b"* OK ready\r\n"), ("pop3", b"+OK ready\r\n"),
    ("ftp", b"220 FTP ready\r\n")])
def test_T13_what_is_not_understood_flows_on_with_a_note(lab, engine, protocol, greeting):
    started = engine({"network": {"port": PORT}})
    garbage = os.urandom(50000)

    def answer(connection):
        connection.sendall(greeting)
        assert read_until(connection, b"\r\n") == b"\0 \xff what is this?\r\n"
        connection.sendall(garbage)

    with serve_tls(lab, answer), connect_tls(lab) as connection:
        assert read_until(connection, b"\r\n") == greeting
        connection.sendall(b"\0 \xff what is this?\r\n")
        assert peers.read_all(connection) == garbage
    (note,) = started.wait_records("anomaly")
    assert note["anomaly"]["app_proto"] == protocol
    assert note["intercept"]["note"] == "a line that is no command"
    assert len(started.records(protocol)) == 1  # the greeting
