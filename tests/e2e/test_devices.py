# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the devices are, and which of them are looked at."""

import json
import os
import re
import socket
import struct
import threading
import time

import pytest

from lab import DEVICE4, DEVICE6, ORIGIN4, ORIGIN6, PATIENCE, ROUTER4, bracketed, wait_for
from peers import s_server

ORIGIN = {"ipv4": ORIGIN4[0], "ipv6": ORIGIN6[0]}
OTHER = {"ipv4": ORIGIN4[1], "ipv6": ORIGIN6[1]}
FIRST = {"ipv4": DEVICE4, "ipv6": DEVICE6}
OURS, THEIRS = "O = interceptd,", "interceptd lab"
FAMILIES = pytest.mark.parametrize("family", ["ipv4", "ipv6"])
RASPBERRY = "28:cd:c1:00:00:01"


@pytest.fixture
def add_device(lab):
    """Devices that are there for one test."""
    added = []

    def add(**options):
        added.append(lab.add_device(**options))
        return added[-1]

    yield add
    for device in added:
        lab.remove_device(device)


def issuer(lab, device, origin):
    return lab.issuer(origin, device=device)


def packets(started):
    return started.counters()["packets"]


def mac_of(host):
    return json.loads(host.run("ip", "-j", "link", "show", "eth0").stdout)[0]["address"]


def chain(lab):
    """The rules that devices are excluded by, as the kernel has them."""
    text = lab.router.run("nft", "list", "chain", "inet", "interceptd", "exclusions").stdout
    return [line.strip() for line in text.splitlines()[2:-2]]


# ---- excluded in the kernel ----

@FAMILIES
@pytest.mark.parametrize("by", ["mac", "address", "network"])
def test_an_excluded_device_never_reaches_the_queue(lab, engine, add_device, family, by):
    cam = add_device()
    network = {"ipv4": "10.77.0.%d/31" % (int(cam.address4.split(".")[-1]) & ~1),
               "ipv6": cam.address6 + "/128"}
    key = {"mac": ("mac", cam.mac), "address": ("address", cam.address(family)),
           "network": ("address", network[family])}[by]
    started = engine({"device cam": {key[0]: key[1], "intercept": "no"}})
    for _ in range(3):
        assert THEIRS in issuer(lab, cam, ORIGIN[family])
    assert packets(started) == 0
    assert OURS in issuer(lab, lab.device, ORIGIN[family])
    assert packets(started) == 1


@FAMILIES
def test_all_devices_behind_an_interface_may_be_excluded(lab, engine, add_device, family):
    guest = add_device(interface="guest0")
    started = engine({"device guests": {"interface": "guest0", "intercept": "no"}})
    assert THEIRS in issuer(lab, guest, ORIGIN[family])
    assert packets(started) == 0
    assert OURS in issuer(lab, lab.device, ORIGIN[family])


@FAMILIES
def test_the_first_section_that_fits_decides(lab, engine, add_device, family):
    cam = add_device()
    everybody = {"address": {"ipv4": "10.77.0.0/24", "ipv6": "2001:db8:77::/64"}[family], "intercept": "no"}
    started = engine({"device cam": {"mac": cam.mac}, "device everybody": everybody})
    assert OURS in issuer(lab, cam, ORIGIN[family])
    assert THEIRS in issuer(lab, lab.device, ORIGIN[family])
    assert packets(started) == 1
    started.reload({"device everybody": everybody, "device cam": {"mac": cam.mac}})
    assert THEIRS in issuer(lab, cam, ORIGIN[family])
    assert THEIRS in issuer(lab, lab.device, ORIGIN[family])
    assert packets(started) == 1


@FAMILIES
def test_of_listed_devices_alone_connections_are_looked_at(lab, engine, add_device, family):
    cam, tv = add_device(), add_device()
    started = engine({"network": {"devices": "listed"}, "device cam": {"mac": cam.mac},
                      "device tv": {"mac": tv.mac, "intercept": "no"}})
    assert THEIRS in issuer(lab, lab.device, ORIGIN[family])
    assert THEIRS in issuer(lab, tv, ORIGIN[family])
    assert packets(started) == 0
    assert OURS in issuer(lab, cam, ORIGIN[family])


