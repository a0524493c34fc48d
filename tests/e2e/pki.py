# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for origins, good and bad, by a generator that is not the engine's own."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


class Pair:
    """A certificate and its private key."""

    def __init__(self, certificate, key):
        self.certificate = certificate
        self.key = key

    def write(self, directory, stem):
        """Writes both as PEM; returns the two paths."""
        certificate, key = directory / (stem + ".pem"), directory / (stem + ".key")
        certificate.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        key.write_bytes(self.key.private_bytes(serialization.Encoding.PEM,
                                               serialization.PrivateFormat.PKCS8,
                                               serialization.NoEncryption()))
        return certificate, key


def load(certificate, key):
    return Pair(x509.load_pem_x509_certificate(certificate.read_bytes()),
                serialization.load_pem_private_key(key.read_bytes(), None))


def make(subject="origin.test", names=("origin.test",), issuer=None, begins=-2 * DAY, ends=2 * DAY,
         is_ca=False):
    """A certificate signed by the issuer, or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.utcnow()
    alternatives = []
    for item in names:
        try:
            alternatives.append(x509.IPAddress(ipaddress.ip_address(item)))
        except ValueError:
            alternatives.append(x509.DNSName(item))
    builder = (x509.CertificateBuilder()
               .subject_name(name(subject))
               .issuer_name(issuer.certificate.subject if issuer else name(subject))
               .public_key(key.public_key())
               .serial_number(x509.random_serial_number())
               .not_valid_before(now + begins)
               .not_valid_after(now + ends)
               .add_extension(x509.BasicConstraints(is_ca, None), True))
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), False)
    return Pair(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)
