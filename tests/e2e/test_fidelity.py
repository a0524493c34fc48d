# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a forged certificate, and what is not."""

import datetime
import re
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, ExtensionOID

import peers
import pki
from lab import ORIGIN4, wait_for

PORT = 4433
TAKEN = {"network": {"port": PORT}}
IGNORE = {**TAKEN, "tls": {"upstream": "ignore"}}
CT_OID = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")  # RFC 6962: signed certificate timestamps


@pytest.fixture
def ca(lab):
    return pki.load(lab.origin_directory / "ca.pem", lab.origin_directory / "ca.key")


def show(lab, server_name="origin.test"):
    """The certificate that a device is shown there."""
    with lab.device.connect(ORIGIN4[0], PORT) as connection:
        with peers.client_context().wrap_socket(connection, server_hostname=server_name) as secure:
            return x509.load_der_x509_certificate(secure.getpeercert(True))


@pytest.fixture
def forge(lab, tmp_path):
    """forge(pair) is the forgery of that origin."""
    def forge(pair, server_name="origin.test"):
        with peers.web_origin(lab, PORT, pair.write(tmp_path, "origin")):
            return show(lab, server_name)
    return forge


def names_of(certificate):
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return [name.value for name in extension.value]


def spki(key):
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("config,names", [(TAKEN, ["other.test"]), (IGNORE, ["other.test", "origin.test"])],
                         ids=["mirror", "ignore"])
def test_F1_the_name_that_was_asked_for_is_added_for_ignore_alone(engine, ca, forge, config, names):
    started = engine(config)
    assert names_of(forge(pki.make("other.test", ["other.test"], issuer=ca))) == names
    assert started.wait_records("flow")[0]["intercept"]["upstream"]["verify"] == "hostname mismatch"


@pytest.mark.parametrize("signatures", ["ECDSA+SHA256:RSA-PSS+SHA256", "RSA-PSS+SHA256:RSA+SHA256"])
def test_F2_the_ca_key_is_never_a_leaf_key(lab, engine, signatures):
    started = engine()
    shown = lab.device.run("openssl", "s_client", "-connect", ORIGIN4[0] + ":443", "-sigalgs", signatures,
                           input="").stdout
    leaf = x509.load_pem_x509_certificate(re.search(r"-----BEGIN.*END CERTIFICATE-----", shown,
                                                    re.S).group(0).encode())
    authority = x509.load_pem_x509_certificate(started.ca.read_bytes())
    assert spki(leaf.public_key()) != spki(authority.public_key())


def test_F3_serials_are_random_and_never_come_twice(lab, engine, ca, tmp_path):
    """Each name asked for is a forgery of its own in `ignore`; a restart changes nothing."""
    serials = []
    with peers.web_origin(lab, PORT, pki.make("other.test", ["other.test"], issuer=ca).write(tmp_path, "o")):
        for _ in range(2):
            started = engine(IGNORE)
            serials += [show(lab, "n%d.test" % number).serial_number for number in range(50)]
            started.stop()
    assert len(set(serials)) == 100
    assert all(64 < serial.bit_length() < 160 for serial in serials)


def odd_origin(ca):
    """With all that a forgery must not take over."""
    place = x509.UniformResourceIdentifier("http://origin.test/")
    access = [x509.AccessDescription(kind, place) for kind in (AuthorityInformationAccessOID.OCSP,
                                                               AuthorityInformationAccessOID.CA_ISSUERS)]
    return pki.make(issuer=ca, is_ca=True, extensions=[
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
        (pki.usage(True), True),
        (x509.AuthorityInformationAccess(access), False),
        (x509.CRLDistributionPoints([x509.DistributionPoint([place], None, None, None)]), False),
        (x509.TLSFeature([x509.TLSFeatureType.status_request]), False),
        (x509.CertificatePolicies([x509.PolicyInformation(pki.PRIVATE_OID, None)]), False),
        (x509.UnrecognizedExtension(CT_OID, b"\x04\x02\x00\x00"), False),
        (x509.UnrecognizedExtension(pki.PRIVATE_OID, b"\x05\x00"), False)])


def test_F4_a_forgery_is_no_ca_and_for_servers_alone(engine, ca, forge):
    engine(IGNORE)
    extensions = forge(odd_origin(ca)).extensions
    constraints = extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical and not constraints.value.ca
    purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.digital_signature and not usage.value.key_cert_sign


def test_F8_extensions_are_a_short_list_whatever_the_origin_has(engine, ca, forge):
    engine(IGNORE)
    found = {extension.oid for extension in forge(odd_origin(ca)).extensions}
    assert found == {ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.BASIC_CONSTRAINTS,
                     ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE,
                     ExtensionOID.AUTHORITY_KEY_IDENTIFIER}


def test_F5_the_issuers_own_key_identifier_is_named(lab, engine, forge, ca, tmp_path):
    """Even if the user's CA has made it up."""
    identifier = bytes(range(7))
    own = pki.root("The user's CA", extra=[(x509.SubjectKeyIdentifier(identifier), False)])
    certificate, key = own.write(tmp_path, "own")
    both = tmp_path / "own-ca.pem"
    both.touch(mode=0o600)
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    engine({**TAKEN, "tls": {"ca": both}})
    leaf = forge(pki.make(issuer=ca))
    named = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert named.key_identifier == identifier
    (tmp_path / "leaf.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", certificate, tmp_path / "leaf.pem"],
                   check=True, capture_output=True)