@FAMILIES
def test_quic_of_an_excluded_device_flows(lab, engine, add_device, family):
    cam = add_device()
    started = engine({"device cam": {"mac": cam.mac, "intercept": "no"}})
    kind = socket.AF_INET6 if family == "ipv6" else socket.AF_INET
    with lab.origin.inside():
        server = socket.socket(kind, socket.SOCK_DGRAM)
    with server:
        server.bind((ORIGIN[family], 443))
        server.settimeout(5 * PATIENCE)

        def probe(host):
            with host.inside():
                client = socket.socket(kind, socket.SOCK_DGRAM)
            with client:
                client.settimeout(5 * PATIENCE)
                client.connect((ORIGIN[family], 443))
                client.send(b"ping")
                data, peer = server.recvfrom(100)
                server.sendto(data, peer)
                return client.recv(100)

        with pytest.raises(OSError):  # refused, and nothing comes at the origin
            server.settimeout(0.5 * PATIENCE)
            probe(lab.device)
        server.settimeout(5 * PATIENCE)
        assert probe(cam) == b"ping"  # also to what is refused to others by now
    assert packets(started) == 1


@FAMILIES
def test_without_a_queue_excluded_devices_are_not_taken(lab, engine, add_device, family):
    cam = add_device()
    started = engine({"network": {"queue": "none"}, "device cam": {"mac": cam.mac, "intercept": "no"}})
    assert THEIRS in issuer(lab, cam, ORIGIN[family])
    assert started.counters()["accepted"] == 0
    assert OURS in issuer(lab, lab.device, ORIGIN[family])
    wait_for(lambda: started.devices()[mac_of(lab.device)]["taken"] == 1, "the connection to be counted")


def test_the_kernels_rules_are_the_sections(lab, engine):
    started = engine({
        "network": {"devices": "listed"},
        "device a": {"mac": "28:CD:C1:00:00:01", "address": "192.0.2.7", "interface": "wlan1"},
        "device b": {"address": "192.0.2.9/24", "intercept": "no"},
        "device c": {"address": "192.0.2.129/25", "intercept": "no"},
        "device d": {"address": "2001:db8:9::/48", "intercept": "no"},
        "device e": {"address": "2001:db8:9::7"},
        "device f": {"address": "0.0.0.0/0", "intercept": "no"}})
    assert chain(lab) == [
        "ether saddr 28:cd:c1:00:00:01 return", "ip saddr 192.0.2.7 return", 'iifname "wlan1" return',
        "ip saddr 192.0.2.0/24 goto pass", "ip saddr 192.0.2.128/25 goto pass",
        "ip6 saddr 2001:db8:9::/48 goto pass", "ip6 saddr 2001:db8:9::7 return",
        "meta nfproto ipv4 goto pass", "goto pass"]
    started.reload({})
    assert chain(lab) == []


def test_a_reload_changes_who_is_excluded_and_nothing_else(lab, engine, add_device):
    cam = add_device()
    excluded = {"ignore": {"pattern": r"^203\.0\.113\.2:"},
                "device cam": {"mac": cam.mac, "intercept": "no"}}
    started = engine({})
    assert OURS in issuer(lab, cam, ORIGIN4[0])
    with lab.device.connect(ORIGIN4[0]) as open_connection:
        started.reload(excluded)
        assert THEIRS in issuer(lab, cam, ORIGIN4[0])
        assert OURS in issuer(lab, lab.device, ORIGIN4[0])
        handles = lab.router.run("nft", "-a", "list", "chain", "inet", "interceptd", "exclusions").stdout
        started.reload(excluded)  # the same: nothing is built anew
        assert handles == lab.router.run("nft", "-a", "list", "chain", "inet", "interceptd",
                                         "exclusions").stdout
        started.reload({"device cam": {"mac": cam.mac, "intercept": "yes"}})
        assert OURS in issuer(lab, cam, ORIGIN4[0])
        open_connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert open_connection.recv(100)


def test_a_thousand_devices_have_their_rules(lab, engine, add_device):
    cam = add_device()
    config = {"device %d" % i: {"mac": "02:00:5e:99:%02x:%02x" % (i >> 8, i & 255), "interface": "eth%d" % i,
                                "address": "192.0.2.%d" % (i & 255), "intercept": "no"} for i in range(1023)}
    config["device cam"] = {"mac": cam.mac, "intercept": "no"}
    started = engine(config)
    assert len(chain(lab)) == 3 * 1023 + 1
    assert THEIRS in issuer(lab, cam, ORIGIN4[0])
    assert packets(started) == 0
    assert OURS in issuer(lab, lab.device, ORIGIN4[0])
    started.reload({"device cam": config["device cam"]})
    assert len(chain(lab)) == 1


