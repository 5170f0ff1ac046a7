"""``slimline verify`` and ``export`` on the store of a real run, whole and damaged."""

import json
import shutil
from pathlib import Path

import pytest

from pipelines.cli.main import main
from pipelines.stores.layout import KINDS, kind_of
from pipelines.stores.opening import open_store
from tests.pipelines.cli.command_line import slimline

DAMAGE = {
    "bytes": b"\x80\xff\0",
    "not JSON": b"<html>",
    "wrong types": b'{"run": 5, "entries": 3, "outputs": [1], "steps": [], "subject": 0, "key": 4}',
    "deep": b"[" * 100_000,
    "huge number": b'{"function_s": 1e999, "wall_s": 1' + b"0" * 5000 + b"}",
}


@pytest.fixture
def copied(ran, tmp_path, monkeypatch):
    folder, done = ran
    shutil.copytree(folder / "st", tmp_path / "st")
    shutil.copy(folder / "tiny.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path, json.loads(done.stdout)["run"]


def verified(capsys, *words, code):
    assert main(["verify", *words, "--store", "st", "--json"]) == code
    return {
        item["place"]: item["state"] for item in json.loads(capsys.readouterr().out)["findings"]
    }


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def test_the_store_of_a_run_is_whole(copied, capsys):
    _, run = copied
    for words in ((), (run,), ("latest",)):
        assert verified(capsys, *words, code=0) == {}
    assert main(["export", run, "-o", "out", "--store", "st", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["run"], document["release_of"]) == (run, run)
    assert sorted([*document["files"], "files.json"]) == sorted(
        p.name for p in Path("out").iterdir()
    )
    assert verified(capsys, "out", code=0) == {}
    Path("out", "mine.txt").write_text("mine")
    overwrite(Path("out", "report.html"), b"edited")
    assert verified(capsys, "out", code=4) == {
        "out/mine.txt": "foreign", "out/report.html": "damaged",
    }  # fmt: skip
    assert main(["export", run, "-o", "out", "--store", "st"]) == 2
    assert "mine.txt is nothing that slimline wrote there" in capsys.readouterr().err
    assert main(["verify", "no-such-run", "--store", "st"]) == 2


@pytest.mark.parametrize("shape", DAMAGE)
def test_damage_is_named_and_no_command_breaks(copied, capsys, shape):
    folder, run = copied
    keys = {kind_of(key): key for key in open_store("st").list("") if "started" not in key}
    # What no run writes: releases that are promoted, and what is collected or erased, do.
    others = {"champion", "public", "release log", "signature", "collection", "tombstone", "exclusion",
              "erasure", "trigger", "observed", "ticks", "launch", "launch end", "refusal",
              "tick day", "cancellation", "action", "device"}  # fmt: skip
    assert set(KINDS) - set(keys) <= {"claim", "progress", "quarantine"} | others
    keys.pop("log"), keys.pop("blob"), keys.pop("progress", None)
    for kind, key in keys.items():
        path = folder / "st" / key
        whole = path.read_bytes()
        overwrite(path, DAMAGE[shape])
        assert verified(capsys, code=4)[key] == "damaged", kind
        for command in ("show", "runs", "explain tiny.yaml", f"export {run} -o {kind}", "data"):
            code = main([*command.split(), "--store", "st"])
            said = capsys.readouterr().err
            # What earlier runs were made of explains less when it is damaged, and hides nothing.
            assert code in ((0,) if command.startswith("explain") else (0, 2)), (command, kind)
            assert "Traceback" not in said
            if command.startswith("explain") and kind == "run":
                assert key in said
        if path.exists():
            path.unlink()
        path.write_bytes(whole)
    assert verified(capsys, code=0) == {}


def test_a_run_repairs_what_verify_names(copied):
    folder, _ = copied
    entries = list((folder / "st/ac").iterdir())
    swapped = [json.loads(path.read_bytes()) for path in entries]
    overwrite(entries[0], json.dumps({**swapped[0], "outputs": swapped[1]["outputs"]}).encode())
    blobs = [path for path in (folder / "st/cas").rglob("*") if path.is_file()]
    blob = next(path for path in blobs if path.read_bytes()[4:8] == b"TFL3")
    data = blob.read_bytes()
    overwrite(blob, bytes([data[0] ^ 1]) + data[1:])
    found = slimline("verify", "--quarantine", "--store", "st", cwd=folder, check=4).stdout
    assert f"damaged: ac/{entries[0].name}" in found
    assert f"{blob.name} holds bytes of the sha256" in found
    done = slimline("run", "tiny.yaml", "--store", "st", cwd=folder)
    assert done.returncode in (0, 3), done.stderr
    slimline("verify", "--store", "st", cwd=folder, check=0)
