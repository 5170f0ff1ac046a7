"""Folders walked: links followed, and what cannot be read told by name and stopping nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from components.contract.digests import file_sha256
from components.contract.errors import UserError
from components.contract.source import Source as Staged
from pipelines.sources.snapshot import Snapshot, snapshot, snapshot_model, stage
from tests.data import images as pictures


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    return pictures.folder(tmp_path / "faces", {"ann": 2, "bob": 1})


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    return pictures.folder(tmp_path / "elsewhere", {"eve": 2, "bob": 1}, first_seed=50)


def _told(source: Snapshot) -> dict[str, str]:
    """Return what is said of every file that is not simply read."""
    return {file.name: file.link or file.fault for file in source.files if file.link or file.fault}


def _read(source: Snapshot, folder: Path) -> dict[str, bytes]:
    stage(source, folder)
    staged = Staged.open(folder)
    assert staged.digest == source.digest
    return {file.name: staged.read(file) for file in staged.files if file.readable}


def test_links_that_lead_elsewhere_are_followed(
    faces: Path, elsewhere: Path, tmp_path: Path
) -> None:
    (faces / "eve").symlink_to(elsewhere / "eve")
    (faces / "bob/1.png").symlink_to("../../elsewhere/bob/0.png")
    source = snapshot(str(faces))
    assert _told(source) == {}
    assert _read(source, tmp_path / "staged") == {
        "ann/0.png": (faces / "ann/0.png").read_bytes(),
        "ann/1.png": (faces / "ann/1.png").read_bytes(),
        "bob/0.png": (faces / "bob/0.png").read_bytes(),
        "bob/1.png": (elsewhere / "bob/0.png").read_bytes(),
        "eve/0.png": (elsewhere / "eve/0.png").read_bytes(),
        "eve/1.png": (elsewhere / "eve/1.png").read_bytes(),
    }
    places = stage(source, tmp_path / "again")
    assert places == (faces, elsewhere / "bob", elsewhere / "eve"), "what a container must see"


def test_the_digest_does_not_tell_a_link_from_a_copy(faces: Path, elsewhere: Path) -> None:
    (faces / "eve").symlink_to(elsewhere / "eve")
    digest = snapshot(str(faces)).digest
    (faces / "eve").unlink()
    (faces / "eve").mkdir()
    for path in (elsewhere / "eve").iterdir():
        (faces / "eve" / path.name).write_bytes(path.read_bytes())
    assert snapshot(str(faces)).digest == digest


def test_what_counts_under_its_own_name_does_not_count_again(
    faces: Path, elsewhere: Path, tmp_path: Path
) -> None:
    (faces / "bob/2.png").symlink_to(faces / "ann/1.png")
    (faces / "latest").symlink_to("ann")
    (faces / "more").symlink_to(elsewhere)
    (faces / "more-bobs").symlink_to(elsewhere / "bob")
    source = snapshot(str(faces))
    assert _told(source) == {
        "bob/2.png": "ann/1.png", "latest": "ann", "more-bobs": "more/bob",
    }  # fmt: skip
    (copy,) = [file for file in source.files if file.name == "bob/2.png"]
    assert copy.sha256 == file_sha256(faces / "ann/1.png")
    assert len(_read(source, tmp_path / "staged")) == 3 + 1 + 3


@pytest.mark.parametrize("target", [".", "..", "../..", "ann", "/"])
def test_links_that_lead_above_themselves_end_nothing(faces: Path, target: str) -> None:
    names = [file.name for file in snapshot(str(faces)).files]
    (faces / "ann/up").symlink_to(target if target != "ann" else faces / "ann")
    source = snapshot(str(faces))
    assert [file.name for file in source.files if file.readable] == names
    assert _told(source)["ann/up"].startswith("link: leads to")


def test_links_between_folders_elsewhere_end(faces: Path, tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"web/{number}").mkdir(parents=True)
        for other in range(12):
            (tmp_path / f"web/{number}/{other}").symlink_to(tmp_path / f"web/{other}")
        (tmp_path / f"web/{number}/a.png").write_bytes(b"%d" % number)
    (faces / "web").symlink_to(tmp_path / "web/0")
    source = snapshot(str(faces))
    assert len({file.sha256 for file in source.files if file.readable}) == 3 + 12


def test_what_cannot_be_read_is_told_and_the_rest_is_read(faces: Path, tmp_path: Path) -> None:
    names = [file.name for file in snapshot(str(faces)).files]
    (faces / "bob/gone.png").symlink_to(tmp_path / "nothing")
    (faces / "bob/loop.png").symlink_to("loop.png")
    (faces / "bob/device.png").symlink_to("/dev/null")
    os.mkfifo(faces / "ann/pipe")
    for name in (b"ann/new\nline.png", b"ann/latin-\xe9.png"):
        Path(os.fsdecode(os.fsencode(faces) + b"/" + name)).write_bytes(pictures.png(9))
    source = snapshot(str(faces))
    assert [file.name for file in source.files if file.readable] == names
    assert {name: fault.split(";")[0] for name, fault in _told(source).items()} == {
        "bob/gone.png": f"link: leads to {tmp_path}/nothing, which does not exist",
        "bob/loop.png": "link: leads in a circle",
        "bob/device.png": "special: no regular file but a device, pipe or socket",
        "ann/pipe": "special: no regular file but a device, pipe or socket",
        "ann/new\\x0aline.png": "name: holds a control character",
        "ann/latin-\\xe9.png": "name: is not UTF-8",
    }
    assert sorted(_read(source, tmp_path / "staged")) == names


def test_a_fault_is_part_of_the_digest(faces: Path) -> None:
    """What ingest reports differs, so it is not what a cache holds."""
    digest = snapshot(str(faces)).digest
    os.mkfifo(faces / "ann/pipe")
    assert snapshot(str(faces)).digest != digest


def test_where_nothing_can_be_read_all_is_told_with_one_fix(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for name in ("ann/0.png", "bob/0.png", "bob/1.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(tmp_path / "nothing")
    with pytest.raises(UserError, match="3 files that cannot be read and none that can") as caught:
        snapshot(str(root))
    for name in ("ann/0.png", "bob/0.png", "bob/1.png"):
        assert f"\n  {name} (link: leads to {tmp_path}/nothing" in caught.value.what
    assert caught.value.fix.startswith("put regular files")
    for path in root.rglob("*.png"):
        path.unlink()
        path.write_bytes(pictures.png(1))
    assert _told(snapshot(str(root))) == {}


def test_a_model_is_whole_or_refused(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    (saved / "variables").mkdir(parents=True)
    (saved / "saved_model.pb").write_bytes(b"model")
    (saved / "variables/variables.index").symlink_to(tmp_path / "blob")
    with pytest.raises(
        UserError, match=r"1 files that cannot be read\n  variables/variables\.index"
    ):
        snapshot_model(str(saved))
    (tmp_path / "blob").write_bytes(b"weights")
    (saved / "assets").mkdir()  # as every SavedModel has it
    assert _read(snapshot_model(str(saved)), tmp_path / "staged") == {
        "saved_model.pb": b"model", "variables/variables.index": b"weights",
    }  # fmt: skip


def test_folders_without_a_file_are_told_wherever_links_lead(faces: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere/empty/inside").mkdir(parents=True)
    (faces / "link").symlink_to(tmp_path / "elsewhere/empty")
    (faces / "gone/only").mkdir(parents=True)
    (faces / "gone/only/nothing.png").symlink_to(tmp_path / "nothing")
    Path(os.fsdecode(os.fsencode(faces) + b"/\xe9")).mkdir()
    found = snapshot(str(faces))
    assert [file.name for file in found.files if file.is_folder] == ["\\xe9/", "link/"]
    assert sorted(_read(found, tmp_path / "staged")) == ["ann/0.png", "ann/1.png", "bob/0.png"]


def test_folders_that_hold_nothing_at_all_are_named(tmp_path: Path) -> None:
    for name in ("ann", "bob"):
        (tmp_path / "data" / name).mkdir(parents=True)
    with pytest.raises(UserError, match=r"is an empty folder \(no file in ann, bob\)") as caught:
        snapshot(str(tmp_path / "data"))
    assert caught.value.fix == "put the data there"
