"""`slimline devices`: what answers and what is wrong with it; `clean`; and runs without one."""

import json

import pytest
import yaml

from pipelines.cli.main import main
from pipelines.config.loading import load
from pipelines.engines.devices import check_devices
from pipelines.runs.kept.devices_seen import DeviceSeen, put_device
from pipelines.stores.opening import open_store
from tests.pipelines.cli.command_line import written
from tests.pipelines.engines.reached import BOARD, no_phones, sshd
from tests.servers.phone.phone import Adb, Phone

__all__ = ["no_phones", "sshd"]


@pytest.fixture
def config(tmp_path, monkeypatch, no_phones):
    monkeypatch.chdir(tmp_path)
    return written(tmp_path / "my.yaml", devices=["host", BOARD], store="./slimline-store")


def printed(capsys, *words, code):
    assert main([*words, "--json"]) == code
    out, err = capsys.readouterr()
    return json.loads(out), err


def test_what_answers_is_ready(sshd, config, capsys):
    document, _ = printed(capsys, "devices", "my.yaml", code=0)
    host, board = document["devices"]
    assert (host["name"], host["kind"], host["transport"]) == ("host", "host", "none")
    assert (board["name"], board["kind"], board["state"]) == ("board", "ssh", "ready")
    assert board["fingerprint"]["cores"] == host["fingerprint"]["cores"]
    assert board["readings"]["load_1min"] >= 0
    assert main(["devices", "my.yaml"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("board" in line and "ssh" in line and "ready" in line for line in lines)


def test_what_is_wrong_is_told_with_the_fix(sshd, config, capsys):
    sshd.stop()
    try:
        document, err = printed(capsys, "devices", "my.yaml", code=2)
        host, board = document["devices"]
        assert (host["state"], host["fault"]) == ("ready", "")
        assert (board["state"], board["id"]) == ("cannot measure", "")
        assert board["fault"].startswith("board does not answer")
        assert f"error: {board['fault']}\nfix: {board['fix']}" in err
        assert main(["run", "my.yaml"]) == 2
        assert "--without board" in capsys.readouterr().err
    finally:
        sshd.start()
    assert main(["devices", "my.yaml"]) == 0


def test_those_that_runs_measured_on_are_known_by_name(sshd, config, capsys, tmp_path):
    assert [one["name"] for one in printed(capsys, "devices", code=0)[0]["devices"]] == ["host"]
    check_devices(load(config), open_store("slimline-store"))
    names = [one["name"] for one in printed(capsys, "devices", code=0)[0]["devices"]]
    assert names == ["host", "board"]
    folder = tmp_path / "home" / ".cache" / "slimline"
    (folder / "site-0123").mkdir(parents=True)
    document, _ = printed(capsys, "devices", "clean", "board", code=0)
    assert document == {"name": "board", "kind": "ssh", "removed": "~/.cache/slimline"}
    assert not folder.exists()
    assert main(["devices", "clean", "board"]) == 0, "there is nothing left to remove"
    folder.mkdir()
    (folder / "thesis.tex").write_text("mine")
    assert main(["devices", "clean", "board"]) == 2
    assert "holds files that are not ours" in capsys.readouterr().err
    assert (folder / "thesis.tex").exists()


@pytest.fixture
def phone(tmp_path, monkeypatch, no_phones):
    """A phone that hangs here, of which no configuration knows."""
    with Adb(tmp_path / "adb") as adb, Phone(tmp_path / "phone", adb) as found:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(adb.port))
        yield adb, found


def test_a_phone_that_hangs_here_is_listed_with_the_line_that_adds_it(
    config, phone, capsys, tmp_path
):
    _, found = phone
    host, new = printed(capsys, "devices", code=0)[0]["devices"]
    assert host["line"] == ""
    assert (new["kind"], new["state"], new["name"]) == ("adb", "ready", "phone")
    assert main(["devices"]) == 0
    line = capsys.readouterr().out.splitlines()[-1].strip()
    assert line == new["line"]
    (section,) = yaml.safe_load(line)
    assert section == {"kind": "adb", "serial": found.serial, "name": "phone"}
    added = written(tmp_path / "with.yaml", devices=["host", section], store="./slimline-store")
    assert load(added).device_names == ("host", "phone")
    assert new["name"] not in [
        one["name"] for one in printed(capsys, "devices", "my.yaml", code=2)[0]["devices"]
    ]


def test_a_phone_that_does_not_let_us_in_is_listed_with_what_helps(config, phone, capsys):
    adb, found = phone
    found.doubt()
    adb.ask("disconnect", found.serial)
    adb.ask("connect", found.serial)
    adb.await_state(found.serial, "unauthorized")
    document, err = printed(capsys, "devices", code=0)
    new = document["devices"][1]
    assert f"error: {new['fault']}" in err
    assert "is authorizing" in new["fault"]
    assert "unlock it and allow USB debugging" in new["fix"]
    found.trust()
    adb.await_state(found.serial, "device")
    assert printed(capsys, "devices", code=0)[0]["devices"][1]["fault"] == ""


def test_a_phone_that_the_store_knows_is_no_new_one(config, phone, capsys):
    _, found = phone
    section = {"kind": "adb", "serial": found.serial, "name": "mine"}
    store = open_store("slimline-store")
    put_device(store, DeviceSeen("mine", section, "2026-01-01T00:00:00.000+00:00", "", {}))
    document, _ = printed(capsys, "devices", code=0)
    assert [(one["name"], one["line"]) for one in document["devices"]] == [
        ("host", ""), ("mine", ""),
    ]  # fmt: skip


def test_without_adb_it_is_said_that_no_phone_was_looked_for(config, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    document, err = printed(capsys, "devices", code=0)
    assert [one["name"] for one in document["devices"]] == ["host"]
    assert "phones are not looked for: there is no adb here; install it" in err


@pytest.mark.parametrize(
    ("words", "what", "fix"),
    [
        (["clean"], "0 are named", "slimline devices clean NAME"),
        (["clean", "a", "b"], "2 are named", "slimline devices clean NAME"),
        (["clean", "board"], "has measured on a device 'board'", "--store PLACE"),
        (["my.yaml", "board"], "2 are given", "leave out board"),
        (["--store", "nowhere"], "there is no store nowhere", "--store PLACE"),
        (["no.yaml"], "no.yaml", ""),
    ],
)
def test_what_it_cannot_take(words, what, fix, config, capsys):
    assert main(["devices", *words]) == 2
    said = capsys.readouterr().err
    assert what in said
    assert fix in said


def test_explain_takes_devices_as_they_were_seen_last(sshd, config, capsys):
    def states():
        explained, _ = printed(capsys, "explain", "my.yaml", code=0)
        return {step["step"]: step for step in explained["steps"]}

    assert states()["benchmark-teacher-board"]["upstream"] == "convert-teacher"
    explained, _ = printed(capsys, "explain", "my.yaml", "--without", "board", code=0)
    names = [step["step"] for step in explained["steps"]]
    assert "benchmark-teacher-host" in names
    assert "benchmark-teacher-board" not in names


@pytest.mark.parametrize(
    ("without", "what", "fix"),
    [
        (["bord"], "devices: there is none called 'bord'", "did you mean 'board'?"),
        (["board", "host"], "without board and host there is no device", "leave --without out"),
    ],
)
def test_what_cannot_be_left_out(without, what, fix, config, capsys):
    words = [word for name in without for word in ("--without", name)]
    assert main(["explain", "my.yaml", *words]) == 2
    said = capsys.readouterr().err
    assert what in said
    assert fix in said


def test_kubeflow_says_how_to_go_on(config, capsys, tmp_path):
    plain = yaml.safe_load(config.read_text())
    plain |= {
        "data": "gs://bucket/data",
        "kubeflow": {"pipeline_root": "gs://bucket/pipelines", "images": "registry.example/mine"},
    }
    config.write_text(yaml.safe_dump(plain))
    words = ["compile", "my.yaml", "--output", "pipeline.yaml"]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "pods cannot reach board, a device of kind ssh" in said
    assert "leave it out: --without board" in said
