# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened is kept in a database, as far as it may be, and is asked for by filters."""

import contextlib
import json
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from lab import ENGINE_USER, ORIGIN4, wait_for


def stored(started, *arguments, **options):
    """The events that a filter holds for, the oldest first."""
    events = json.loads(started.ctl("-j", "flows", *arguments, **options).stdout)
    return events[::-1]


def with_store(directory, **more):
    return {"store": {"file": directory / "store/flows.db", **more}}


def wait_stored(started, count):
    wait_for(lambda: started.status()["store"]["stored"] >= count, "%d events in the store" % count)


@contextlib.contextmanager
def small_disk(directory, size):
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d,mode=777" % size, "none", directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


def test_T20_the_store_has_the_records(lab, engine, tmp_path):
    started = engine(with_store(tmp_path))
    lab.curl("https://origin.test/hello?one", "-k", "https://origin.test/hello?two")
    lab.curl("https://origin.test/hello?three", "-k", "--http1.1")
    started.wait_records("flow", 2)
    records = started.records()
    wait_stored(started, len(records))
    database = sqlite3.connect("file:%s?mode=ro" % (tmp_path / "store/flows.db"), uri=True)
    rows = database.execute("select time, type, flow_id, json from event order by id").fetchall()
    assert [json.loads(row[3]) for row in rows] == records
    assert [row[:3] for row in rows] == [(record["timestamp"], record["event_type"], record["flow_id"])
                                         for record in records]
    rows = database.execute("select method, scheme, host, url, status from http").fetchall()
    assert sorted(rows) == [("GET", "https", "origin.test", "/hello?" + name, 200)
                            for name in ("one", "three", "two")]
    assert database.execute("select action, count(*) from flow group by action").fetchall() == \
        [("intercept", 2)]
    (mode,) = database.execute("pragma journal_mode").fetchone()
    assert mode == "wal"
    for name in ("flows.db", "flows.db-wal", "flows.db-shm"):
        status = (tmp_path / "store" / name).stat()
        assert status.st_uid == ENGINE_USER and status.st_mode & 0o007 == 0
    status = started.status()["store"]
    assert status == {"file": str(tmp_path / "store/flows.db"), "stored": len(records), "lost": 0,
                      "paused": False}


def test_T20_flows_are_found_by_filters_the_youngest_first(lab, engine, tmp_path):
    started = engine(with_store(tmp_path))
    lab.curl("https://origin.test/hello?one", "-k")
    lab.curl("https://origin.test/nothing?two", "-k", "-H", "X-Mark: here")
    lab.curl("https://origin.test/hello", "-k", "-I", origin=ORIGIN4[1])
    started.wait_records("flow", 3)
    wait_stored(started, len(started.records()))
    urls = [event["http"]["url"] for event in stored(started, "~http")]
    assert urls == ["/hello?one", "/nothing?two", "/hello"]
    for expression, expected in (("~u one", ["/hello?one"]), ("~c 404 | ~m head", ["/nothing?two", "/hello"]),
                                 ("~h '^x-mark: here'", ["/nothing?two"]),
                                 ("~u hello !~m HEAD", ["/hello?one"]),
                                 ("~http ~dst %s" % ORIGIN4[1].replace(".", "[.]"), ["/hello"])):
        assert [event["http"]["url"] for event in stored(started, expression)] == expected, expression
    assert len(stored(started, "!~http", "&", "~d", "origin.test")) == 3  # the connections
    lines = started.ctl("flows", "~all").stdout.splitlines()
    ids = [int(line.split()[0]) for line in lines]
    assert ids == sorted(ids, reverse=True) and len(lines) == 6  # requests, and ends
    (line,) = started.ctl("flows", "~u two").stdout.splitlines()
    assert line.split()[3:] == ["http", "GET"] + line.split()[5:6] + \
        ["->", "https://origin.test/nothing?two", "404,", "0", "up,", line.split()[-2], "down"]
    limited = started.ctl("flows", "-n", "2", "~http").stdout.splitlines()
    assert len(limited) == 3 and "HEAD" in limited[0] and limited[2] == "these are the youngest 2: -n NUMBER"
    event_id = stored(started, "~u two")[0]["store_id"]
    assert event_id == int(line.split()[0])
    assert started.ctl("flows", "~d", check=False).returncode == 2
    assert json.loads(started.ctl("flows", "-j", "~u nowhere").stdout) == []


