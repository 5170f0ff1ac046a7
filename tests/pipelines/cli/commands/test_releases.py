"""``slimline releases``, ``promote`` and ``rollback`` from outside: codes, documents, fixes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.cli.commands.run import promote_where_asked
from pipelines.cli.main import main
from pipelines.config.loading import load
from pipelines.runs.releases.release_log import read_log
from pipelines.runs.verifying import verify_store
from pipelines.stores.layout import champion_key, release_log_key
from pipelines.stores.opening import open_store
from pipelines.stores.store import Store
from tests.data.challengers import NAME
from tests.data.releases import put_release, rewrite
from tests.pipelines.stores.damage import remove

TINY = Path(__file__).parents[3] / "data" / "tiny.yaml"


@dataclass(frozen=True)
class Shell:
    """Commands on one store.

    Attributes:
        store: The store.
        capture: What they print.
    """

    store: Store
    capture: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Return exit code, output and errors of a command."""
        code = main([*words, "--store", self.store.uri])
        out, error = self.capture.readouterr()
        return code, out, error

    def document(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Return exit code and document of a command."""
        code, out, _ = self(*words, "--json")
        return code, json.loads(out)


@pytest.fixture
def shell(store_uri: Callable[[str], str], capsys: pytest.CaptureFixture[str]) -> Shell:
    """Two releases that qualify, and one that does not."""
    store = open_store(store_uri("releases"))
    put_release(store, "faces-a")
    put_release(store, "faces-b")
    put_release(store, "faces-c", qualified=False, reasons=["drop 0.1 exceeds 0.02"])
    return Shell(store, capsys)


def refused(answer: tuple[int, str, str]) -> str:
    code, _, error = answer
    assert code == 2, answer
    assert "error: " in error
    assert "fix: " in error
    return error


def test_the_life_of_a_release(shell: Shell) -> None:
    code, out, _ = shell("releases")
    assert code == 0
    assert out.count("candidate") == 2
    code, out, error = shell("promote", "faces@faces-a", "--reason", "newer data")
    assert code == 0
    assert "promoted: faces@faces-a" in out
    assert "no configuration is kept of the run faces-a" in error
    code, out, error = shell("promote", "faces@faces-b")
    assert code == 4
    assert "gate: cannot decide" in out
    assert "fix: slimline promote faces@faces-b --force REASON" in error
    code, out, _ = shell("promote", "faces@faces-b", "--force", "looked at by hand")  # the fix
    assert code == 0
    code, out, _ = shell("releases", NAME)
    assert "looked at by hand" in out
    assert "newer data" in out
    code, out, _ = shell("rollback", NAME, "--reason", "crashes")
    assert (code, "rolled back: faces@faces-a" in out) == (0, True)
    code, document = shell.document("releases", NAME)
    assert code == 0
    states = {item["run"]: item["state"] for item in document["releases"]}
    assert states == {"faces-a": "champion", "faces-b": "rolled back", "faces-c": "unqualified"}
    (log,) = document["logs"]
    assert [entry["kind"] for entry in log["entries"]] == ["promote", "promote", "rollback"]
    assert [entry["reason"] for entry in log["entries"]] == [
        "newer data", "looked at by hand", "crashes",
    ]  # fmt: skip
    assert log["faults"] == []


def test_documents(shell: Shell) -> None:
    code, document = shell.document("promote", "faces@faces-c")
    assert (code, document["outcome"], document["champion"]) == (4, "refused", None)
    assert document["gate"]["verdict"] == "no"
    code, document = shell.document("promote", "faces@faces-c", "--force", "for the demo")
    assert (code, document["outcome"], document["run"]) == (0, "promoted", "faces-c")
    assert document["champion"]["forced"] is True
    assert document["signed_by"] is None
    code, document = shell.document("promote", "faces@champion")
    assert (code, document["outcome"], document["gate"]) == (0, "unchanged", None)


def test_names_that_are_none(shell: Shell) -> None:
    assert "did you mean 'faces'" in refused(shell("releases", "facs"))
    assert shell("releases", "faces")[0] == 0  # the fix
    assert "faces@latest" in refused(shell("promote", "faces"))
    assert shell("promote", "faces@latest", "--force", "x")[0] == 0  # the fix
    for name in ("../x", "a/b", "\u00fc", "faces@nothing", "12345678"):
        refused(shell("promote", name))
    for name in ("../x", "cats"):
        refused(shell("rollback", name, "--reason", "x"))
        refused(shell("releases", name))
    assert "--reason is blank" in refused(shell("rollback", NAME, "--reason", " "))
    for option in ("--force", "--reason"):
        assert f"{option} is blank" in refused(shell("promote", "faces@faces-a", option, " "))
    both = refused(shell("promote", "faces@faces-a", "--force", "x", "--reason", "y"))
    assert "leave --reason out" in both
    assert shell("promote", "faces@faces-a", "--force", "x")[0] == 0  # the fix


def test_a_log_that_was_edited(shell: Shell) -> None:
    for run in ("faces-a", "faces-b"):
        shell("promote", f"faces@{run}", "--force", "x")
    place = release_log_key(NAME, 1)
    whole = shell.store.get(place)
    rewrite(shell.store, place, whole.replace(b'"reason":"', b'"reason":"not '))
    for given in (("releases",), ("releases", NAME)):
        code, _, error = shell(*given)
        assert code == 4
        assert "the log of faces: entry 2 does not continue entry 1" in error
    code, document = shell.document("releases")
    assert code == 4
    assert "entry 1 was edited" in document["logs"][0]["faults"][0]
    assert "entry 1 was edited" in refused(shell("promote", "faces@faces-a", "--force", "x"))
    assert "entry 1 was edited" in refused(shell("rollback", NAME, "--reason", "x"))
    rewrite(shell.store, place, whole)  # the fix
    assert shell("rollback", NAME, "--reason", "x")[0] == 0


def test_a_champion_that_is_behind_is_repaired_by_looking(shell: Shell) -> None:
    shell("promote", "faces@faces-a")
    remove(shell.store, champion_key(NAME))
    assert shell("releases")[0] == 0
    assert json.loads(shell.store.get(champion_key(NAME)))["seq"] == 1


def test_settings_of_a_file(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "faces.yaml"
    releases = {"two_people": True, "url": "https://models.example.com/m"}
    config.write_text(yaml.safe_dump({**yaml.safe_load(TINY.read_text()), "releases": releases}))
    given = ("promote", "faces@faces-a", "--config", str(config))
    assert "nobody knows who started the run" in refused(shell(*given))
    refused(shell("promote", "faces@faces-a", "--config", str(tmp_path / "none.yaml")))
    refused(shell("promote", "faces@faces-a", "--key", str(tmp_path / "none.pem")))
    assert read_log(shell.store, NAME).entries == ()
    config.write_text(config.read_text().replace("two_people: true", "two_people: false"))
    monkeypatch.setenv("SLIMLINE_ACTOR", "ann@example.com")
    assert shell(*given)[0] == 0
    (entry,) = read_log(shell.store, NAME).entries
    assert (entry.actor, entry.url) == ("ann@example.com", "https://models.example.com/m")
    (file, _) = json.loads(shell.store.get(champion_key(NAME)))["files"]
    key = file["url"].removeprefix("https://models.example.com/m/")
    assert key == f"public/{NAME}/{file['sha256']}"
    assert hashlib.sha256(shell.store.get(key)).hexdigest() == file["sha256"]
    assert verify_store(shell.store)[1] == []
    rewrite(shell.store, key, b"x")
    assert [fault.place for fault in verify_store(shell.store)[1]] == [key]


def test_the_end_of_a_run_promotes_where_it_is_asked_to(shell: Shell, tmp_path: Path) -> None:
    """What ``slimline run`` does once its run is done; the run itself is not repeated here."""
    plain = {**yaml.safe_load(TINY.read_text()), "name": NAME}
    for promotion, said in (("ask", ""), ("auto", "promoted: faces@faces-a")):
        path = tmp_path / f"{promotion}.yaml"
        path.write_text(yaml.safe_dump({**plain, "releases": {"promotion": promotion}}))
        config = load(path).relocated(store=shell.store.uri)
        promote_where_asked(config, "faces-a")
        assert shell.capture.readouterr().err.startswith(said)
    (entry,) = read_log(shell.store, NAME).entries
    assert entry.run == "faces-a"
    promote_where_asked(config, "faces-c")
    assert "not promoted, the gate says no" in shell.capture.readouterr().err


def test_nothing_was_published(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell(open_store(str(tmp_path / "empty")), capsys)
    refused(shell("releases"))  # there is no such folder
    (tmp_path / "empty").mkdir()
    code, document = shell.document("releases")
    assert (code, document) == (0, {"releases": [], "logs": []})
    for words in (("releases", NAME), ("promote", f"{NAME}@latest"), ("verify", NAME)):
        assert "fix: slimline run CONFIG" in refused(shell(*words))
