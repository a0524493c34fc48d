# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers for Prometheus, and the events of type stats, tell what the records tell."""

from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from lab import ORIGIN4, wait_for


def metrics(started):
    """{(name, labels as sorted pairs): value}, as Prometheus' own client library reads the page."""
    samples = {}
    for family in text_string_to_metric_families(started.ctl("metrics").stdout):
        assert family.documentation and family.type in ("counter", "gauge", "histogram"), family
        assert family.samples or family.name == "interceptd_sink_up", family
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in samples, key
            samples[key] = sample.value
    return samples


def value(samples, name, **labels):
    return samples[name, tuple(sorted(labels.items()))]


def by_labels(samples, name, *labels):
    """What is not 0 of them, by the values of these labels."""
    return {tuple(dict(pairs)[label] for label in labels): count
            for (found, pairs), count in samples.items() if found == name and count}


def connect_in_all_ways(lab, started):
    """Intercepted, refused by the device, passed on after its first bytes, and in the kernel."""
    for path in ("/hello", "/who"):
        lab.curl("https://origin.test" + path, ca=started.ca, check=False)
    lab.curl("https://origin.test/hello", check=False)
    lab.curl("https://origin.test/hello", origin=ORIGIN4[1])
    with lab.device.connect(ORIGIN4[0]) as connection:
        connection.sendall(b"neither TLS nor HTTP\r\n\r\n")
        connection.recv(1000)
    with lab.device.connect(ORIGIN4[0]):
        pass  # gone before anything was known


def test_metrics_count_what_the_records_tell(lab, engine):
    started = engine({"ignore": {"pattern": r"^203\.0\.113\.2:443$"}})
    assert by_labels(metrics(started), "interceptd_connections_total", "action", "reason") == {}
    connect_in_all_ways(lab, started)
    flows = [record["intercept"] for record in started.wait_records("flow", 5)]
    samples = metrics(started)
    assert by_labels(samples, "interceptd_connections_total", "action", "reason") == Counter(
        (flow.get("action", "none"), flow.get("reason", "undecided")) for flow in flows)
    assert by_labels(samples, "interceptd_endings_total", "ending") == Counter(
        (flow["ending"],) for flow in flows)
    assert by_labels(samples, "interceptd_handshake_failures_total", "side", "alert") == {
        ("device", "unknown CA"): 1}
    for side, leg in (("device", "client"), ("origin", "upstream")):
        times = [flow[leg]["handshake_ms"] for flow in flows if "version" in flow.get(leg, {})]
        count = value(samples, "interceptd_handshake_seconds_count", side=side)
        assert count == len(times)
        assert count == value(samples, "interceptd_handshake_seconds_bucket", side=side, le="+Inf")
        assert abs(value(samples, "interceptd_handshake_seconds_sum", side=side) - sum(times) / 1000) < 0.0005
    for direction in ("to_server", "to_client"):
        assert value(samples, "interceptd_bytes_total", side="device", direction=direction) == sum(
            record["flow"]["bytes_" + direction.replace("_", "")] for record in started.records("flow"))
    status = started.status()
    assert value(samples, "interceptd_connections_active") == 0
    assert value(samples, "interceptd_forge_seconds_count") == status["certificates"]["forged"] == 1
    assert value(samples, "interceptd_leaf_cache_hits_total") == status["certificates"]["reused"] == 2
    assert value(samples, "interceptd_policy_revision") == 1
    assert value(samples, "interceptd_sink_up", sink="events") == 1
    assert value(samples, "interceptd_decisions_total", verdict="pass") == 1


def test_metrics_of_what_ended_in_the_kernel_are_by_reason(lab, engine):
    lab.flush_conntrack()  # what other tests have left ends now, too
    started = engine({"ignore": {"pattern": r"^203\.0\.113\.2:443$"}, "events": {"ignored": "yes"}})
    lab.router.run("sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_time_wait=1")
    try:
        lab.curl("https://origin.test/hello", origin=ORIGIN4[1])
        # Where somebody looks the kernel notices what is over.
        wait_for(lambda: started.flows() is not None and started.records("flow"), "the record", 20)
    finally:
        lab.router.run("sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_time_wait=120")
    (flow,) = started.records("flow")
    assert flow["intercept"]["reason"] == "rule"
    assert by_labels(metrics(started), "interceptd_connections_total", "action", "reason") == {
        ("bypass", "rule"): 1}


def test_what_the_queue_has_dropped_is_told_where_it_may_be_known(lab, engine):
    """The kernel's table is root's."""
    names = ["interceptd_nfqueue_dropped_total", "interceptd_nfqueue_user_dropped_total"]
    for user, told in (("root", [0, 0]), (None, [None, None])):
        started = engine({"control": {"user": user}} if user else {})
        samples = metrics(started)
        assert [samples.get((name, (("queue", "77"),))) for name in names] == told
        started.stop()


def test_a_file_that_takes_nothing_is_told_and_its_losses(lab, engine):
    started = engine({"events": {"file": "/dev/full"}})
    lab.curl("https://origin.test/hello", ca=started.ca)
    lost = lambda: value(metrics(started), "interceptd_events_dropped_total", **{"class": "disk"})
    wait_for(lambda: lost() == 4, "the losses")
    assert value(metrics(started), "interceptd_sink_up", sink="events") == 0
    assert started.status()["records"]["paused"] and "paused, it takes none" in started.ctl("status").stdout


def test_statistics_are_events_too(lab, engine):
    started = engine({"events": {"stats-interval": "1s"}})
    lab.curl("https://origin.test/hello", ca=started.ca)
    started.wait_records("flow")
    before = len(started.records("stats"))
    stats = started.wait_records("stats", before + 2)[-1]
    status = started.status()
    assert stats["intercept"].keys() == status.keys() and "flow_id" not in stats
    assert stats["intercept"]["connections"] == status["connections"]
    assert stats["intercept"]["connections"]["intercepted"] == 1
    assert stats["stats"]["uptime"] == stats["intercept"]["uptime"] > 0
    started.reload({"events": {"stats-interval": "none"}})
    count = len(started.records("stats"))
    lab.curl("https://origin.test/hello", ca=started.ca)
    started.wait_records("flow", 2)
    assert wait_for(lambda: started.status()["uptime"] > status["uptime"] + 3, "some seconds")
    assert len(started.records("stats")) - count <= 1  # one may have been on its way
