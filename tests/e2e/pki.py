# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for origins, good and bad, by a generator that is not the engine's own."""

import datetime
import ipaddress
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
PRIVATE_OID = x509.ObjectIdentifier("1.3.6.1.4.1.32473.1")  # RFC 5612: for documentation
SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)


def name(common_name):
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
    return x509.Name(attributes)


class Pair:
    """A certificate and its private key, and the certificates between it and its root."""

    def __init__(self, certificate, key, der=None, above=()):
        self.certificate = certificate
        self.key = key
        self.der = der or certificate.public_bytes(serialization.Encoding.DER)
        self.above = list(above)

    def pem(self):
        return b"".join(pem_of(der) for der in [self.der, *(pair.der for pair in self.above)])

    def write(self, directory, stem):
        """Writes chain and key as PEM; returns the two paths."""
        certificate, key = directory / (stem + ".pem"), directory / (stem + ".key")
        certificate.write_bytes(self.pem())
        key.write_bytes(self.key.private_bytes(serialization.Encoding.PEM,
                                               serialization.PrivateFormat.PKCS8,
                                               serialization.NoEncryption()))
        return certificate, key

    def altered(self, der):
        """With other bytes in its place, which need not be a certificate."""
        return Pair(self.certificate, self.key, der, self.above)


def pem_of(der):
    return ssl.DER_cert_to_PEM_cert(der).encode()


def load(certificate, key):
    return Pair(x509.load_pem_x509_certificate(certificate.read_bytes()),
                serialization.load_pem_private_key(key.read_bytes(), None))


def ec_key():
    return ec.generate_private_key(ec.SECP256R1())


def rsa_key(bits):
    return rsa.generate_private_key(65537, bits)


def alternative(item):
    if isinstance(item, x509.GeneralName):
        return item
    try:
        return x509.IPAddress(ipaddress.ip_address(item))
    except ValueError:
        return x509.DNSName(item)


def usage(signs_certificates):
    return x509.KeyUsage(not signs_certificates, False, False, False, False, signs_certificates,
                         signs_certificates, False, False)


def make(subject="origin.test", names=("origin.test",), issuer=None, begins=-2 * DAY, ends=2 * DAY,
         is_ca=False, key=None, digest=None, extensions=(), constraints=True, path_length=None):
    """A certificate signed by the issuer, or by itself. `extensions` are pairs of extension and whether
    it is critical; names are host names, addresses, or any GeneralName."""
    key = key or ec_key()
    now = datetime.datetime.utcnow().replace(microsecond=0)
    builder = (x509.CertificateBuilder()
               .subject_name(name(subject))
               .issuer_name(issuer.certificate.subject if issuer else name(subject))
               .public_key(key.public_key())
               .serial_number(x509.random_serial_number())
               .not_valid_before(now + begins)
               .not_valid_after(now + ends))
    if constraints:
        builder = builder.add_extension(x509.BasicConstraints(is_ca, path_length), True)
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([alternative(item) for item in names]), not subject)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(issuer.key if issuer else key, digest or hashes.SHA256())
    is_below = issuer and issuer.certificate.subject != issuer.certificate.issuer
    return Pair(certificate, key, above=[issuer, *issuer.above] if is_below else [])


def root(common_name="A root", extra=(), **options):
    return make(common_name, names=[], is_ca=True, extensions=[(usage(True), True), *extra],
                ends=30 * DAY, **options)


def intermediate(issuer, **options):
    options = {"subject": "An intermediate", "names": [], "is_ca": True,
               "extensions": [(usage(True), True)], **options}
    return make(issuer=issuer, **options)


# ---- surgery: what a generator would refuse to make ----