def test_too_many_sections_are_an_error(lab, engine):
    config = {"device %d" % i: {"interface": "eth%d" % i} for i in range(1025)}
    log = engine(config, wait=False).wait_refused()
    assert "more than 1024 [device NAME] sections" in log


def test_in_somebody_elses_ruleset_excluded_devices_pass_after_they_were_asked_about(lab, engine, add_device):
    from test_ruleset import load_external
    cam = add_device()
    network = load_external(lab)
    try:
        started = engine({"network": network, "device cam": {"mac": cam.mac, "intercept": "no"}})
        assert THEIRS in issuer(lab, cam, ORIGIN4[0])
        assert chain(lab) == []
        reasons = [record["intercept"]["reason"] for record in started.wait_records("intercept")]
        assert reasons == ["device"]
        started.stop()
    finally:
        lab.router.run("nft", "delete", "table", "inet", "interceptd")


# ---- decided in other ways ----

@FAMILIES
def test_a_device_has_patterns_of_its_own(lab, engine, add_device, family):
    cam = add_device()
    started = engine({"device cam": {"mac": cam.mac, "pattern": "^%s:443$" % re.escape(ORIGIN[family])}})
    assert THEIRS in issuer(lab, cam, ORIGIN[family])
    assert OURS in issuer(lab, cam, OTHER[family])
    assert OURS in issuer(lab, lab.device, ORIGIN[family])  # the kernel was not taught for everybody
    assert THEIRS in issuer(lab, cam, ORIGIN[family])


@FAMILIES
def test_a_device_has_tls_settings_of_its_own(lab, engine, add_device, family):
    cam = add_device()
    started = engine({"network": {"port": 4433}, "device cam": {"mac": cam.mac, "min-version": "1.3"}})
    server = s_server(lab, 4433, "-www")

    def speak(host):
        return host.run("openssl", "s_client", "-connect", bracketed(ORIGIN[family]) + ":4433", "-tls1_2",
                        input="", check=False)

    assert "alert protocol version" in speak(cam).stderr
    assert OURS in speak(lab.device).stdout
    server.kill()
    flow = started.wait_records("flow", 2)[0]
    assert flow["intercept"]["device"]["name"] == "cam"


# ---- names ----

def lease_config(path, **more):
    path.touch()
    return {"network": {"leases": path, **more}}


def name_of(started, device):
    return started.devices().get(device.mac, {}).get("name")


@FAMILIES
def test_every_record_and_every_line_of_a_connection_names_the_device(lab, engine, add_device, family):
    cam = add_device()
    pattern = "^%s:443$" % re.escape(OTHER[family])
    started = engine({"ignore": {"pattern": pattern}, "device cam": {"mac": cam.mac}})
    assert OURS in issuer(lab, cam, ORIGIN[family])
    assert THEIRS in issuer(lab, cam, OTHER[family])
    who = re.escape(bracketed(cam.address(family))) + r":\d+ \(cam\)"
    origin, other = bracketed(ORIGIN[family]) + ":443", bracketed(OTHER[family]) + ":443"
    started.wait_log(r"^clientconnect %s$" % who)
    started.wait_log(r"^serverconnect -> %s   \(to ignore it: .*\) for %s$" % (re.escape(origin), who))
    started.wait_log(r"^clientdisconnect %s from %s: " % (who, re.escape(origin)))
    started.wait_log(r"^ignored %s by %s \(.*\) for %s$" % (re.escape(other), re.escape(pattern), who))
    started.wait_records("flow")
    for record in started.records():
        device = record["intercept"]["device"]
        assert (device["name"], device["mac"], device["randomized"]) == ("cam", cam.mac, True)
        assert time.time() - 600 < time.mktime(time.strptime(device["first_seen"][:19], "%Y-%m-%dT%H:%M:%S"))
    assert {record["event_type"] for record in started.records()} == {"intercept", "tls", "alert", "flow"}


def run_dhcp(lab, directory, device, name):
    """dnsmasq on the router, and a DHCP client on the device."""
    leases = directory / "dnsmasq.leases"
    leases.touch()
    leases.chmod(0o644)
    server = lab.router.spawn("dnsmasq", "--keep-in-foreground", "--no-resolv", "--port=0", "--user=root",
                              "--conf-file=/dev/null", "--interface=lan0", "--bind-interfaces",
                              "--dhcp-authoritative", "--dhcp-range=10.77.0.100,10.77.0.120,1h",
                              "--dhcp-leasefile=%s" % leases, "--pid-file=")
    script = directory / "udhcpc.sh"
    script.write_text("#!/bin/sh\n[ \"$1\" = bound ] || exit 0\nip addr add $ip/24 dev $interface\n"
                      "ip route add default via $router\n")
    script.chmod(0o755)
    device.run("busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "10", "-T", "1", "-s", script,
               "-x", "hostname:" + name)
    return server


