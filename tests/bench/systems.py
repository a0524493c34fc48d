# SPDX-License-Identifier: GPL-3.0-or-later
"""The systems that are compared: each is started on the lab's router, in front of the same origin, with the
same CA, and stopped again."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from lab import ORIGIN4, Engine, wait_for

# The origin's addresses, by what it does there (origin.py).
FULL, RESUMING, PLAIN, NAMED = ORIGIN4[:4]

# Each connection that is intercepted needs two.
DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
CONNECTIONS = DESCRIPTORS // 2 - 500

TICK = os.sysconf("SC_CLK_TCK")


def stat_of(pid):
    """Parent, and processor time in seconds with that of children which have ended; None if it is gone."""
    try:
        fields = Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1]), sum(map(int, fields[11:15])) / TICK


def tree_of(root):
    """A process, and what it and its children have started."""
    stats = {int(path.name): stat_of(int(path.name)) for path in Path("/proc").iterdir()
             if path.name.isdigit()}
    tree = {root}
    while True:
        more = {pid for pid, stat in stats.items() if stat and stat[0] in tree} - tree
        if not more:
            return {pid for pid in tree if stats.get(pid)}, stats
        tree |= more


class System:
    """One of them. What it cannot do is told by `cannot`, by the loads' names."""

    tls_limit = "1.3"
    keeps_alive = True
    most = CONNECTIONS  # at the same time
    cannot = {}
    setups = ("intercept",)
    redirects = {}  # port at the router, by the origin's address; None: all others

    def __init__(self, lab, directory, ca):
        self.lab, self.ca = lab, ca
        self.directory = directory / self.name
        self.directory.mkdir()
        self.directory.chmod(0o755)
        self.process = None
        self.failed = {}  # load: why

    def start(self, setup, patterns):
        self.process = self.spawn(*self.command(setup, patterns))
        self.wait_port()
        self.redirect()

    def spawn(self, *command):
        with open(self.directory / "log", "ab") as log:
            return self.lab.router.spawn(*command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_port(self):
        def listens():
            assert self.process.poll() is None, \
                "%s ended:\n%s" % (self.name, (self.directory / "log").read_text()[-2000:])
            with self.lab.router.inside(), socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0
        wait_for(listens, "%s to listen" % self.name, 60)

    def redirect(self):
        """What comes from the device for port 443 goes to the system."""
        rules = ["ip daddr %s tcp dport 443 redirect to :%d" % item for item in self.redirects.items()]
        rules.append("tcp dport 443 redirect to :%d" % self.port)
        self.lab.router.run("nft", "-f", "-", input="""
            table ip bench {
                chain prerouting {
                    type nat hook prerouting priority dstnat
                    iifname lan0 jump taken
                }
                chain taken {
                    %s
                }
            }""" % "\n".join(rules))

    def stop(self):
        self.lab.router.run("nft", "delete table ip bench", check=False)
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                for pid in tree_of(self.process.pid)[0]:
                    os.kill(pid, signal.SIGKILL)
                self.process.wait()

    def root(self):
        return self.process.pid

    def processor_time(self):
        """Of all its processes, in seconds."""
        pids, stats = tree_of(self.root())
        return sum(stats[pid][1] for pid in pids)

    def memory(self):
        """Of all its processes, in bytes; what they share counts once."""
        total = 0
        for pid in tree_of(self.root())[0]:
            for line in Path("/proc/%d/smaps_rollup" % pid).read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total

    def issuer(self, load):
        """Who has signed what the device is shown."""
        return "Bench CA"


class Plain(System):
    name = "plain"
    title = "plain forwarding"
    setups = ("intercept", "patterns")
    cannot = {"idle": "holds nothing"}

    def start(self, setup, patterns):
        pass

    def stop(self):
        pass

    def processor_time(self):
        return 0.0

    def issuer(self, load):
        return "Origins' CA"


class Interceptd(System):
    name = "interceptd"
    title = "interceptd"
    setups = ("intercept", "patterns")
    config = {}

    def start(self, setup, patterns):
        directory = self.directory / setup
        again = directory.exists()
        directory.mkdir(exist_ok=True)
        for name in ("log", "eve.json"):
            (directory / name).unlink(missing_ok=True)
        ignored = patterns if setup == "patterns" else ["^%s:443$" % PLAIN.replace(".", r"\.")]
        begun = time.monotonic()
        self.engine = Engine(self.lab, directory, {"ignore": {"pattern": ignored}, **self.config}, (), None,
                             (), fresh=again)
        wait_for(lambda: " is running: " in self.engine.log() or self.engine.process.poll() is not None,
                 "interceptd", 120)
        self.started_in = time.monotonic() - begun if again else None
        self.engine.wait_ready()

    def stop(self):
        self.engine.stop()

    def root(self):
        return self.engine.pid()


class WithoutReaders(Interceptd):
    """The same, but what devices say is not read, only passed on."""
    name = "interceptd-tcp"
    title = "interceptd, readers off"
    setups = ("intercept",)
    config = {"tcp": {"pattern": "."}}
    only = ("bulk_down", "bulk_up", "requests")


class Haproxy(System):
    name = "haproxy"
    title = "haproxy, one certificate"
    port = 8443
    redirects = {RESUMING: 8444}
    cannot = {"forge": "forges nothing", "ignored": "ignores nothing", "ignored_bulk": "ignores nothing"}

    def command(self, setup, patterns):
        origin = self.lab.origin_directory
        (self.directory / "cert.pem").write_text((origin / "origin.pem").read_text()
                                                 + (origin / "origin.key").read_text())
        parts = "".join("""
frontend f{port}
    bind 0.0.0.0:{port} ssl crt {directory}/cert.pem
    default_backend b{port}
backend b{port}
    server origin {address}:443 ssl verify required ca-file {ca} sni str(origin.test)
""".format(port=port, address=address, directory=self.directory, ca=self.lab.origin_ca)
                        for port, address in ((8443, FULL), (8444, RESUMING)))
        (self.directory / "haproxy.cfg").write_text("""
global
    nbthread 1
    maxconn {limit}
defaults
    mode tcp
    maxconn {limit}
    timeout connect 60s
    timeout client 10m
    timeout server 10m
""".format(limit=CONNECTIONS) + parts)
        return "haproxy", "-db", "-f", self.directory / "haproxy.cfg"

    def issuer(self, load):
        return "Origins' CA"


class Sslsplit(System):
    name = "sslsplit"
    title = "sslsplit"
    port = 8445
    tls_limit = "1.2"
    keeps_alive = False  # it writes "Connection: close" into what it passes on
    cannot = {"ignored": "ignores nothing", "ignored_bulk": "ignores nothing"}

    def command(self, setup, patterns):
        return ("sslsplit", "-k", self.ca.key, "-c", self.ca.certificate,
                "-K", self.ca.leaf_key, "-P", "-u", "root", "https", "0.0.0.0", self.port)


class Mitmproxy(System):
    name = "mitmproxy"
    title = "mitmproxy"
    port = 8446
    setups = ("intercept", "patterns")

    def command(self, setup, patterns):
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        (home / "mitmproxy-ca.pem").write_text(self.ca.key.read_text() + self.ca.certificate.read_text())
        # 8.1.1 matches the address without its port
        ignored = [pattern.replace(":443", "") for pattern in patterns] if setup == "patterns" else [
            "^%s$" % PLAIN.replace(".", r"\.")]
        quoted = ", ".join("'%s'" % pattern for pattern in ignored)
        (home / "config.yaml").write_text("ignore_hosts: [%s]\n" % quoted)
        return ("mitmdump", "-q", "--mode", "transparent", "--listen-port",
                self.port, "--set", "confdir=%s" % home, "--set", "stream_large_bodies=1m", "--set",
                "ssl_verify_upstream_trusted_ca=%s" % self.lab.origin_ca)


class Squid(System):
    name = "squid"
    title = "squid, peek and bump"
    most = DESCRIPTORS * 3 // 8  # it keeps a part of them in reserve
    port = 8447

    def command(self, setup, patterns):
        here = self.directory
        shutil.rmtree(here / "ssl_db", ignore_errors=True)
        here.chmod(0o777)
        subprocess.run(["/usr/lib/squid/security_file_certgen", "-c", "-s", here / "ssl_db", "-M", "16MB"],
                       check=True, capture_output=True)
        subprocess.run(["chown", "-R", "proxy", here / "ssl_db"], check=True)
        (here / "ca.pem").write_text(self.ca.key.read_text() + self.ca.certificate.read_text())
        # It looks up the names in requests, and there is no DNS here.
        (here / "hosts").write_text("%s origin.test\n" % FULL + "".join(
            "%s n%d.origin.test\n" % (NAMED, i) for i in range(2000)))
        (here / "squid.conf").write_text("""
http_port 127.0.0.1:3128
https_port {port} intercept ssl-bump tls-cert={here}/ca.pem generate-host-certificates=on \
dynamic_cert_mem_cache_size=16MB
sslcrtd_program /usr/lib/squid/security_file_certgen -s {here}/ssl_db -M 16MB
acl step1 at_step SslBump1
acl ignored dst {ignored}
ssl_bump splice ignored
ssl_bump peek step1
ssl_bump bump all
tls_outgoing_options cafile={origin_ca}
http_access allow all
host_verify_strict off
hosts_file {here}/hosts
max_filedescriptors {limit}
cache deny all
access_log none
cache_log {here}/cache.log
pid_filename {here}/squid.pid
coredump_dir {here}
shutdown_lifetime 0 seconds
""".format(port=self.port, here=here, ignored=PLAIN, origin_ca=self.lab.origin_ca,
           limit=DESCRIPTORS))
        return "squid", "-N", "-f", here / "squid.conf"


ALL = (Plain, Interceptd, WithoutReaders, Haproxy, Sslsplit, Mitmproxy, Squid)
