"""``slimline verify`` and ``export --format`` on a release whose lineage a small store holds."""

import json
import shutil
from pathlib import Path

import pytest

from pipelines.cli.main import main
from pipelines.runs.cache import Cache
from pipelines.stores.directory import DirectoryStore
from tests.data.kept_release import Writer, write_data
from tests.pipelines.lineage.conftest import promote
from tests.pipelines.lineage.proof.test_chain import entry


@pytest.fixture
def kept(fast_disk, monkeypatch):
    """A released and promoted run in the store ``st`` of the working folder."""
    monkeypatch.setenv("HOME", str(fast_disk / "home"))
    monkeypatch.chdir(fast_disk)
    store = DirectoryStore(fast_disk / "st")
    made = Writer(Cache(store, fast_disk / "scratch"), fast_disk / "written")
    found = made.run("digits-1", write_data(fast_disk / "photos"))
    promote(store, found)
    return found


def verify(capsys, *words, code=0):
    assert main(["verify", *words, "--store", "st"]) == code
    told = capsys.readouterr()
    assert main(["verify", *words, "--store", "st", "--json"]) == code
    return json.loads(capsys.readouterr().out), told.out, told.err


def test_a_release_a_run_and_a_file_are_proved(kept, capsys):
    Path("model.tflite").write_bytes(kept.model)
    for what in ("digits@champion", "digits@latest", "digits-1", "latest", "model.tflite"):
        document, said, _ = verify(capsys, what, "--deep")
        assert document["findings"] == []
        assert document["first_broken"] is None
        assert {link["state"] for link in document["links"]} == {"proved"}
        assert f"all {len(document['links'])} links are proved" in said
    assert "6 steps" in said
    assert "step train" not in said, "steps that are proved have one line together"


def test_where_the_chain_breaks_and_what_stands_on_it(kept, capsys):
    store = DirectoryStore(Path("st").resolve())
    key = entry(store, kept, "train", "model", "weights.safetensors")
    Path("st", key).unlink()
    for what in ("digits@champion", "digits-1"):
        document, said, complaint = verify(capsys, what, code=4)
        assert document["first_broken"] == "step train"
        assert document["below"] == ["digits/digits-1"]
        assert [(f["place"], f["state"]) for f in document["findings"]] == [(key, "missing")]
        assert f"missing: {key} is not there" in said
        assert "the chain breaks first at: step train" in said
        assert "releases that stand on it: digits/digits-1" in said
        assert complaint.startswith("fix: ")


def test_files_that_moved_are_found_with_source(kept, capsys):
    shutil.move("photos", "elsewhere")
    document, _, complaint = verify(capsys, "digits@champion", code=4)
    assert document["first_broken"] == "files of data"
    assert "--source PLACE" in complaint
    for words in (("--source", "elsewhere"), ("--source", "data=elsewhere")):
        assert verify(capsys, "digits@champion", *words)[0]["first_broken"] is None


@pytest.mark.parametrize(
    ("words", "said", "mended"),
    [
        (("--deep",), "nothing else", ("digits-1", "--deep")),
        (("--source", "photos"), "nothing else", ("digits-1", "--source", "photos")),
        (("digits-1", "--source", "dta=photos"), "no source dta", ("digits-1", "--source", "data=photos")),
        (("digits@champion", "--quarantine"), "only looked at", ("--quarantine",)),
        (("digits@first",), "no release of digits", ("digits@champion",)),
        (("digits-2",), "no such run", ("digits-1",)),
        (("digits",), "what releases are called", ("digits@latest",)),
    ],
)  # fmt: skip
def test_faults_are_named_and_their_fix_helps(kept, capsys, words, said, mended):
    assert main(["verify", *words, "--store", "st"]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told
    verify(capsys, *mended)


def test_a_bundle_is_written_and_proved_without_the_store(kept, capsys):
    assert (
        main(["export", "digits-1", "--format", "bundle", "-o", "out", "--store", "st", "--json"])
        == 0
    )
    written = json.loads(capsys.readouterr().out)
    assert written["exported"] == "out/digits.bundle.zip"
    shutil.rmtree("st")
    assert main(["verify", "out/digits.bundle.zip"]) == 0
    said = capsys.readouterr().out
    assert "bundle digits.bundle.zip  proved" in said
    assert "1 of 13 links cannot be proved in full" in said
    assert main(["verify", "out/digits.bundle.zip", "--source", "photos"]) == 0
    assert "all 13 links are proved" in capsys.readouterr().out
    data = bytearray(Path("out/digits.bundle.zip").read_bytes())
    data[len(data) // 2] ^= 1
    Path("out/digits.bundle.zip").write_bytes(data)
    assert main(["verify", "out/digits.bundle.zip"]) == 4
    assert "is no bundle as slimline writes it" in capsys.readouterr().out
    assert main(["verify", "out/digits.bundle.zip", "--rebuild"]) == 2
    assert "a bundle is verified by itself" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["openlineage", "cyclonedx", "model-card"])
def test_other_forms_are_written(kept, capsys, form):
    assert main(f"export latest --format {form} -o out --store st --json".split()) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["run"] == "digits-1"
    assert Path(written["exported"]).stat().st_size == written["size_bytes"]
    assert main(f"export latest --format {form} -o out --store st".split()) == 0
    assert written["sha256"] in capsys.readouterr().out