def test_a_name_comes_from_a_real_dhcp_server(lab, engine, add_device, tmp_path):
    cam = add_device(addresses=False)
    started = engine(lease_config(tmp_path / "dnsmasq.leases"))
    server = run_dhcp(lab, tmp_path, cam, "cam-in-the-hall")
    try:
        started.wait_log(r"^names of devices are read from .*/dnsmasq\.leases \(dnsmasq\)$")
        assert OURS in issuer(lab, cam, ORIGIN4[0])
        started.wait_log(r"^clientconnect 10\.77\.0\.1\d\d:\d+ \(cam-in-the-hall\)$")
        listed = started.devices()[cam.mac]
        assert (listed["name"], listed["name_source"]) == ("cam-in-the-hall", "dhcp")
        assert started.wait_records("flow")[0]["intercept"]["device"]["name"] == "cam-in-the-hall"
    finally:
        server.terminate()
        server.wait()


LEASES = {
    "dnsmasq": "1900000000 {mac} {ip4} {name} *\nduid 00:01:00:01:2c:f3:63:11:02:00:5e:10:00:00\n"
               "1900000000 7 {ip6} {name} 00:03:00:01:02:00:5e:10:00:01\n",
    "ISC dhcpd": "# The format of this file is documented in the dhcpd.leases(5) manual page.\n"
                 "authoring-byte-order little-endian;\nlease {ip4} {{\n  binding state active;\n"
                 "  hardware ethernet {mac};\n  client-hostname \"{name}\";\n}}\n",
    "odhcpd": "# lan0 {bare} ipv4 {name} 1900000000 a4d0002 32 {ip4}/32\n{ip4}\t{name}.lan\t{name}\n"
              "# lan0 00030001 7 {name} 1900000000 2 128 {ip6}/128\n",
    "Kea": "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state\n"
           "{ip4},{mac},,3600,1900000000,1,0,0,{name},0\n",
}


@FAMILIES
@pytest.mark.parametrize("server", sorted(LEASES))
def test_the_leases_of_every_server_are_read(lab, engine, add_device, tmp_path, family, server):
    cam = add_device()
    path = tmp_path / "leases"
    text = LEASES[server].format(mac=cam.mac, bare=cam.mac.replace(":", ""), ip4=cam.address4,
                                 ip6=cam.address6, name="cam")
    config = lease_config(path)
    path.write_text(text)
    started = engine(config)
    started.wait_log(r"^names of devices are read from .*/leases \(%s\)$" % server)
    assert OURS in issuer(lab, cam, ORIGIN[family])
    started.wait_log(r"^clientconnect %s:\d+ \(cam\)$" % re.escape(bracketed(cam.address(family))))


def test_an_ipv6_lease_names_the_device_by_its_address(lab, engine, add_device, tmp_path):
    cam = add_device()
    config = lease_config(tmp_path / "leases")
    (tmp_path / "leases").write_text("1900000000 7 %s cam6 00:03:00:01\n" % cam.address6)
    started = engine(config)
    started.wait_log("names of devices are read")
    assert OURS in issuer(lab, cam, ORIGIN4[0])
    started.wait_log(r"^clientconnect %s:\d+$" % re.escape(cam.address4))  # nobody knows yet
    assert OURS in issuer(lab, cam, ORIGIN6[0])
    started.wait_log(r"\(cam6\)$")
    assert OURS in issuer(lab, cam, ORIGIN4[0])
    started.wait_log(r"^clientconnect %s:\d+ \(cam6\)$" % re.escape(cam.address4))


def test_a_lease_that_changes_is_noticed(lab, engine, add_device, tmp_path):
    cam = add_device()
    path = tmp_path / "leases"
    line = "1900000000 %s %s %%s *\n" % (cam.mac, cam.address4)
    started = engine(lease_config(path))
    assert OURS in issuer(lab, cam, ORIGIN4[0])
    assert name_of(started, cam) is None
    path.write_text(line % "one")
    wait_for(lambda: name_of(started, cam) == "one", "the name")
    path.write_text(line % "two")
    wait_for(lambda: name_of(started, cam) == "two", "the new name")
    replacement = tmp_path / "new"
    replacement.write_text(line % "six")  # of the same size, in another file's place
    replacement.rename(path)
    wait_for(lambda: name_of(started, cam) == "six", "the newest name")
    path.write_text("")
    wait_for(lambda: name_of(started, cam) is None, "the name to go")
    path.unlink()
    time.sleep(3)
    path.write_text(line % "back")
    wait_for(lambda: name_of(started, cam) == "back", "the name to come back")


