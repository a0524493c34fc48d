# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that ask for the device's certificate, and certificates of the operator's own."""

import contextlib
import re
import ssl
import subprocess

import pytest

import peers
import pki
from lab import DEVICE4, ORIGIN4
from peers import s_server
from test_offer import hello_of, curl

VERSIONS = pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
URL = "https://origin.test:4433/"
POST_HANDSHAKE_AUTH = 49


def config_with(choice=None, **more):
    """One worker, so that what one connection has found out holds for the next."""
    tls = {} if choice is None else {"client-certificate": choice}
    return {"network": {"port": 4433, "workers": 1}, "tls": tls, **more}


@pytest.fixture
def identity(lab, tmp_path):
    """A client's certificate, and all of it in one file as the configuration takes it."""
    ca = pki.load(lab.origin_directory / "ca.pem", lab.origin_directory / "ca.key")
    certificate, key = pki.make("the client", names=["client.test"], issuer=ca).write(tmp_path, "client")
    whole = tmp_path / "client-all.pem"
    whole.write_text(certificate.read_text() + lab.origin_ca.read_text() + key.read_text())
    return certificate, key, whole


@contextlib.contextmanager
def an_origin(lab, *options):
    server = s_server(lab, 4433, "-www", *options)
    try:
        yield
    finally:
        server.kill()
        server.wait()


def strict_origin(lab, version):
    return an_origin(lab, "-Verify", "1", "-verify_return_error", "-CAfile", lab.origin_ca, version)


@VERSIONS
def test_M1_the_devices_own_certificate_reaches_the_origin(lab, engine, identity, version):
    """At the first try, and then at once; the device sees the origin's own certificate."""
    certificate, key, _ = identity
    started = engine(config_with())
    with strict_origin(lab, version):
        for _ in range(2):
            result = lab.curl(URL, "--cert", certificate, "--key", key)
            assert "the client" in result.stdout
    flows = [flow["intercept"] for flow in started.wait_records("flow", 2)]
    assert [flow["action"] for flow in flows] == ["passthrough", "passthrough"]
    assert [flow["reason"] for flow in flows] == ["mtls", "mtls"]
    told = re.findall("asks %s for a certificate: its connections there pass" % DEVICE4, started.log())
    assert len(told) == 1
    # The first was begun as an interception; the second never was.
    assert len([event for event in started.records("intercept")
                if event["intercept"]["action"] == "intercept"]) == 1


@VERSIONS
def test_M1_U2_an_origin_that_asks_is_verified_before(lab, engine, tmp_path, version):
    """Or whoever is no good would only have to ask."""
    certificate, key = pki.make().write(tmp_path, "self-signed")
    started = engine(config_with(tls={"upstream": "verify"}))
    with an_origin(lab, "-cert", certificate, "-key", key, "-verify", "1", version):
        for _ in range(2):
            assert lab.curl(URL, "-k", check=False).returncode == 35
    flows = [flow["intercept"] for flow in started.wait_records("flow", 2)]
    assert [flow["ending"] for flow in flows] == ["origin_unverified"] * 2
    assert [flow["action"] for flow in flows] == ["intercept"] * 2


def asking_origin(lab, version, files):
    """An origin that keeps who has shown a certificate."""
    context = peers.server_context(lab, files)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(lab.origin_ca)
    context.minimum_version = context.maximum_version = {"-tls1_2": ssl.TLSVersion.TLSv1_2,
                                                         "-tls1_3": ssl.TLSVersion.TLSv1_3}[version]

    def handle(connection):
        with contextlib.suppress(ssl.SSLError, OSError), \
                context.wrap_socket(connection, server_side=True) as secure:
            handle.shown.append(secure.getpeercert())
            secure.recv(100)

    handle.shown = []
    return handle


@VERSIONS
@pytest.mark.parametrize("mode,good", [("verify", True), ("verify", False), ("mirror", False)])
def test_M1_a_configured_certificate_is_shown_to_verified_origins_alone(lab, engine, identity, tmp_path,
                                                                       version, mode, good):
    files = pki.make().write(tmp_path, "self-signed")
    if good:
        files = lab.origin_directory / "origin.pem", lab.origin_directory / "origin.key"
    origin = asking_origin(lab, version, files)
    started = engine(config_with(tls={"upstream": mode, "client-certificate": identity[2]}))
    with lab.origin.serve(origin, 4433):
        lab.curl(URL, "-k", check=False)
        started.wait_records("flow")
    assert any(origin.shown) == good


@VERSIONS
def test_M1_a_device_without_a_certificate_sees_what_it_would_without_us(lab, engine, version):
    with strict_origin(lab, version):
        direct = lab.curl(URL, check=False)
        engine(config_with())
        passed = lab.curl(URL, check=False)
    assert direct.returncode == passed.returncode != 0
    assert re.search("alert [a-z ]*", direct.stderr).group(0) in passed.stderr


