# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands on both sides of the systems: the origin (the lab's nginx, told otherwise), the CA that all of
them have, and the patterns."""

import datetime
import os
import signal
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from systems import FULL, NAMED, PLAIN, RESUMING

FRESH_NETWORK = "10.99.0.0/16"  # destinations that nobody was at before
MANY = "2001:db8:99::%s"  # more of them, as many as one likes; the systems compared need IPv4
NAMES = 1000


def subject(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def sign(name, key, issuer, issuer_key, ca=False):
    now = datetime.datetime.utcnow()
    builder = (x509.CertificateBuilder().subject_name(subject(name)).issuer_name(issuer)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now - datetime.timedelta(days=1))
               .not_valid_after(now + datetime.timedelta(days=30))
               .add_extension(x509.BasicConstraints(ca, None), critical=True))
    if ca:
        usage = {name: name in ("key_cert_sign", "crl_sign") for name in (
            "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
            "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")}
        builder = builder.add_extension(x509.KeyUsage(**usage), critical=True).add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def key_bytes(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


class Authority:
    """P-256, like the origin's, and like all leaves."""

    def __init__(self, directory):
        self.key, self.certificate = directory / "ca.key", directory / "ca-cert.pem"
        self.leaf_key = directory / "leaf.key"
        key = ec.generate_private_key(ec.SECP256R1())
        self.key.write_bytes(key_bytes(key))
        self.certificate.write_bytes(sign("Bench CA", key, subject("Bench CA"), key, ca=True))
        self.leaf_key.write_bytes(key_bytes(ec.generate_private_key(ec.SECP256R1())))

    def give_to(self, keys):
        """Where the lab keeps what its engines start with."""
        keys.mkdir(mode=0o700)
        (keys / "ca.pem").write_bytes(self.certificate.read_bytes() + self.key.read_bytes())
        (keys / "ca.pem").chmod(0o600)
        (keys / "ca-cert.pem").write_bytes(self.certificate.read_bytes())


def make_named(directory):
    """A certificate a name, all with one key."""
    directory.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    parent = directory.parent
    ca_key = serialization.load_pem_private_key((parent / "ca.key").read_bytes(), None)
    issuer = x509.load_pem_x509_certificate((parent / "ca.pem").read_bytes()).subject
    (directory / "key").write_bytes(key_bytes(key))
    for number in range(NAMES):
        name = "n%d.origin.test" % number
        (directory / (name + ".pem")).write_bytes(sign(name, key, issuer, ca_key))
    for path in (directory, *directory.iterdir()):
        path.chmod(0o755 if path == directory else 0o644)


NGINX = """
pid {d}/nginx.pid;
error_log {d}/nginx-error.log;
worker_processes 1;
worker_rlimit_nofile 65536;
events {{ worker_connections 32768; }}
http {{
    access_log off;
    sendfile on;
    keepalive_timeout 20m; client_header_timeout 20m; client_body_timeout 20m;
    keepalive_requests 1000000000;
    lingering_time 20m; lingering_timeout 1m;
    client_body_temp_path {d}/tmp; proxy_temp_path {d}/tmp; fastcgi_temp_path {d}/tmp;
    uwsgi_temp_path {d}/tmp; scgi_temp_path {d}/tmp;
    client_max_body_size 0;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate {d}/origin.pem; ssl_certificate_key {d}/origin.key;
    log_format resumption "$ssl_session_reused";
    root {d}/www;
    server {{ listen {full}:443 ssl; ssl_session_cache off; ssl_session_tickets off; include {d}/places; }}
    server {{ listen {resuming}:443 ssl; access_log {d}/resumed.log resumption; include {d}/places; }}
    server {{
        listen {named}:443 ssl; ssl_session_cache off; ssl_session_tickets off;
        ssl_certificate {d}/named/$ssl_server_name.pem; ssl_certificate_key {d}/named/key;
        include {d}/places;
    }}
    server {{ listen 443 backlog=16384; listen [::]:443 backlog=16384; include {d}/places; }}
}}
"""
PLACES = """
location = /hello { return 200 "hello from the origin\\n"; }
location /upload { dav_methods PUT; }
"""


def prepare(lab, blob_size):
    """Addresses: one that resumes nothing, one that does, one with a certificate for each name; all else is
    plain HTTP, on port 443 too, as is each of the fresh network's."""
    directory = lab.origin_directory
    make_named(directory / "named")
    with open(directory / "www/blob", "wb") as blob:
        blob.truncate(blob_size)
    (directory / "places").write_text(PLACES)
    (directory / "nginx.conf").write_text(
        NGINX.format(d=directory, full=FULL, resuming=RESUMING, named=NAMED))
    lab.origin.run("ip", "route", "add", "local", FRESH_NETWORK, "dev", "lo")
    lab.origin.run("ip", "-6", "route", "add", "local", MANY % "/64", "dev", "lo")
    lab.router.run("ip", "route", "add", FRESH_NETWORK, "via", "198.51.100.2")
    lab.device.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_tw_reuse=1")
    lab.router.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_tw_reuse=1",
                   "net.core.somaxconn=16384",
                   # the systems' own ports are no connection's of those that ran before
                   "net.ipv4.ip_local_reserved_ports=8440-8449")
    lab.origin.run("sysctl", "-qw", "net.core.somaxconn=16384")
    subprocess.run(["nginx", "-t", "-q", "-c", directory / "nginx.conf"], check=True)
    pid = int((directory / "nginx.pid").read_text())
    os.kill(pid, signal.SIGTERM)
    while os.path.exists("/proc/%d" % pid):
        pass
    lab.origin.run("nginx", "-c", directory / "nginx.conf", "-e", directory / "nginx-error.log")


def patterns(count):
    """As lists have them, half addresses, half names; the last are about the fresh network."""
    half = count // 2 - 1
    return [r"^192\.0\.%d\.%d:443$" % (i // 250, i % 250) for i in range(half)] + [
        r"^(.+\.)?host%d\.example%d\.com:443$" % (i % 250, i // 250) for i in range(half)] + [
        "^%s:443$" % PLAIN.replace(".", r"\."), r"^10\.99\.\d+\.\d+:443$"]