def test_a_change_of_the_rules_leaves_every_device_its_name(lab, engine, add_device, tmp_path):
    """Also while there are many leases to read."""
    cam = add_device()
    path = tmp_path / "leases"
    others = ("1900000000 02:00:5e:99:%02x:%02x 10.99.%d.%d host%d-%d *\n" % (i, k, i, k, i, k)
              for i in range(60) for k in range(250))
    path.write_text("1900000000 %s %s cam *\n" % (cam.mac, cam.address4) + "".join(others))
    started = engine(lease_config(path))
    started.wait_log("names of devices are read from")
    done = threading.Event()

    def change():
        while not done.is_set():
            started.ctl("ignore", "add", "^a$")
            started.ctl("ignore", "del", "^a$")

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(100):
            cam.connect(ORIGIN4[0]).close()
            time.sleep(0.01)
    finally:
        done.set()
        changing.join()
    started.wait_log("^clientconnect %s:" % re.escape(cam.address4), 100)
    nameless = re.findall(r"^clientconnect %s:\d+$" % re.escape(cam.address4), started.log(), re.MULTILINE)
    assert nameless == []


def test_the_operators_name_goes_before_the_servers_and_that_before_the_devices_own(
        lab, engine, add_device, tmp_path):
    cam = add_device()
    path = tmp_path / "leases"
    started = engine(lease_config(path))
    assert OURS in issuer(lab, cam, ORIGIN4[0])
    announce(cam, cam.address4, record("own.local", cam.address4))
    wait_for(lambda: name_of(started, cam) == "own.local", "the device's own name")
    path.write_text("1900000000 %s %s leased *\n" % (cam.mac, cam.address4))
    wait_for(lambda: name_of(started, cam) == "leased", "the server's name")
    started.reload({**lease_config(path), "device given": {"address": cam.address4}})
    assert name_of(started, cam) == "given"
    assert started.devices()[cam.mac]["name_source"] == "config"
    started.reload({"network": {"leases": "none"}})
    assert name_of(started, cam) == "own.local"


def test_files_that_cannot_be_read_are_told_once(lab, engine, add_device, tmp_path):
    closed, missing, other, pipe = (tmp_path / name for name in ("closed", "missing", "other", "pipe"))
    closed.write_text("1900000000 02:00:5e:10:00:01 10.77.0.9 cam *\n")
    closed.chmod(0o600)
    other.write_text("root:x:0:0:root:/root:/bin/bash\n")
    os.mkfifo(pipe)
    started = engine({"network": {"leases": " ".join(map(str, (closed, missing, other, pipe))),
                                  "vendors": tmp_path / "no-vendors"}})
    time.sleep(5)
    started.reload()
    log = started.log()
    for told in (r"warning: .*/closed cannot be read: Permission denied: ",
                 r"there is no .*/missing yet",
                 r"warning: .*/other has no leases in it",
                 r"warning: .*/pipe cannot be read: "):
        assert len(re.findall(told, log)) == 1, told + log
    assert re.search("vendors of devices are not known: .*/no-vendors: No such file", log)
    assert OURS in issuer(lab, lab.device, ORIGIN4[0])


HOSTILE = {
    "escapes": "1900000000 MAC IP \x1b]0;x\x07cam)\x1b[2J *\n",
    "newline": "lease IP { hardware ethernet MAC; client-hostname \"a\nclientconnect b (c)\"; }\n",
    "long": "1900000000 MAC IP " + "x" * 1000000 + " *\n",
    "deep": "lease IP " + "{" * 1000000,
    "binary": "".join(map(chr, range(256))) * 1000 + "\n1900000000 MAC IP cam *\n",
    "many": "".join("1900000000 02:00:5e:98:%02x:%02x 10.9.%d.%d x *\n" % (i >> 8, i & 255, i >> 8, i & 255)
                    for i in range(40000)) + "1900000000 MAC IP cam *\n",
}


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_hostile_leases_do_no_harm(lab, engine, add_device, tmp_path, kind):
    cam = add_device()
    path = tmp_path / "leases"
    config = lease_config(path)
    path.write_bytes(HOSTILE[kind].replace("MAC", cam.mac).replace("IP", cam.address4).encode("latin-1"))
    started = engine(config)
    assert OURS in issuer(lab, cam, ORIGIN4[0])
    name = name_of(started, cam) or "nothing"
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,63}", name)
    line = started.wait_log(r"^clientconnect %s:\d+( \([A-Za-z0-9._-]+\))?$" % re.escape(cam.address4))
    assert line
    assert len(re.findall("^clientconnect", started.log(), re.M)) == 1