@VERSIONS
def test_M1_another_name_is_intercepted_all_the_same(lab, engine, version):
    """What is remembered is remembered of one server name."""
    started = engine(config_with())
    with strict_origin(lab, version):
        lab.curl(URL, check=False)
    with an_origin(lab, version):
        assert "O = interceptd lab" in lab.issuer(ORIGIN4[0], 4433)
        shown = lab.device.run("openssl", "s_client", "-connect", ORIGIN4[0] + ":4433", "-servername",
                               "www.origin.test", input="").stdout
    assert "O = interceptd," in shown
    assert len(started.wait_records("flow", 3)) == 3


@VERSIONS
def test_M1_a_configured_certificate_reaches_the_origin(lab, engine, identity, version):
    started = engine(config_with(**{"destination it": {"pattern": "^origin[.]test:",
                                                       "client-certificate": identity[2]}}))
    with strict_origin(lab, version):
        result = lab.curl(URL, ca=started.ca)
    assert "the client" in result.stdout
    assert started.wait_records("flow")[0]["intercept"]["action"] == "intercept"


@VERSIONS
def test_M1_without_a_certificate_the_server_decides(lab, engine, version):
    """A strict server's alert becomes the device's; in TLS 1.3 it comes after the handshake."""
    alert = {"-tls1_2": 40, "-tls1_3": 116}[version]
    started = engine(config_with("without"))
    with strict_origin(lab, version):
        refused = lab.curl(URL, ca=started.ca, check=False)
    assert refused.returncode != 0 and "alert" in refused.stderr
    flow = started.wait_records("flow")[0]["intercept"]
    assert flow["ending"] == "origin_alert"
    assert flow["upstream"]["alert_in"] == flow["client"]["alert_out"] == alert
    with an_origin(lab, "-verify", "1", version):  # asks, and takes no for an answer
        assert lab.curl(URL, ca=started.ca).returncode == 0


def test_V5_post_handshake_authentication_is_offered_only_with_a_certificate(lab, engine, identity):
    started = engine(config_with())
    assert POST_HANDSHAKE_AUTH not in hello_of(lab, *curl()).extensions
    started.reload(config_with(identity[2]))
    assert POST_HANDSHAKE_AUTH in hello_of(lab, *curl()).extensions


@pytest.mark.parametrize("content,complaint", [
    (None, "No such file or directory"),
    ("nothing", "there is no certificate in it"),
    ("certificate", "there is no private key in it that can be read without a passphrase"),
    ("other key", "its private key does not belong to its first certificate"),
])
def test_M1_a_bad_file_is_told_with_its_line(lab, engine, identity, tmp_path, content, complaint):
    bad = tmp_path / "bad.pem"
    if content is not None:
        parts = {"nothing": "", "certificate": identity[0].read_text(),
                 "other key": identity[0].read_text() + (lab.origin_directory / "origin.key").read_text()}
        bad.write_text(parts[content])
    started = engine(config_with(bad), wait=False)
    line = started.config_path.read_text().split("\n").index("client-certificate = %s" % bad) + 1
    assert "%s:%d: [tls] client-certificate = %s: %s" % (started.config_path, line, bad, complaint) \
        in started.wait_refused()


def fingerprint(certificate):
    text = subprocess.run(["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", certificate],
                          capture_output=True, text=True, check=True).stdout
    return text.split("=")[1].strip().replace(":", "").lower()


@pytest.fixture
def pinned(lab, tmp_path):
    """The operator's own certificate for the origin, which an app may insist on, by a CA of its own."""
    own_ca = pki.make("Own CA", names=[], is_ca=True)
    certificate, key = pki.make(issuer=own_ca).write(tmp_path, "own")
    own_ca.write(tmp_path, "own-ca")
    whole = tmp_path / "own-all.pem"
    whole.write_text(certificate.read_text() + key.read_text())
    return tmp_path / "own-ca.pem", certificate, whole


def test_G4_a_destination_may_have_a_certificate_of_its_own(lab, engine, pinned):
    ca, certificate, whole = pinned
    started = engine({"destination it": {"pattern": "^origin[.]test:443$", "certificate": whole}})
    assert lab.curl("https://origin.test/hello", ca=ca).stdout == "hello from the origin\n"
    flow = started.wait_records("flow")[0]["intercept"]
    assert flow["forged"]["override"] is True
    assert flow["forged"]["sha256"] == fingerprint(certificate)
    assert "Own CA" not in lab.device.run("openssl", "s_client", "-connect", ORIGIN4[0] + ":443",
                                          "-servername", "www.origin.test", input="").stdout
    assert "override" not in started.wait_records("flow", 2)[1]["intercept"]["forged"]


@pytest.mark.parametrize("mode,status", [("mirror", 60), ("verify", 35), ("ignore", 0)])
def test_G4_it_hides_no_fault_of_the_origin(lab, engine, pinned, tmp_path, mode, status):
    ca, _, whole = pinned
    certificate, key = pki.make(issuer=pki.root()).write(tmp_path, "untrusted")
    started = engine({"network": {"port": 4433}, "tls": {"upstream": mode},
                      "destination it": {"pattern": "^origin[.]test:", "certificate": whole}})
    with an_origin(lab, "-cert", certificate, "-key", key):
        result = lab.curl(URL, ca=ca, check=False)
    assert result.returncode == status, result.stderr
    shown = started.wait_records("flow")[0]["intercept"].get("forged", {})
    assert shown.get("override", False) == (mode == "ignore")
