# SPDX-License-Identifier: GPL-3.0-or-later
"""What origins are offered: of what the device offers, as much as is fit to be used."""

import struct
import subprocess

import pytest

from lab import DEVICE4, ORIGIN4, wait_for
from peers import port_is_open, s_server

TLS12 = 0x0303
EMPTY_RENEGOTIATION_INFO = 0x00FF  # a signal, no cipher (RFC 5746)
OLD_CLIENT = ("--tlsv1.0", "--tls-max", "1.0", "--ciphers", "DEFAULT:@SECLEVEL=0")


class Hello:
    """A ClientHello, read by its bytes (RFC 8446, section 4.1.2)."""

    def __init__(self, record):
        body = record[9:]
        legacy_version, = struct.unpack(">H", body[:2])
        at = 34 + 1 + body[34]
        self.ciphers, at = self.words(body, at)
        at += 1 + body[at]
        self.extensions = {}
        at += 2
        while at < len(body):
            kind, length = struct.unpack(">HH", body[at:at + 4])
            self.extensions[kind] = body[at + 4:at + 4 + length]
            at += 4 + length
        listed = self.extensions.get(43)
        self.versions = {legacy_version}
        if listed:
            self.versions = set(struct.unpack(">%dH" % (listed[0] // 2), listed[1:]))
        self.groups = self.words(self.extensions[10], 0)[0]

    @staticmethod
    def words(data, at):
        length, = struct.unpack(">H", data[at:at + 2])
        at += 2
        return [word for word in struct.unpack(">%dH" % (length // 2), data[at:at + length])
                if word & 0x0F0F != 0x0A0A], at + length


def hello_of(lab, *client):
    """The ClientHello that an origin gets from the client, which it then leaves alone."""
    records = []

    def handle(connection):
        record = connection.recv(5)
        size, = struct.unpack(">H", record[3:])
        while len(record) < 5 + size:
            record += connection.recv(5 + size - len(record))
        records.append(record)

    with lab.origin.serve(handle, 4433):
        said = lab.device.run(*client, check=False, timeout=20)
    assert records, said
    return Hello(records[0])


def curl(*options):
    return ("curl", "-sk", "--max-time", "8", *options,
            "--resolve", "origin.test:4433:" + ORIGIN4[0], "https://origin.test:4433/")


CLIENTS = {
    "curl": curl(),
    "curl-1.2-only": curl("--tls-max", "1.2"),
    "curl-other-order": curl("--tls13-ciphers", "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256",
                             "--ciphers", "AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384"),
    "wget": ("wget", "-q", "-O", "-", "-t", "1", "-T", "8", "--no-check-certificate",
             "https://%s:4433/" % ORIGIN4[0]),
    "weak": ("openssl", "s_client", "-connect", ORIGIN4[0] + ":4433", "-cipher",
             "ALL:COMPLEMENTOFALL:@SECLEVEL=0", "-tls1_2"),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_V2_the_origin_is_offered_no_more_than_the_device_offers(lab, engine, client):
    direct = hello_of(lab, *CLIENTS[client])
    engine({"network": {"port": 4433}})
    upstream = hello_of(lab, *CLIENTS[client])
    assert upstream.versions <= direct.versions | {TLS12}
    assert max(upstream.versions) == max(direct.versions)
    offered = [cipher for cipher in upstream.ciphers if cipher != EMPTY_RENEGOTIATION_INFO]
    assert offered and offered == [cipher for cipher in direct.ciphers if cipher in offered]
    assert upstream.groups == [group for group in direct.groups if group in upstream.groups]


def test_V2_nothing_is_offered_that_is_not_worth_it(lab, engine):
    direct = hello_of(lab, *CLIENTS["weak"])
    engine({"network": {"port": 4433}})
    upstream = hello_of(lab, *CLIENTS["weak"])
    anonymous_and_null = {0x00A6, 0x0034, 0xC018, 0x0002, 0x003B, 0xC010}
    assert anonymous_and_null & set(direct.ciphers), "the client offers none of them"
    assert not anonymous_and_null & set(upstream.ciphers)


def test_V2_a_device_without_a_fit_cipher_is_told_so(lab, engine):
    started = engine({"network": {"port": 4433}})
    shown = lab.device.run("openssl", "s_client", "-connect", ORIGIN4[0] + ":4433", "-tls1_2", "-cipher",
                           "aNULL:eNULL:@SECLEVEL=0", input="", check=False)
    assert "alert handshake failure" in shown.stderr
    assert started.wait_records("flow")[0]["intercept"]["ending"] == "no_common_cipher"
    started.wait_log("the device offers no cipher that may be used")


def test_V3_an_old_device_reaches_a_strong_origin(lab, engine):
    started = engine({"device old": {"address": DEVICE4, "min-version": "1.0"}})
    result = lab.curl("https://origin.test/hello", *OLD_CLIENT, ca=started.ca)
    assert result.stdout == "hello from the origin\n"
    record = started.wait_records("flow")[0]["intercept"]
    assert record["client"]["version"] == "TLSv1"
    assert record["upstream"]["version"] in ("TLS 1.2", "TLS 1.3")


@pytest.mark.parametrize("mode,status", [("verify", 35), ("mirror", 60)])
def test_V3_certificates_are_checked_no_less_for_an_old_device(lab, engine, tmp_path, mode, status):
    weak = WeaklySigned(tmp_path)
    started = engine({"network": {"port": 4433},
                      "tls": {"upstream": mode, "min-version": "1.0", "trust": weak.ca}})
    server = s_server(lab, 4433, "-www", *weak.options)
    result = lab.curl("https://origin.test:4433/", *OLD_CLIENT, ca=started.ca, check=False)
    server.kill()
    assert result.returncode == status, result.stderr
    record = started.wait_records("flow")[0]["intercept"]["upstream"]
    assert record["verify"] == "CA signature digest algorithm too weak"


class WeaklySigned:
    """A server's certificate that a CA, which is trusted, has signed with MD5. ECDSA knows no MD5."""

    def __init__(self, directory):
        self.ca, self.leaf = directory / "weak-ca.pem", directory / "weak.pem"
        self.key, ca_key = directory / "weak.key", directory / "weak-ca.key"
        request, names = directory / "request.pem", directory / "names"
        names.write_text("subjectAltName = DNS:origin.test\n")
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", ca_key, "-out", self.ca,
                     "-subj", "/CN=a CA", "-days", "3")
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-out", request,
                     "-subj", "/CN=origin.test")
        self.openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-set_serial", "7",
                     "-md5", "-extfile", names, "-days", "2", "-out", self.leaf)
        self.options = ("-cert", self.leaf, "-key", self.key, "-cipher", "DEFAULT:@SECLEVEL=0")

    @staticmethod
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def test_V1_the_device_gets_no_higher_version_than_the_origin(lab, engine):
    started = engine({"network": {"port": 4433}})
    server = s_server(lab, 4433, "-www", "-tls1_2")
    lab.curl("https://origin.test:4433/", ca=started.ca)
    server.kill()
    record = started.wait_records("flow")[0]["intercept"]
    assert record["client"]["version"] == record["upstream"]["version"] == "TLS 1.2"


def ask_old_server(lab, started, options, *client):
    server = s_server(lab, 4433, "-www", *options)
    result = lab.curl("https://origin.test:4433/", *client, ca=started.ca, check=False)
    server.kill()
    server.wait()
    return result


def test_U8_an_old_version_is_spoken_where_policy_allows_it(lab, engine):
    """The device has offered it too, so it gets the same."""
    config = {"network": {"port": 4433}, "destination old": {"pattern": "^origin[.]test:",
                                                             "legacy-server": "yes"}}
    started = engine(config)
    server, client = ("-tls1", "-cipher", "DEFAULT:@SECLEVEL=0"), ("--tlsv1.0", *OLD_CLIENT[3:])
    assert ask_old_server(lab, started, server, *client).returncode == 0
    record = started.wait_records("flow")[0]["intercept"]
    assert record["client"]["version"] == record["upstream"]["version"] == "TLSv1"
    assert record["upstream"]["verify"] == "ok"
    # A device that takes nothing older than 1.2 gets nothing older.
    assert ask_old_server(lab, started, server, "--tlsv1.2").returncode == 35
    del config["destination old"]
    started.reload(config)
    assert ask_old_server(lab, started, server, *client).returncode == 35
    assert started.wait_records("flow", 3)[2]["intercept"]["ending"] == "origin_mismatch"


def test_U8_a_server_without_secure_renegotiation_needs_leave(lab, engine):
    files = lab.origin_directory
    config = {"network": {"port": 4433}}
    started = engine(config)
    server = lab.origin.spawn(
        "gnutls-serv", "-q", "-p", "4433", "--http", "--disable-client-cert",
        "--x509certfile", files / "origin.pem", "--x509keyfile", files / "origin.key", "--priority",
        "NORMAL:-VERS-ALL:+VERS-TLS1.2:%DISABLE_SAFE_RENEGOTIATION",
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: port_is_open(lab, 4433), "gnutls-serv")
    assert lab.curl("https://origin.test:4433/", ca=started.ca, check=False).returncode == 35
    started.wait_log("unsafe legacy renegotiation disabled")
    config["tls"] = {"legacy-server": "yes"}
    started.reload(config)
    assert lab.curl("https://origin.test:4433/", ca=started.ca, check=False).returncode == 0
    server.kill()


def test_U8_certificates_are_checked_no_less_on_an_old_server(lab, engine, tmp_path):
    weak = WeaklySigned(tmp_path)
    started = engine({"network": {"port": 4433},
                      "tls": {"upstream": "verify", "legacy-server": "yes", "trust": weak.ca}})
    refused = ask_old_server(lab, started, weak.options)
    assert refused.returncode == 35
    assert started.wait_records("flow")[0]["intercept"]["ending"] == "origin_unverified"
