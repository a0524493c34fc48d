# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab: a device, a router and an origin in network namespaces, and the engine on the router."""

import contextlib
import ctypes
import itertools
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("INTERCEPTD_BUILD", ROOT / "build"))
# Under an emulated machine everything takes longer; patience costs nothing where it does not.
PATIENCE = float(os.environ.get("INTERCEPTD_PATIENCE", "1"))

ORIGIN4 = ["203.0.113.%d" % i for i in range(1, 10)]
ORIGIN6 = ["2001:db8:113::%d" % i for i in range(1, 10)]
ROUTER4, ROUTER6 = "10.77.0.1", "2001:db8:77::1"
DEVICE4, DEVICE6 = "10.77.0.2", "2001:db8:77::2"
CLONE_NEWNET = 0x40000000
ENGINE_USER = 65077  # nobody's on any machine

libc = ctypes.CDLL(None, use_errno=True)


def wait_for(condition, what, seconds=10):
    """Waits until condition() is true, and returns its value."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, "waited in vain for " + what
        time.sleep(0.02)


def let_in(path):
    """The engine, which is not root for long, may look for what is there."""
    if isinstance(path, Path):
        for above in [path, *path.parents]:
            if above.is_dir() and above.stat().st_mode & 0o005 != 0o005:
                above.chmod(above.stat().st_mode | 0o055)


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def bracketed(address):
    return "[%s]" % address if ":" in address else address


class Host:
    """One of the three hosts."""

    def __init__(self, lab, role):
        self.lab = lab
        self.namespace = "%s-%s" % (lab.name, role)

    def command(self, *arguments):
        return ["ip", "netns", "exec", self.namespace, *map(str, arguments)]

    def run(self, *arguments, check=True, timeout=60, text=True, **options):
        result = subprocess.run(self.command(*arguments), capture_output=True, text=text,
                                errors="replace" if text else None, timeout=timeout * PATIENCE,
                                **options)
        assert not check or result.returncode == 0, \
            "%s: exit %d\n%s\n%s" % (arguments, result.returncode, result.stdout, result.stderr)
        return result

    def spawn(self, *arguments, **options):
        process = subprocess.Popen(self.command(*arguments), **options)
        self.lab.processes.append(process)
        return process

    @contextlib.contextmanager
    def inside(self):
        """This thread is on the host: sockets made here stay there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open("/run/netns/" + self.namespace, os.O_RDONLY)
        try:
            assert libc.setns(there, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            yield
        finally:
            assert libc.setns(home, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            os.close(there)
            os.close(home)

    def connect(self, address, port=443, timeout=10):
        with self.inside():
            connection = socket.socket(family_of(address), socket.SOCK_STREAM)
        connection.settimeout(timeout * PATIENCE)
        connection.connect((address, port))
        return connection

    def listen(self, address, port):
        with self.inside():
            listener = socket.socket(family_of(address), socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(128)
        return listener

    @contextlib.contextmanager
    def serve(self, handle, port, address=None):
        """Calls handle(connection) in a thread for each connection to the port, one after another."""
        listener = self.listen(address or ORIGIN4[0], port)
        failures = []

        def loop():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.settimeout(20 * PATIENCE)
                try:
                    with connection:
                        handle(connection)
                except (ConnectionError, socket.timeout):
                    pass
                except Exception as failure:  # told by the test that serves
                    failures.append(failure)

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join(timeout=5 * PATIENCE)
        assert not failures, failures


class Device(Host):
    """One more device, with a MAC address and IP addresses of its own."""

    def __init__(self, lab, number, mac, subnet):
        super().__init__(lab, "device%d" % number)
        self.number = number
        self.mac = mac or "02:00:5e:77:00:%02x" % number
        self.address4 = "10.%d.0.%d" % (subnet, 10 + number)
        self.address6 = "2001:db8:%d::%d" % (subnet, 10 + number)
        self.router4, self.router6 = "10.%d.0.1" % subnet, "2001:db8:%d::1" % subnet

    def address(self, family):
        return self.address6 if family == "ipv6" else self.address4

    def set_addresses(self):
        self.run("ip", "addr", "add", self.address4 + "/24", "dev", "eth0")
        self.run("ip", "-6", "addr", "add", self.address6 + "/64", "dev", "eth0", "nodad")
        self.run("ip", "route", "add", "default", "via", self.router4)
        self.run("ip", "-6", "route", "add", "default", "via", self.router6)


class Lab:
    def __init__(self, directory):
        self.directory = Path(directory)
        self.name = "i%d" % os.getpid()
        self.processes = []
        self.keys = self.directory / "engine-keys"  # of the first one
        self.origin_directory = self.directory / "origin"
        self.origin_directory.mkdir()
        self.device = Host(self, "device")
        self.router = Host(self, "router")
        self.origin = Host(self, "origin")
        self.devices = {}  # by number

    def script(self, command):
        subprocess.run([ROOT / "scripts/lab", command, self.name, self.origin_directory], check=True,
                       timeout=60 * PATIENCE)

    def up(self):
        self.script("up")
        for origin in (ORIGIN4[0], ORIGIN6[0]):
            wait_for(lambda: self.curl("http://origin.test/hello", origin=origin,
                                       check=False).returncode == 0, "the lab's network")

    def down(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        for device in list(self.devices.values()):
            self.remove_device(device)
        self.script("down")

    def add_device(self, mac=None, interface=None, addresses=True):
        """A device beside the first one, on the same wire; or, with `interface`, on another one that
        gets this name at the router. It is gone with the lab, or with remove_device()."""
        subnet = 78 if interface else 77
        number = next(n for n in itertools.count(2) if n not in self.devices)
        self.devices[number] = device = Device(self, number, mac, subnet)
        subprocess.run(["ip", "netns", "add", device.namespace], check=True)
        self.router.run("ip", "neigh", "flush", "all")  # who had these addresses before is forgotten
        if interface:
            self.router.run("ip", "link", "add", interface, "type", "veth", "peer", "name", "eth0",
                            "address", device.mac, "netns", device.namespace)
            self.router.run("ip", "addr", "add", device.router4 + "/24", "dev", interface)
            self.router.run("ip", "-6", "addr", "add", device.router6 + "/64", "dev", interface, "nodad")
            self.router.run("ip", "link", "set", interface, "up")
        else:
            self.device.run("ip", "link", "add", "link", "eth0", "name", "new0", "address", device.mac,
                            "type", "macvlan", "mode", "bridge")
            self.device.run("ip", "link", "set", "new0", "netns", device.namespace, "name", "eth0")
        device.run("ip", "link", "set", "lo", "up")
        device.run("ip", "link", "set", "eth0", "up")
        if addresses:
            device.set_addresses()
        return device

    def remove_device(self, device):
        del self.devices[device.number]
        subprocess.run(["ip", "netns", "del", device.namespace], check=True)

    def flush_conntrack(self):
        """All connections are over at once, as far as the router's kernel knows (IPCTNL_MSG_CT_DELETE,
        without a name)."""
        with self.router.inside():
            netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        with netlink:
            netlink.send(struct.pack("=IHHIIBBH", 20, 1 << 8 | 2, 5, 1, 0, 0, 0, 0))
            length, kind, _, _, _, error = struct.unpack("=IHHIIi", netlink.recv(4096)[:20])
            assert kind == 2 and error == 0, error

    @property
    def origin_ca(self):
        return self.origin_directory / "ca.pem"

    def access_log(self):
        return (self.origin_directory / "access.log").read_text()

    def curl(self, url, *options, origin=ORIGIN4[0], ca=None, check=True, timeout=20, text=True):
        """curl on the device, which finds origin.test at this address."""
        port = 80 if url.startswith("http:") else 443
        given = re.match(r"https?://[^/:\[]*:(\d+)", url)
        if given:
            port = int(given.group(1))
        return self.device.run("curl", "-sS", "--max-time", str(int(timeout * PATIENCE)), "--cacert",
                               ca or self.origin_ca, "--resolve",
                               "origin.test:%d:%s" % (port, bracketed(origin)), *options, url,
                               check=check, timeout=timeout + 5, text=text)

    def issuer(self, origin=ORIGIN4[0], port=443, *options, device=None):
        """Whose certificate the device is shown."""
        result = (device or self.device).run("openssl", "s_client", "-connect",
                                 "%s:%d" % (bracketed(origin), port), "-servername", "origin.test",
                                 *options, check=False, input="", timeout=20)
        found = re.search(r"^issuer=(.*)$", result.stdout, re.M)
        return found.group(1) if found else None


class Engine:
    """interceptd on the router."""

    def __init__(self, lab, directory, config, arguments, environment, wrapper, fresh=False):
        self.lab = lab
        self.directory = Path(directory)
        self.config_path = self.directory / "interceptd.conf"
        self.log_path = self.directory / "log"
        self.events_path = self.directory / "eve.json"
        self.ca = self.directory / "state/ca-cert.pem"
        self.write_config(config)
        os.chown(self.directory, 0, ENGINE_USER)
        self.directory.chmod(0o775)
        if lab.keys.exists() and not fresh:
            shutil.copytree(lab.keys, self.directory / "state")
        command = lab.router.command(*wrapper, BUILD / "interceptd", "-c", self.config_path,
                                     *arguments)
        self.log_file = open(self.log_path, "ab")
        self.killed = False
        self.expected_status = 0
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log_file,
                                        stderr=self.log_file,
                                        env={**os.environ, **(environment or {})})
        lab.processes.append(self.process)

    def write_config(self, config):
        """Sections of a test's own stand beside those that keep this run apart from others."""
        common = {
            "control": {"socket": self.directory / "run/control.sock",
                        "state": self.directory / "state", "user": ENGINE_USER},
            "tls": {"ca": self.directory / "state/ca.pem", "trust": self.lab.origin_ca},
            # Off, since what ends in the kernel ends there minutes later, when other tests look; as
            # they do when it is time for statistics.
            "events": {"file": self.events_path, "ignored": "no", "stats-interval": "none"},
        }
        lines = []
        let_in(self.directory)
        for section, keys in config.items():
            merged = {**common.pop(section, {}), **keys}
            lines.append("[%s]" % section)
            for key, value in merged.items():
                for item in value if isinstance(value, list) else [value]:
                    let_in(item)
                    lines.append("%s = %s" % (key, item))
        for section, keys in common.items():
            lines.append("[%s]" % section)
            lines += ["%s = %s" % item for item in keys.items()]
        self.config_path.write_text("\n".join(lines) + "\n")

    def wait_ready(self, seconds=20):
        wait_for(lambda: " is running: " in self.log() or self.process.poll() is not None,
                 "the engine to start", seconds)
        assert self.process.poll() is None, "the engine ended:\n" + self.log()
        self.keep_keys()

    def keep_keys(self):
        """RSA keys take a while to make: later engines start where the first one has been before."""
        made = [self.directory / "state" / name for name in ("ca.pem", "ca-cert.pem", "leaf-keys.pem")]
        if not self.lab.keys.exists() and all(path.exists() for path in made):
            self.lab.keys.mkdir(mode=0o700)
            for path in made:
                shutil.copy2(path, self.lab.keys)

    def wait_refused(self):
        """It finds that it cannot start, and says why."""
        self.expected_status = 1
        assert self.process.wait(timeout=20 * PATIENCE) == 1, self.log()
        return self.log()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_log(self, pattern, count=1, seconds=10):
        wait_for(lambda: len(re.findall(pattern, self.log(), re.M)) >= count,
                 "%r in the log:\n%s" % (pattern, self.log()), seconds)
        return re.search(pattern, self.log(), re.M)

    def ctl(self, *arguments, check=True, **options):
        return self.lab.router.run(BUILD / "interceptctl", "-s", self.directory / "run/control.sock",
                                   *arguments, check=check, **options)

    def status(self):
        return json.loads(self.ctl("-j", "status").stdout)

    def ignored(self):
        """What the kernel has been taught: what is about to be, is by then."""
        time.sleep(0.03 * PATIENCE)
        return json.loads(self.ctl("-j", "ignored").stdout)

    def devices(self):
        """By MAC address."""
        return {device.get("mac"): device for device in json.loads(self.ctl("-j", "devices").stdout)}

    def flows(self, *arguments):
        """The connections that are open."""
        return json.loads(self.ctl("-j", "flows", *arguments).stdout)

    def cut(self):
        return json.loads(self.ctl("-j", "cut").stdout)

    def counters(self):
        """What the gate and the workers have seen so far."""
        status = self.status()
        return {"packets": status["gate"]["packets"],
                "accepted": status["connections"]["accepted"]}

    def records(self, event_type=None, **matching):
        text = self.events_path.read_text() if self.events_path.exists() else ""
        # The last one may not be whole yet.
        lines = [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]
        return [line for line in lines if event_type in (None, line["event_type"])
                and all(line.get(key) == value for key, value in matching.items())]

    def wait_records(self, event_type, count=1, **matching):
        wait_for(lambda: len(self.records(event_type, **matching)) >= count,
                 "%d records of type %s" % (count, event_type))
        return self.records(event_type, **matching)

    def signal(self, number):
        os.kill(self.pid(), number)
        if number == signal.SIGSTOP:
            wait_for(lambda: set(self.states()) == {"T"}, "all threads to stand still")

    def states(self):
        for stat in Path("/proc/%d/task" % self.pid()).glob("*/stat"):
            yield stat.read_text().rsplit(")", 1)[1].split()[0]

    def pid(self):
        """The engine itself, not what it was started by."""
        lock = self.directory / "run/control.sock.lock"
        return int(lock.read_text()) if lock.exists() else self.process.pid

    def thread(self, name):
        """Its number, as the kernel has it; it names itself when it has begun."""
        def find():
            return [int(task.name) for task in Path("/proc/%d/task" % self.pid()).iterdir()
                    if (task / "comm").read_text().strip() == name]
        wait_for(find, "thread " + name)
        return find()[0]

    def reload(self, config=None):
        if config is not None:
            self.write_config(config)
        before = len(re.findall(r"reloaded", self.log()))
        self.signal(signal.SIGHUP)
        wait_for(lambda: len(re.findall(r"reloaded", self.log())) > before, "the reload")

    def kill(self):
        self.killed = True
        self.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=20):
        """An engine ends well, now or before, unless a test has killed it."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=seconds * PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("the engine did not stop:\n" + self.log())
        self.log_file.close()
        assert "Sanitizer" not in self.log() and "runtime error" not in self.log(), self.log()
        assert self.killed or self.process.returncode == self.expected_status, \
            "exit status %d:\n%s" % (self.process.returncode, self.log())
        self.check_records()

    def check_records(self):
        """What it has written is as the schema has it, once it has ended."""
        import schema  # which needs this module
        for path in sorted(self.directory.glob("eve.json*")):
            if path.is_file() and path.suffix != ".gz":
                schema.check_file(path)