def test_T20_a_store_is_read_without_the_daemon(lab, engine, tmp_path):
    started = engine(with_store(tmp_path))
    lab.curl("https://origin.test/hello", "-k")
    started.wait_records("flow")
    started.stop()
    assert not (tmp_path / "store/flows.db-wal").exists()  # all of it is in the database
    refused = started.ctl("flows", "~all", check=False)
    assert refused.returncode == 3 and "--store FILE" in refused.stderr
    assert len(stored(started, "--store", tmp_path / "store/flows.db", "~http")) == 1
    again = engine(with_store(tmp_path))  # nothing was left in its way
    lab.curl("https://origin.test/hello", "-k")
    wait_for(lambda: len(stored(again, "~http")) == 2, "the request")
    assert again.status()["store"]["lost"] == 0


def test_T20_there_may_be_no_store(engine):
    refused = engine().ctl("flows", "~all", check=False)
    assert refused.returncode == 1 and "keeps no store" in refused.stderr


def test_T21_credentials_and_bodies_are_not_in_the_store_unless_asked_for(lab, engine, tmp_path):
    secrets = ("-H", "Authorization: Basic s3cret", "-H", "Cookie: a=s3cret", "-u", "s3cret:s3cret")
    body = "a body with the word sesame"

    def ask(started):
        lab.curl("https://origin.test/upload/x?access_token=s3cret", "-k", "-X", "PUT", "-d", body, *secrets)
        started.wait_records("flow")
        wait_stored(started, len(started.records()))
        folder = os.path.dirname(started.status()["store"]["file"])
        return b"".join(file.read_bytes() for file in Path(folder).iterdir())

    started = engine(with_store(tmp_path / "one"))
    content = ask(started)
    started.stop()
    assert b"/upload/x?access_token=(redacted)" in content
    assert b"s3cret" not in content and b"sesame" not in content and b"c2VzYW1l" not in content
    kept = engine({**with_store(tmp_path / "two"), "events": {"credentials": "keep", "bodies": "20"}})
    assert b"Basic s3cret" in ask(kept)
    (event,) = stored(kept, "~b 'with the w'")
    told = event["intercept"]["http"]["request_body"]
    assert told["cut"] is True and told["length"] == len(body)
    assert not stored(kept, "~b sesame")


def test_T22_the_oldest_events_go_when_all_take_too_much(lab, engine, tmp_path):
    started = engine(with_store(tmp_path, size="1m"))
    for count in range(1, 9):  # not so fast that some are lost on their way
        lab.device.run("h2load", "-n", "500", "-c", "2", "https://%s/hello" % ORIGIN4[0], timeout=120)
        wait_stored(started, count * 500)
    database = sqlite3.connect("file:%s?mode=ro" % (tmp_path / "store/flows.db"), uri=True)
    ask = lambda question: database.execute(question).fetchone()[0]
    wait_for(lambda: ask("pragma page_count") * ask("pragma page_size") <= 1 << 20, "a small store", 30)
    assert ask("select max(id) from event") >= 4000 and 100 < ask("select count(*) from event") < 2000
    assert ask("select count(*) from event") == ask("select max(id) - min(id) + 1 from event")
    assert ask("pragma integrity_check") == "ok"
    assert started.status()["store"]["lost"] == 0


def test_T22_events_go_when_they_are_too_old(lab, engine, tmp_path):
    started = engine(with_store(tmp_path, keep="2s"))
    lab.curl("https://origin.test/hello?old", "-k")
    wait_for(lambda: stored(started, "~u old"), "the event to be stored")
    wait_for(lambda: lab.curl("https://origin.test/hello?young", "-k") and not stored(started, "~u old"),
             "the event to be gone", 20)
    assert stored(started, "~u young")


def hello(lab, started):
    assert lab.curl("https://origin.test/hello", ca=started.ca).stdout == "hello from the origin\n"


