# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate that was taken back, and chains that origins send in part."""

import contextlib
import datetime
import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

import peers
import pki

URL = "https://origin.test:4433/"
VERSIONS = pytest.mark.parametrize("version", ["1.2", "1.3"])


@pytest.fixture
def authority(lab):
    return pki.load(lab.origin_directory / "ca.pem", lab.origin_directory / "ca.key")


@contextlib.contextmanager
def s_server(lab, tmp_path, pair, *options):
    certificate, key = pair.write(tmp_path, "origin")
    server = peers.s_server(lab, 4433, "-www", "-cert", certificate, "-key", key, *options)
    try:
        yield
    finally:
        server.kill()
        server.wait()


def staple(directory, pair, issuer, revoked, responder=None):
    """A file for s_server -status_file. Only the issuer, or who it has delegated it to, may say so."""
    responder = responder or issuer
    now = datetime.datetime.utcnow()
    status = ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD
    response = (ocsp.OCSPResponseBuilder()
                .add_response(pair.certificate, issuer.certificate, hashes.SHA256(), status,
                              now - pki.DAY, now + pki.DAY, now - pki.DAY if revoked else None, None)
                .responder_id(ocsp.OCSPResponderEncoding.NAME, responder.certificate)
                .certificates([responder.certificate])
                .sign(responder.key, hashes.SHA256()))
    path = directory / "staple"
    path.write_bytes(response.public_bytes(serialization.Encoding.DER))
    return path


def crl(issuer, *revoked, ends=pki.DAY):
    now = datetime.datetime.utcnow()
    builder = (x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
               .last_update(now - 2 * pki.DAY).next_update(now + ends))
    for pair in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(pair.certificate.serial_number)
            .revocation_date(now - pki.DAY).build())
    return builder.sign(issuer.key, hashes.SHA256())


def upstream(started, count=1):
    record = started.wait_records("flow", count)[count - 1]["intercept"]
    return record["ending"], record["upstream"]["verify"]


@VERSIONS
@pytest.mark.parametrize("mode", ["mirror", "verify", "ignore"])
def test_U6_a_revoked_staple_is_honoured(lab, engine, tmp_path, authority, mode, version):
    started = engine({"network": {"port": 4433}, "tls": {"revocation": "staple", "upstream": mode}})
    pair = pki.make(issuer=authority)
    with s_server(lab, tmp_path, pair, "-status_file", staple(tmp_path, pair, authority, True)):
        for count in (1, 2):  # the second time, too: nothing is resumed without a staple
            result = lab.curl(URL, "--tls-max", version, ca=started.ca, check=False)
            if mode == "ignore":
                assert result.returncode == 0
                assert upstream(started, count) == ("closed", "certificate revoked")
            else:
                assert result.returncode == 35 and "alert access denied" in result.stderr
                assert upstream(started, count) == ("origin_revoked", "certificate revoked")


@VERSIONS
@pytest.mark.parametrize("case", ["good", "missing", "of a stranger", "of another certificate"])
def test_U6_any_other_staple_changes_nothing(lab, engine, tmp_path, authority, case, version):
    started = engine({"network": {"port": 4433}, "tls": {"revocation": "staple"}})
    pair, options = pki.make(issuer=authority), []
    if case == "good":
        options = ["-status_file", staple(tmp_path, pair, authority, False)]
    elif case == "of a stranger":
        stranger = pki.make("Nobody", names=[], is_ca=True)
        options = ["-status_file", staple(tmp_path, pair, authority, True, responder=stranger)]
    elif case == "of another certificate":
        options = ["-status_file", staple(tmp_path, pki.make(issuer=authority), authority, True)]
    with s_server(lab, tmp_path, pair, *options):
        lab.curl(URL, "--tls-max", version, ca=started.ca)
    assert upstream(started) == ("closed", "ok")