# ---- multicast DNS ----

def labels(name):
    return b"".join(bytes([len(part)]) + part for part in name.encode().split(b".")) + b"\0"


def record(name, address, ttl=120):
    six = ":" in address
    data = socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, address)
    return labels(name) + struct.pack(">HHIH", 28 if six else 1, 0x8001, ttl, len(data)) + data


def response(*records):
    return struct.pack(">6H", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records)


def announce(host, source, *records, port=5353, packet=None, interface="eth0"):
    """As a device does, from its own address and port."""
    six = ":" in source
    with host.inside():
        sender = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
        index = socket.if_nametoindex(interface)
    with sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if six:
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            sender.bind((source, port))
            sender.sendto(packet or response(*records), ("ff02::fb", 5353, 0, index))
        else:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
            sender.bind((source, port))
            sender.sendto(packet or response(*records), ("224.0.0.251", 5353))


def hello(host, neighbour):
    """Any packet: by then the two know each other's MAC address."""
    with host.inside():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender:
        sender.sendto(b"hello", (neighbour, 9))


@FAMILIES
def test_a_device_tells_its_name_by_multicast_dns(lab, engine, add_device, family):
    cam = add_device()
    started = engine()
    assert OURS in issuer(lab, cam, ORIGIN[family])
    announce(cam, cam.address(family), record("cam.local", cam.address(family)))
    wait_for(lambda: name_of(started, cam) == "cam.local", "the name")
    assert started.devices()[cam.mac]["name_source"] == "mdns"
    assert OURS in issuer(lab, cam, ORIGIN[family])
    started.wait_log(r"^clientconnect %s:\d+ \(cam\.local\)$" % re.escape(bracketed(cam.address(family))))


def link_local(host, interface):
    told = host.run("ip", "-6", "-o", "addr", "show", "dev", interface, "scope", "link", "-tentative").stdout
    found = re.search(r"inet6 (fe80::[0-9a-f:]+)/", told)
    return found and found.group(1)


def test_a_name_told_from_a_link_local_address_is_the_devices(lab, engine, add_device):
    cam = add_device()
    started = engine()
    assert OURS in issuer(lab, cam, ORIGIN6[0])
    local = wait_for(lambda: link_local(cam, "eth0"), "the device's address")
    router = link_local(lab.router, "lan0")
    with cam.inside():
        probe = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        scope = socket.if_nametoindex("eth0")
    with probe:  # so that the router has heard of it, as of every device that it routes for
        probe.bind((local, 0, 0, scope))
        probe.sendto(b"x", (router, 9, 0, scope))
    with cam.inside():
        sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with sender:
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, scope)
        sender.bind((local, 5353, 0, scope))
        wait_for(lambda: sender.sendto(response(record("cam.local", local)), ("ff02::fb", 5353, 0, scope))
                 and name_of(started, cam) == "cam.local", "the name")


@FAMILIES
def test_a_name_that_was_told_before_the_first_connection_is_known(lab, engine, add_device, family):
    cam = add_device()
    started = engine()
    announce(cam, cam.address(family), record("early.local", cam.address(family)))
    time.sleep(0.5)
    assert OURS in issuer(lab, cam, ORIGIN[family])
    started.wait_log(r"^clientconnect .* \(early\.local\)$")


@FAMILIES
def test_a_device_can_name_only_itself(lab, engine, add_device, family):
    cam, thief = add_device(), add_device()
    started = engine()
    for device in (cam, thief):
        assert OURS in issuer(lab, device, ORIGIN[family])
    announce(thief, thief.address(family), record("mine.local", cam.address(family)))
    announce(thief, thief.address(family), record("late.local", thief.address(family)), port=5354)
    announce(thief, thief.address(family), record("www.example.com", thief.address(family)))
    announce(thief, thief.address(family), record("thief.local", thief.address(family)))
    wait_for(lambda: name_of(started, thief) == "thief.local", "the last of them")
    assert name_of(started, cam) is None