def test_T23_a_full_disk_pauses_the_store_and_never_traffic(lab, engine, tmp_path):
    disk = tmp_path / "disk"
    with small_disk(disk, 1 << 20):
        started = engine({"store": {"file": disk / "flows.db"}})
        hello(lab, started)
        wait_stored(started, 1)
        (disk / "filler").write_bytes(bytes(700 << 10))
        for _ in range(40):
            lab.device.run("h2load", "-n", "100", "-c", "1", "https://%s/hello" % ORIGIN4[0], timeout=60)
            if started.status()["store"]["paused"]:
                break
        status = started.status()["store"]
        assert status["paused"] and status["lost"] > 0
        hello(lab, started)
        started.wait_log("flows.db: database or disk is full: the store is paused")
        assert "paused" in started.ctl("status").stdout
        # With room again, it goes on, and what it had is there.
        (disk / "filler").unlink()
        wait_for(lambda: hello(lab, started) or not started.status()["store"]["paused"],
                 "the store to go on", 30)
        started.wait_log("flows.db: the store works again")
        database = sqlite3.connect(disk / "flows.db")
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
        assert database.execute("select count(*) from event").fetchone()[0] > 0
        database.close()
        wait_for(lambda: sum(started.status()["store"][key] for key in ("stored", "lost"))
                 == len(started.records()), "every event to be stored, or counted as lost")
        started.stop()
    assert started.log().count("the store is paused") == 1


def test_T23_a_broken_database_pauses_the_store_and_never_traffic(lab, engine, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store").chmod(0o777)
    file = tmp_path / "store/flows.db"
    file.write_bytes(b"no database at all\n" * 500)
    started = engine(with_store(tmp_path))
    started.wait_log("flows.db: file is not a database: the store is paused")
    hello(lab, started)
    count = len(started.wait_records("flow") and started.records())
    wait_for(lambda: started.status()["store"]["lost"] == count, "the events to be counted")
    assert file.read_bytes() == b"no database at all\n" * 500
    refused = started.ctl("flows", "~all", check=False)
    assert refused.returncode == 1 and "file is not a database" in refused.stderr
    file.unlink()
    wait_for(lambda: hello(lab, started) or started.status()["store"]["stored"] > 0, "another one", 30)


def test_T23_a_database_that_was_damaged_pauses_the_store_and_never_traffic(lab, engine, tmp_path):
    started = engine(with_store(tmp_path))
    hello(lab, started)
    wait_stored(started, len(started.wait_records("flow") and started.records()))
    started.stop()
    with open(tmp_path / "store/flows.db", "r+b") as database:
        database.seek(4096)  # its first page has what it is, and may be good
        database.write(os.urandom(os.fstat(database.fileno()).st_size - 4096))
    started = engine(with_store(tmp_path))
    hello(lab, started)
    wait_for(lambda: started.status()["store"]["paused"], "it to be noticed")
    started.wait_log("flows.db: database disk image is malformed: the store is paused")
    hello(lab, started)
    assert started.ctl("flows", "~all", check=False).returncode == 1


@pytest.mark.parametrize("script,reason", [
    ("create table theirs (x)", "it is a database of another program"),
    ("pragma application_id=%d; pragma user_version=99; create table a (x)" % 0x69637074,
     "a later version of interceptd has written it")])
def test_T24_what_is_not_ours_is_left_alone(lab, engine, tmp_path, script, reason):
    (tmp_path / "store").mkdir()
    file = tmp_path / "store/flows.db"
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.executescript(script)
    before = file.read_bytes()
    started = engine(with_store(tmp_path))
    started.wait_log("flows.db: %s: the store is paused" % reason)
    hello(lab, started)
    started.wait_records("flow")
    assert file.read_bytes() == before


def test_T24_a_restart_goes_on_in_the_same_store(lab, engine, tmp_path):
    for count in (1, 2):
        started = engine(with_store(tmp_path))
        hello(lab, started)
        started.wait_records("flow")
        wait_for(lambda: len(stored(started, "~http")) == count, "the event")
        if count == 1:
            started.kill()  # and not even in good order
    assert [event["store_id"] for event in stored(started, "~all")] == \
        sorted(event["store_id"] for event in stored(started, "~all"))


def test_T24_a_reload_begins_another_store(lab, engine, tmp_path):
    started = engine(with_store(tmp_path))
    hello(lab, started)
    wait_for(lambda: len(stored(started, "~http")) == 1, "the event")
    started.reload({"store": {"file": tmp_path / "store/other.db"}})
    hello(lab, started)
    wait_for(lambda: len(stored(started, "~http")) == 1, "the event, in the other one")
    assert len(stored(started, "--store", tmp_path / "store/flows.db", "~http")) == 1
    started.reload({})
    assert "file" not in started.status()["store"]