def test_U6_by_default_staples_are_not_asked_for(lab, engine, tmp_path, authority):
    started = engine({"network": {"port": 4433}})
    pair = pki.make(issuer=authority)
    with s_server(lab, tmp_path, pair, "-status_file", staple(tmp_path, pair, authority, True)):
        lab.curl(URL, ca=started.ca)
    assert upstream(started) == ("closed", "ok")


@pytest.mark.parametrize("encoding", [serialization.Encoding.PEM, serialization.Encoding.DER],
                         ids=["pem", "der"])
def test_U6_lists_on_the_disk_are_honoured(lab, engine, tmp_path, authority, encoding):
    lists = tmp_path / "crls"
    lists.mkdir()
    (lists / "README").write_text("no list")
    pair = pki.make(issuer=authority)
    config = {"network": {"port": 4433, "workers": 1},
              "tls": {"revocation": "crl", "crl-directory": lists}}
    started = engine(config)
    assert "README: no revocation list can be read from it" in started.log()

    def visit(count, *revoked, **options):
        (lists / "ca.crl").write_bytes(crl(authority, *revoked, **options).public_bytes(encoding))
        started.reload(config)
        lab.curl(URL, ca=started.ca, check=False)
        return upstream(started, count)

    with s_server(lab, tmp_path, pair):
        lab.curl(URL, ca=started.ca)
        assert upstream(started) == ("closed", "ok")  # there is no list at all
        assert visit(2, pki.make(issuer=authority)) == ("closed", "ok")
        assert visit(3, pair) == ("origin_revoked", "certificate revoked")
        lab.curl(URL, ca=started.ca, check=False)  # and when it is resumed
        assert upstream(started, 4) == ("origin_revoked", "certificate revoked")
        assert visit(5, pair, ends=-pki.DAY) == ("origin_revoked", "certificate revoked")
        assert visit(6, ends=-pki.DAY) == ("closed", "ok")


def test_U7_known_intermediates_complete_a_chain(lab, engine, tmp_path, authority):
    between = pki.make("Between", names=[], issuer=authority, is_ca=True)
    pair = pki.make(issuer=between)
    pair.above = []  # the origin forgets to send it
    known = tmp_path / "intermediates.pem"
    known.write_bytes(between.certificate.public_bytes(serialization.Encoding.PEM))
    started = engine({"network": {"port": 4433}})
    with s_server(lab, tmp_path, pair):
        assert lab.curl(URL, ca=started.ca, check=False).returncode == 60
        assert upstream(started)[1] == "unable to get local issuer certificate"
        started.reload({"network": {"port": 4433}, "tls": {"intermediates": known}})
        for count in (2, 3):
            lab.curl(URL, ca=started.ca)
            assert upstream(started, count) == ("closed", "ok")


def test_U7_an_intermediate_is_not_trusted_by_itself(lab, engine, tmp_path):
    nobody = pki.make("Nobody", names=[], is_ca=True)
    known = tmp_path / "intermediates.pem"
    known.write_bytes(nobody.certificate.public_bytes(serialization.Encoding.PEM))
    started = engine({"network": {"port": 4433}, "tls": {"intermediates": known}})
    pair = pki.make(issuer=nobody)
    with s_server(lab, tmp_path, pair):
        assert lab.curl(URL, ca=started.ca, check=False).returncode == 60
    assert upstream(started)[1] != "ok"


@pytest.mark.parametrize("tls,reason", [
    ({"crl-directory": "/etc"}, r":\d+: \[tls\] crl-directory is of no use without revocation = crl"),
    ({"revocation": "staple", "crl-directory": "/etc"}, r"crl-directory is of no use without"),
    ({"revocation": "crl"}, r"\[tls\] revocation = crl needs crl-directory"),
    ({"revocation": "crl", "crl-directory": "/nowhere"}, r"\[tls\] crl-directory = /nowhere: No such file"),
    ({"intermediates": "/dev/null"}, r"\[tls\] intermediates = /dev/null: no certificates can be read"),
])
def test_U6_U7_what_cannot_be_read_is_told(engine, tls, reason):
    assert re.search(reason, engine({"tls": tls}, wait=False).wait_refused())
