# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not ignored is intercepted, and neither side loses a byte by it."""

import hashlib
import re
import stat
import subprocess

import pytest

from lab import ORIGIN4, ORIGIN6, bracketed, wait_for
from peers import s_server

FAMILIES = pytest.mark.parametrize("origin", [ORIGIN4[0], ORIGIN6[0]], ids=["ipv4", "ipv6"])


@FAMILIES
@pytest.mark.parametrize("option,version", [("--http1.1", "1.1"), ("--http2", "2")])
def test_the_device_gets_the_right_body(lab, engine, origin, option, version):
    started = engine()
    marker = "agent-%s-%s" % (version, origin.replace(":", "-"))
    result = lab.curl("https://origin.test/hello", option, "-A", marker, "-w", "%{http_version}",
                      origin=origin, ca=started.ca)
    assert result.stdout == "hello from the origin\n" + version
    wait_for(lambda: marker in lab.access_log(), "the origin's own log")
    assert started.counters() == {"packets": 1, "accepted": 1}


@FAMILIES
def test_F1_F5_the_certificate_is_ours_and_carries_the_origins_names(lab, engine, origin):
    started = engine()
    shown = lab.device.run("openssl", "s_client", "-connect", bracketed(origin) + ":443",
                           "-servername", "origin.test", input="").stdout
    real = (lab.origin_directory / "origin.pem").read_text()

    def names(pem):
        text = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName"], input=pem,
                              capture_output=True, text=True, check=True).stdout
        return text.split("\n", 1)[1]

    forged = re.search(r"-----BEGIN.*END CERTIFICATE-----", shown, re.S).group(0)
    assert "O = interceptd" in lab.issuer(origin)
    assert forged not in real and names(forged) == names(real)
    (started.directory / "leaf.pem").write_text(forged)
    subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", started.ca,
                    started.directory / "leaf.pem"], check=True, capture_output=True)


@pytest.mark.parametrize("origin", [ORIGIN4[0], ORIGIN6[0]], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("direction", ["down", "up"])
def test_100_megabytes_are_identical(lab, engine, tmp_path, direction, origin):
    started = engine()
    blob = tmp_path / "blob"
    subprocess.run(["openssl", "rand", "-out", blob, str(100 << 20)], check=True)
    there = lab.origin_directory / "www/upload" / tmp_path.name
    if direction == "up":
        lab.curl("https://origin.test/upload/" + tmp_path.name, "-T", blob, ca=started.ca,
                 origin=origin, timeout=120)
        got = there
    else:
        there.symlink_to(blob)
        for directory in blob.parents:
            if str(directory) != "/":
                directory.chmod(directory.stat().st_mode | 0o055)
        got = tmp_path / "got"
        lab.curl("https://origin.test/upload/" + tmp_path.name, "-o", got, ca=started.ca,
                 origin=origin, timeout=120)
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (blob, got)]
    there.unlink()
    assert digests[0] == digests[1]


@pytest.mark.parametrize("offer,answer", [(["-alpn", "h2,http/1.1"], "ALPN protocol: h2"),
                                          (["-alpn", "http/1.1"], "ALPN protocol: http/1.1"),
                                          ([], "No ALPN negotiated")])
def test_A1_alpn_is_the_origins_choice(lab, engine, offer, answer):
    engine()
    shown = lab.device.run("openssl", "s_client", "-connect", ORIGIN4[0] + ":443", *offer,
                           input="").stdout
    assert answer in shown


@pytest.mark.parametrize("options,kind", [
    ([], "id-ecPublicKey"),
    (["-sigalgs", "RSA-PSS+SHA256:RSA+SHA256:ECDSA+SHA384"], "rsaEncryption"),
])
def test_F2_the_kind_of_key_is_one_that_the_client_takes(lab, engine, options, kind):
    engine()
    shown = lab.device.run("openssl", "s_client", "-connect", ORIGIN4[0] + ":443", *options,
                           input="").stdout
    pem = re.search(r"-----BEGIN.*END CERTIFICATE-----", shown, re.S).group(0)
    text = subprocess.run(["openssl", "x509", "-noout", "-text"], input=pem, capture_output=True,
                          text=True, check=True).stdout
    assert "Public Key Algorithm: " + kind in text


@pytest.mark.parametrize("version", ["tls1", "tls1_1", "tls1_2", "tls1_3"])
def test_V3_every_tls_version_on_the_device_side(lab, engine, version):
    """The device's version is what the origin is offered, so the origin must speak it too."""
    engine({"network": {"port": 4433}, "tls": {"min-version": "1.0"}})
    server = s_server(lab, 4433, "-www", "-cipher", "ALL:@SECLEVEL=0")
    shown = lab.device.run("openssl", "s_client", "-connect", ORIGIN4[0] + ":4433", "-" + version,
                           "-cipher", "ALL:@SECLEVEL=0", input="").stdout
    server.kill()
    name = {"tls1": "TLSv1", "tls1_1": "TLSv1.1", "tls1_2": "TLSv1.2", "tls1_3": "TLSv1.3"}[version]
    assert "New, %s" % name in shown or "Protocol  : %s\n" % name in shown
    assert "O = interceptd" in shown


def test_V2_old_versions_are_refused_by_default(lab, engine):
    started = engine()
    shown = lab.device.run("openssl", "s_client", "-connect", ORIGIN4[0] + ":443", "-tls1_1", "-cipher",
                           "ALL:@SECLEVEL=0", input="", check=False)
    assert "alert protocol version" in shown.stderr
    assert started.wait_records("flow")[0]["intercept"]["ending"] == "device_mismatch"


def test_V1_the_device_never_gets_a_higher_version_than_the_origin_speaks(lab, engine):
    engine({"network": {"port": 4433}})
    server = s_server(lab, 4433, "-www", "-tls1_2")
    shown = lab.device.run("openssl", "s_client", "-connect", ORIGIN4[0] + ":4433", input="").stdout
    server.kill()
    assert "New, TLSv1.2" in shown


def test_CA1_the_ca_is_made_once_for_its_owner_alone(lab, engine):
    first = engine(fresh=True)
    key = first.directory / "state/ca.pem"
    content = key.read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert b"PRIVATE KEY" in content and b"PRIVATE KEY" not in first.ca.read_bytes()
    first.stop()
    second = engine({"tls": {"ca": key}})
    assert key.read_bytes() == content and "made a new CA" not in second.log()
    second.stop()
    third = engine(fresh=True)
    assert (third.directory / "state/ca.pem").read_bytes() != content