def resign(pair, issuer, replace):
    """The certificate with some of its bytes replaced by as many others, and signed again."""
    body = pair.certificate.tbs_certificate_bytes
    for old, new in replace:
        assert len(old) == len(new) and old in body, old
        body = body.replace(old, new)
    signer = issuer.key
    if isinstance(signer, rsa.RSAPrivateKey):
        signature = signer.sign(body, padding.PKCS1v15(), hashes.SHA256())
    else:
        signature = signer.sign(body, ec.ECDSA(hashes.SHA256()))
    # Between the body and the signature stands the algorithm, as it was.
    rest = pair.der[pair.der.index(pair.certificate.tbs_certificate_bytes)
                    + len(pair.certificate.tbs_certificate_bytes):]
    algorithm = rest[:2 + rest[1]]
    content = body + algorithm + der_item(3, b"\0" + signature)
    return pair.altered(der_item(0x30, content))


def der_item(tag, content):
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def flip(pair, at=-1, mask=1):
    """With some bits of one byte flipped; the last one belongs to the signature."""
    der = bytearray(pair.der)
    der[at] ^= mask
    return pair.altered(bytes(der))


# ---- the catalogue: what can be wrong with an origin ----

def leaf_with(**options):
    return lambda root: make(issuer=root, **options)


def below(**options):
    """A good leaf below an intermediate that is not."""
    return lambda root: make(issuer=intermediate(root, **options))


def too_deep(root):
    first = intermediate(root, subject="No more CAs below", path_length=0)
    return make(issuer=intermediate(first, subject="One too many"))