def test_nothing_is_heard_from_the_side_of_the_servers(lab, engine, add_device):
    started = engine()
    assert OURS in issuer(lab, lab.device, ORIGIN4[0])
    hello(lab.origin, "198.51.100.1")
    announce(lab.origin, "198.51.100.2", record("origin.local", "198.51.100.2"))
    announce(lab.device, DEVICE4, record("device.local", DEVICE4))
    wait_for(lambda: started.devices()[mac_of(lab.device)].get("name") == "device.local", "the device's name")
    assert mac_of(lab.origin) not in started.devices()


def test_multicast_dns_can_be_left_alone(lab, engine, add_device):
    cam = add_device()
    started = engine({"network": {"watch-mdns": "no"}})
    listening = lab.router.run("ss", "-lnu").stdout
    assert ":5353" not in listening
    started.reload({})
    wait_for(lambda: ":5353" in lab.router.run("ss", "-lnu").stdout, "it to listen")
    assert "0.0.0.0:5353" not in lab.router.run("ss", "-lnu").stdout  # who else listens gets what is his
    started.reload({"network": {"watch-mdns": "no"}})
    assert ":5353" not in lab.router.run("ss", "-lnu").stdout
    assert cam.mac


def test_others_on_this_box_hear_multicast_dns_all_the_same(lab, engine, add_device):
    cam = add_device()
    with lab.router.inside():
        avahi = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with avahi:
        avahi.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        avahi.bind(("", 5353))
        group = socket.inet_aton("224.0.0.251") + socket.inet_aton(ROUTER4)
        avahi.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        avahi.settimeout(5 * PATIENCE)
        started = engine()
        announce(cam, cam.address4, record("cam.local", cam.address4))
        assert b"cam" in avahi.recv(9000)
        with cam.inside():
            direct = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with direct:
            for i in range(20):
                direct.sendto(b"%d" % i, (ROUTER4, 5353))
                assert avahi.recv(100) == b"%d" % i
        assert OURS in issuer(lab, cam, ORIGIN4[0])
        started.wait_log(r"\(cam\.local\)$")


def test_an_interface_that_comes_later_is_listened_on(lab, engine, add_device):
    started = engine()
    guest = add_device(interface="guest1")
    wait_for(lambda: "guest1" in started.status()["gate"]["lan"], "the interface")
    wait_for(lambda: lab.router.run("ss", "-lnu6").stdout.count("%guest1") == 1, "it to listen there")
    hello(guest, guest.router4)
    announce(guest, guest.address4, record("guest.local", guest.address4))
    wait_for(lambda: name_of(started, guest) == "guest.local", "the name")
    lab.router.run("ip", "link", "del", "guest1")
    wait_for(lambda: "%guest1" not in lab.router.run("ss", "-lnu6").stdout, "it to be given up")


@FAMILIES
def test_hostile_multicast_dns_does_no_harm(lab, engine, add_device, family):
    cam, thief = add_device(), add_device()
    started = engine()
    for device in (cam, thief):
        assert OURS in issuer(lab, device, ORIGIN[family])
    address = thief.address(family)
    good = record("x.local", address)
    for packet in (b"", b"\0" * 11, struct.pack(">6H", 0, 0x8400, 65535, 65535, 65535, 65535),
                   struct.pack(">6H", 0, 0x8400, 0, 1, 0, 0) + b"\xc0\x0c" + good[9:],
                   struct.pack(">6H", 0, 0x8400, 0, 1, 0, 0) + b"\x3f" * 500,
                   response(record("a" * 63 + ".local", address)), response(good[:-1]),
                   response(*[good] * 200)[:1400], os.urandom(1400)):
        announce(thief, address, packet=packet or b"\0")
    announce(thief, address, record("a\x1b[2J(b)\n.local", address))
    for _ in range(2000):
        announce(thief, address, record("flood.local", cam.address(family)))
    time.sleep(1)  # until there is an ear for it again
    announce(cam, cam.address(family), record("cam.local", cam.address(family)))
    wait_for(lambda: announce(cam, cam.address(family), record("cam.local", cam.address(family)))
             or name_of(started, cam) == "cam.local", "the good one")
    assert re.fullmatch(r"[A-Za-z0-9._-]+\.local", name_of(started, thief))
    assert OURS in issuer(lab, cam, ORIGIN[family])
    assert "\x1b" not in started.log()


# ---- vendors, and the list ----