@pytest.mark.parametrize("days", [3, 3000])
def test_F6_F12_a_forgery_ends_with_its_origin_and_soon(engine, ca, forge, days):
    engine(TAKEN)
    origin = pki.make(issuer=ca, begins=-100 * pki.DAY, ends=days * pki.DAY)
    leaf = forge(origin)
    now = datetime.datetime.utcnow()
    assert pki.DAY <= now - leaf.not_valid_before < 2 * pki.DAY
    assert leaf.not_valid_after <= origin.certificate.not_valid_after
    assert leaf.not_valid_after - leaf.not_valid_before < 200 * pki.DAY
    assert leaf.not_valid_after > now + min(days, 190) * pki.DAY - pki.DAY


@pytest.mark.parametrize("begins,ends", [(-10, -3), (3, 10)], ids=["expired", "not-yet-valid"])
def test_F6_an_origin_out_of_date_keeps_its_dates(engine, ca, forge, begins, ends):
    engine(TAKEN)
    origin = pki.make(issuer=ca, begins=begins * pki.DAY, ends=ends * pki.DAY).certificate
    leaf = forge(pki.make(issuer=ca, begins=begins * pki.DAY, ends=ends * pki.DAY))
    if ends < 0:
        assert abs(leaf.not_valid_after - origin.not_valid_after) < datetime.timedelta(minutes=1)
    else:
        assert abs(leaf.not_valid_before - origin.not_valid_before) < datetime.timedelta(minutes=1)


@pytest.mark.parametrize("digest", [hashes.MD5, hashes.SHA1])
def test_F7_the_signature_is_sha256_whatever_the_origins_is(engine, forge, digest):
    engine(IGNORE)
    root = pki.root("RSA", key=pki.rsa_key(2048))
    leaf = forge(pki.make(issuer=root, digest=digest()))
    assert isinstance(leaf.signature_hash_algorithm, hashes.SHA256)


def test_F9_without_a_subject_the_names_are_critical(engine, ca, forge):
    engine(TAKEN)
    leaf = forge(pki.make(subject=None, issuer=ca))
    assert leaf.subject == x509.Name([])
    assert leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical


@pytest.mark.parametrize("odd", [b"o\0igin.test", b"o\nigin.test", b"o\x1bigin.test", b"o\x7figin.test"])
def test_F9_odd_names_are_not_taken_over(engine, ca, forge, odd):
    engine(TAKEN)
    pair = pki.make("o~igin.test", ["o~igin.test", "origin.test"], issuer=ca)
    leaf = forge(pki.resign(pair, ca, [(b"o~igin.test", odd)]))
    assert names_of(leaf) == ["origin.test"] and leaf.subject == x509.Name([])


def test_F9_a_thousand_names(engine, ca, forge):
    engine(TAKEN)
    names = ["origin.test"] + ["n%d.origin.test" % number for number in range(999)]
    assert names_of(forge(pki.make(issuer=ca, names=names))) == names


def test_F11_the_root_is_not_sent(lab, engine):
    engine()
    shown = lab.device.run("openssl", "s_client", "-showcerts", "-connect", ORIGIN4[0] + ":443",
                           input="").stdout
    assert shown.split("Server certificate")[0].count("BEGIN CERTIFICATE") == 1


def test_F12_a_forgery_is_what_phones_take(engine, ca, forge):
    """Apple's and Android's rules: names, the purpose, SHA-2, keys of 2048 bits or P-256, 825 days."""
    engine(TAKEN)
    leaf = forge(pki.make(issuer=ca, ends=3000 * pki.DAY))
    assert names_of(leaf) == ["origin.test"]
    assert leaf.public_key().key_size == 256  # on P-256
    assert isinstance(leaf.signature_hash_algorithm, hashes.SHA256)
    assert leaf.not_valid_after - leaf.not_valid_before <= 825 * pki.DAY


def test_CA2_our_ca_can_sign_leaves_and_no_more(engine):
    started = engine()
    extensions = x509.load_pem_x509_certificate(started.ca.read_bytes()).extensions
    constraints = extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical and constraints.value.ca and constraints.value.path_length == 0
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.value == x509.KeyUsage(False, False, False, False, False, True, True, False, False)


def test_K1_a_new_origin_certificate_is_a_new_forgery(engine, ca, forge):
    engine(TAKEN)
    pair = pki.make(issuer=ca)
    first, again = forge(pair), forge(pair)
    other = forge(pki.make(issuer=ca))
    assert first == again != other
    assert names_of(first) == names_of(other)


def test_K1_one_devices_name_is_in_no_others_certificate(engine, ca, forge):
    engine(IGNORE)
    pair = pki.make("other.test", ["other.test"], issuer=ca)
    assert names_of(forge(pair, "evil.test")) == ["other.test", "evil.test"]
    assert names_of(forge(pair, "other.test")) == ["other.test"]
    assert names_of(forge(pair, "second.test")) == ["other.test", "second.test"]


def test_L1_a_name_that_a_device_asks_for_cannot_break_a_record(lab, engine):
    started = engine(TAKEN)
    odd = b'o"<b>\\,.tes'
    hello = peers.client_hello().replace(b"origin.test", odd)
    with lab.origin.serve(lambda connection: connection.recv(10000), PORT):
        with lab.device.connect(ORIGIN4[0], PORT) as connection:
            connection.sendall(hello)
            connection.recv(10)
    (record,) = started.wait_records("tls")
    assert record["tls"]["sni"] == odd.decode()
    wait_for(lambda: started.records("flow"), "the end")