def version_1_intermediate(root):
    above = intermediate(root, constraints=False, extensions=())
    # [0] EXPLICIT INTEGER 2, version 3, becomes version 1.
    first = resign(above, root, [(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x00")])
    return make(issuer=first)


def nul_in_names(root):
    pair = make("origin.test~evil.test", ["origin.test~evil.test"], issuer=root)
    return resign(pair, root, [(b"origin.test~evil.test", b"origin.test\0evil.test")])


def nul_in_alternative_name(root):
    pair = make("origin.test", ["origin.test~evil.test"], issuer=root)
    return resign(pair, root, [(b"origin.test~evil.test", b"origin.test\0evil.test")])


def bad_intermediate_signature(root):
    return make(issuer=flip(intermediate(root)))


def constrained(**options):
    return below(extensions=[(usage(True), True), (x509.NameConstraints(**options), True)])


def purposes(*kinds):
    return [(x509.ExtendedKeyUsage(kinds), False)]


def self_signed(root):
    return make(names=("origin.test", "203.0.113.1"))


def untrusted(root):
    other = globals()["root"]("Nobody")
    pair = make(issuer=other)
    pair.above = [other]
    return pair


def same_name_root(root):
    other = make(root.certificate.subject.rfc4514_string()[3:], names=[], is_ca=True, key=rsa_key(2048))
    return make(issuer=other)


class Case:
    """`kind` is the class of what a client says; `errors` are those of OpenSSL's verification. 512
    bits cannot sign in TLS 1.3, so the origin speaks `version` at most."""

    def __init__(self, made, kind, *errors, version=None):
        self.made, self.kind, self.errors, self.version = made, kind, set(errors), version


HOSTNAME, EXPIRED, NOT_YET, SELF_SIGNED, NO_ISSUER = 62, 10, 9, 18, 20
ROOT_IN_CHAIN, BAD_SIGNATURE, NO_CA, PATH_LENGTH, PURPOSE, KEY_USAGE = 19, 7, 79, 25, 26, 32
PERMITTED, EXCLUDED, CRITICAL, WEAK_KEY, WEAK_DIGEST = 47, 48, 34, 66, 68

CASES = {
    "N1-self-signed": Case(self_signed, "self-signed", SELF_SIGNED),
    "N3-untrusted-root": Case(untrusted, "untrusted", ROOT_IN_CHAIN),
    "N4-same-name-root": Case(same_name_root, "untrusted", BAD_SIGNATURE),
    "C1-wrong-name": Case(leaf_with(subject="other.test", names=["other.test"]), "name", HOSTNAME),
    "C2-right-subject": Case(leaf_with(names=["other.test"]), "name", HOSTNAME),
    "C3-subject-only": Case(leaf_with(names=[]), "name", HOSTNAME),
    "C4-parent": Case(leaf_with(subject="test", names=["test"]), "name", HOSTNAME),
    "C5-top-wildcard": Case(leaf_with(subject=None, names=["*.test"]), "name", HOSTNAME),
    "C5-partial-wildcard": Case(leaf_with(subject=None, names=["or*.test"]), "name", HOSTNAME),
    "C5-two-wildcards": Case(leaf_with(subject=None, names=["*.*.test"]), "name", HOSTNAME),
    "C6-address-as-name": Case(leaf_with(subject=None, names=[x509.DNSName("203.0.113.1")]), "name",
                               HOSTNAME),
    "C7-nul": Case(nul_in_names, "name", HOSTNAME),
    "C7-nul-alternative": Case(nul_in_alternative_name, "name", HOSTNAME),
    "C8-expired": Case(leaf_with(begins=-10 * DAY, ends=-3 * DAY), "expired", EXPIRED),
    "C9-not-yet-valid": Case(leaf_with(begins=3 * DAY, ends=10 * DAY), "not yet valid", NOT_YET),
    "C10-expired-above": Case(below(begins=-10 * DAY, ends=-3 * DAY), "expired", EXPIRED),
    "C11-no-ca-above": Case(below(is_ca=False), "untrusted", NO_CA),
    "C12-no-constraints-above": Case(below(constraints=False), "untrusted", NO_CA),
    "C13-version-1-above": Case(version_1_intermediate, "untrusted", NO_CA),
    "C14-key-usage-above": Case(below(extensions=[(usage(False), True)]), "untrusted", KEY_USAGE),
    "C15-path-length": Case(too_deep, "untrusted", PATH_LENGTH),
    "C16-excluded": Case(constrained(permitted_subtrees=None,
                                     excluded_subtrees=[x509.DNSName("origin.test")]), "untrusted",
                         EXCLUDED),
    "C17-not-permitted": Case(constrained(permitted_subtrees=[x509.DNSName("other.test")],
                                          excluded_subtrees=None), "untrusted", PERMITTED),
    "C18-client-purpose": Case(leaf_with(extensions=purposes(ExtendedKeyUsageOID.CLIENT_AUTH)),
                               "untrusted", PURPOSE),
    "C18-code-purpose": Case(leaf_with(extensions=purposes(ExtendedKeyUsageOID.CODE_SIGNING)),
                             "untrusted", PURPOSE),
    "C19-purpose-above": Case(
        below(extensions=[(usage(True), True), *purposes(ExtendedKeyUsageOID.CODE_SIGNING)]), "untrusted",
        PURPOSE),
    "C20-critical": Case(leaf_with(extensions=[(x509.UnrecognizedExtension(PRIVATE_OID, b"\5\0"), True)]),
                         "untrusted", CRITICAL),
    "C21-sha1": Case(leaf_with(digest=hashes.SHA1()), "untrusted", WEAK_DIGEST),
    "C21-md5": Case(leaf_with(digest=hashes.MD5()), "untrusted", WEAK_DIGEST),
    "C22-rsa-1024": Case(lambda root: make(issuer=root, key=rsa_key(1024)), "untrusted", WEAK_KEY),
    "C22-rsa-512": Case(lambda root: make(issuer=root, key=rsa_key(512)), "untrusted", WEAK_KEY,
                        version=ssl.TLSVersion.TLSv1_2),
    "C23-signature": Case(lambda root: flip(make(issuer=root)), "untrusted", BAD_SIGNATURE),
    "C23-signature-above": Case(bad_intermediate_signature, "untrusted", BAD_SIGNATURE),
    "two-faults": Case(leaf_with(subject=None, names=["other.test"], begins=-10 * DAY, ends=-3 * DAY),
                       "expired", EXPIRED, HOSTNAME),
}