@FAMILIES
def test_the_vendor_is_known_by_the_mac_and_a_randomized_one_is_marked(lab, engine, add_device, family):
    raspberry, phone = add_device(mac=RASPBERRY), add_device()
    started = engine()
    for device in (raspberry, phone):
        assert OURS in issuer(lab, device, ORIGIN[family])
    told = {flow["intercept"]["device"]["mac"]: flow["intercept"]["device"]
            for flow in started.wait_records("flow", 2)}
    assert told[RASPBERRY]["vendor"] == "Raspberry Pi Trading Ltd"
    assert "randomized" not in told[RASPBERRY]
    assert told[phone.mac]["randomized"] is True and "vendor" not in told[phone.mac]
    listed = started.devices()
    assert listed[RASPBERRY]["vendor"] == "Raspberry Pi Trading Ltd"
    assert (listed[RASPBERRY]["randomized"], listed[phone.mac]["randomized"]) == (False, True)


def test_the_list_of_vendors_may_be_another_one_or_none(lab, engine, add_device, tmp_path):
    raspberry = add_device(mac=RASPBERRY)
    vendors = tmp_path / "oui.txt"
    vendors.write_text("28-CD-C1   (hex)\t\tSomebody Else\n")
    started = engine({"network": {"vendors": vendors}})
    assert OURS in issuer(lab, raspberry, ORIGIN4[0])
    assert started.devices()[RASPBERRY]["vendor"] == "Somebody Else"
    vendors.write_text("28-CD-C1   (hex)\t\tAnybody\n")
    started.reload()
    assert started.devices()[RASPBERRY]["vendor"] == "Anybody"
    started.reload({"network": {"vendors": "none"}})
    assert "vendor" not in started.devices()[RASPBERRY]


def test_the_list_tells_who_is_there_and_what_becomes_of_them(lab, engine, add_device):
    cam, tv, phone = add_device(), add_device(), add_device()
    before = int(time.time())
    started = engine({"ignore": {"pattern": r"^203\.0\.113\.2:443$"},
                      "device cam": {"mac": cam.mac},
                      "device tv": {"mac": tv.mac, "intercept": "no"}})
    for _ in range(2):
        assert OURS in issuer(lab, cam, ORIGIN4[0])
    assert THEIRS in issuer(lab, cam, ORIGIN4[1])
    assert OURS in issuer(lab, cam, ORIGIN6[0])
    assert THEIRS in issuer(lab, tv, ORIGIN4[0])
    assert OURS in issuer(lab, phone, ORIGIN4[0])
    listed = started.devices()
    told = listed[cam.mac]
    assert {key: told[key] for key in ("name", "name_source", "section", "intercepted", "taken", "passed",
                                       "interface")} == \
        {"name": "cam", "name_source": "config", "section": "cam", "intercepted": True, "taken": 3,
         "passed": 1, "interface": "lan0"}
    assert set(told["addresses"]) == {cam.address4, cam.address6}
    assert before - 1 <= told["first_seen"] <= told["last_seen"] <= time.time() + 1
    # It has never asked us: the kernel knows it.
    told = listed[tv.mac]
    assert (told["name"], told["section"], told["intercepted"]) == ("tv", "tv", False)
    assert (told["taken"], told["passed"]) == (0, 0)
    assert tv.address4 in told["addresses"]
    assert "name" not in listed[phone.mac] and listed[phone.mac]["intercepted"] is True
    assert mac_of(lab.origin) not in listed
    text = started.ctl("devices").stdout
    heads = ["NAME", "MAC", "VENDOR", "INTERFACE", "SEEN", "INTERCEPTED", "OUR", "CA", "SECTION", "TAKEN",
             "PASSED", "ADDRESSES"]
    assert text.split("\n")[0].split() == heads
    assert re.search(r"^cam +%s +\(randomized\) +lan0 +\d+s +yes +missing +cam +3 +1  .*%s" % (
        cam.mac, re.escape(cam.address4)), text, re.M)
    assert re.search(r"^tv +%s .* no +unknown +tv +0 +0 " % tv.mac, text, re.M)


def test_where_devices_are_listed_all_others_are_told_to_pass(lab, engine, add_device):
    cam, phone = add_device(), add_device()
    started = engine({"network": {"devices": "listed"}, "device cam": {"mac": cam.mac}})
    for device in (cam, phone):
        assert issuer(lab, device, ORIGIN4[0])
    listed = started.devices()
    assert (listed[cam.mac]["intercepted"], listed[phone.mac]["intercepted"]) == (True, False)
