"""Snapshots: what they count, what they refuse, and how components see what was staged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from components.contract.digests import file_sha256
from components.contract.errors import UserError
from components.contract.source import Source as Staged
from pipelines.sources.checksums import ChecksumCache, FileState
from pipelines.sources.snapshot import snapshot, snapshot_model, snapshot_weights, stage


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    root = tmp_path / "faces"
    for name in ("bob/1.pgm", "ann/2.pgm", "ann/1.pgm"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"image {name}")
    return root


def test_a_folder_lists_names_sizes_and_checksums(faces: Path) -> None:
    source = snapshot(str(faces))
    assert source.format == "folder"
    assert source.uri == str(faces)
    assert [file.name for file in source.files] == ["ann/1.pgm", "ann/2.pgm", "bob/1.pgm"]
    for file in source.files:
        assert file.sha256 == file_sha256(faces / file.name)
        assert file.size_bytes == (faces / file.name).stat().st_size
    assert source.size_bytes == sum(file.size_bytes for file in source.files)


def test_the_digest_is_of_names_and_contents_alone(faces: Path, tmp_path: Path) -> None:
    digest = snapshot(str(faces)).digest
    copy = tmp_path / "elsewhere"
    shutil.copytree(faces, copy)
    os.utime(copy / "ann/1.pgm", (0, 0))
    assert snapshot(str(copy)).digest == digest
    (copy / "ann/1.pgm").rename(copy / "ann/3.pgm")
    assert snapshot(str(copy)).digest != digest
    (copy / "ann/3.pgm").rename(copy / "ann/1.pgm")
    assert snapshot(str(copy)).digest == digest
    (copy / "ann/1.pgm").write_text("image ann/1.pgM")
    assert snapshot(str(copy)).digest != digest


def test_hidden_files_and_junk_are_no_data(faces: Path) -> None:
    digest = snapshot(str(faces)).digest
    (faces / ".git").mkdir()
    (faces / "lost+found").mkdir()
    for name in (
        ".git/config", ".DS_Store", "ann/.DS_Store", "ann/Thumbs.db", "desktop.ini", "_SUCCESS",
        "ann/1.pgm.tmp", "ann/9.pgm.partial", "lost+found/1.pgm", "ann/Icon\r",
    ):  # fmt: skip
        (faces / name).write_text("junk")
    assert snapshot(str(faces)).digest == digest


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"], "idx"),
        (["emnist-letters-train-images-idx3-ubyte", "LICENSE"], "idx"),
        (["a/1.png", "README"], "folder"),
    ],
)
def test_the_format_of_a_folder(tmp_path: Path, names: list[str], expected: str) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert snapshot(str(tmp_path)).format == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("x.npz", "npz"), ("X.NPZ", "npz"), ("d.csv", "csv"), ("d.csv.gz", "csv")],
)
def test_the_format_of_a_file(tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / name).write_text("data")
    source = snapshot(str(tmp_path / name))
    assert (source.format, [file.name for file in source.files]) == (expected, [name])


def test_a_file_of_a_package_is_found_without_importing_it() -> None:
    code = textwrap.dedent("""
        import sys
        from pipelines.sources.snapshot import snapshot
        source = snapshot("package:sklearn/datasets/data/digits.csv.gz")
        print(source.format, source.files[0].name, "sklearn" in sys.modules)
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["csv", "digits.csv.gz", "False"]


# faults -----------------------------------------------------------------------------------------


def _fails(match: str, fix: str, data: str, take: Callable[..., object] = snapshot) -> None:
    with pytest.raises(UserError, match=match) as caught:
        take(data)
    assert fix in caught.value.fix


def test_what_is_not_there(tmp_path: Path) -> None:
    _fails("there is no", f"{tmp_path} exists", str(tmp_path / "no" / "such"))
    _fails("is an empty folder", "put the data there", str(tmp_path))
    _fails("no package 'nosuchpackage'", "pip install", "package:nosuchpackage/x.csv")
    _fails("there is no package:sklearn/x.csv", "correct", "package:sklearn/x.csv")
    _fails("leaves the package", "inside", "package:sklearn/../numpy/__init__.py")
    _fails("neither file nor folder", "correct", "/dev/null")
    _fails("neither file nor folder", "correct", "")


def test_other_places_say_what_is_supported() -> None:
    _fails("data at az:// cannot be read; supported are paths", "copy the data", "az://b/faces")


def test_what_is_not_laid_out_as_data(tmp_path: Path, faces: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    (flat / "1.png").write_text("x")
    _fails("1 files and no sub-folder", "into a sub-folder", str(flat))
    (flat / "faces.npz").write_text("x")
    _fails("2 files and no sub-folder", f"{flat}/faces.npz", str(flat))
    _fails("unknown kind", "give the folder", str(faces / "ann/1.pgm"))


def test_the_folder_itself_may_be_a_link(faces: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(faces)
    assert snapshot(str(tmp_path / "link")).digest == snapshot(str(faces)).digest


def test_what_may_not_be_read(faces: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:  # tmp_path lies where only its owner may look
        root = Path(folder, "faces")
        shutil.copytree(faces, root)
        Path(folder).chmod(0o755)
        for hidden in (root / "ann", root / "ann/1.pgm"):
            hidden.chmod(0)
            assert _code_of_reader(root, hidden) == 0
            hidden.chmod(0o755)


def _code_of_reader(root: Path, hidden: Path) -> int:
    """Take a snapshot in a child that is not root, whom rights do not bind; 0 is a good answer."""
    child = os.fork()
    if not child:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            snapshot(str(root))
        except UserError as error:
            said = f"{hidden} cannot be read" in error.what and error.fix.startswith("chmod")
            code = 0 if said else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# the cache --------------------------------------------------------------------------------------


def test_the_cache_saves_reading_and_changes_nothing(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = snapshot(str(faces))
    read: list[str] = []

    def counted(state: FileState) -> str:
        read.append(state.path)
        return file_sha256(Path(state.path))

    monkeypatch.setattr("pipelines.sources.local.hash_unchanged", counted)
    monkeypatch.setattr(
        "pipelines.sources.checksums._SETTLED_NS", -(10**12)
    )  # files of just now count
    with ChecksumCache(tmp_path / "sums") as cache:
        assert snapshot(str(faces), cache) == plain
        assert len(read) == 3
        assert snapshot(str(faces), cache) == plain
        assert len(read) == 3
        (faces / "ann/1.pgm").write_text("something else")
        changed = snapshot(str(faces), cache)
    assert read[3:] == [str(faces / "ann/1.pgm")]
    assert changed == snapshot(str(faces))


# models -----------------------------------------------------------------------------------------


def test_models(tmp_path: Path) -> None:
    given = (
        ("m.keras", snapshot_model), ("m.h5", snapshot_model),
        ("w.h5", snapshot_weights), ("w.safetensors", snapshot_weights),
    )  # fmt: skip
    for name, take in given:
        (tmp_path / name).write_text("model")
        source = take(str(tmp_path / name))
        assert (source.format, [file.name for file in source.files]) == ("model", [name])
    saved = tmp_path / "saved"
    (saved / "variables").mkdir(parents=True)
    _fails("is an empty folder", "put the data", str(saved), snapshot_model)
    for name in ("variables/variables.index", "saved_model.pb"):
        (saved / name).write_text(name)
        if name != "saved_model.pb":
            _fails("has no saved_model.pb", "copied whole", str(saved), snapshot_model)
            (saved / "assets").write_text("words")
            _fails(r"has no saved_model\.pb; expected", "correct", str(saved), snapshot_model)
            (saved / "assets").unlink()
    names = [file.name for file in snapshot_model(str(saved)).files]
    assert names == ["saved_model.pb", "variables/variables.index"]
    (tmp_path / "m.png").write_text("image")
    for take, said in ((snapshot_model, "is no model"), (snapshot_weights, "holds no weights")):
        _fails(f"{said}; expected a file .", "correct", str(tmp_path / "m.png"), take)


# staging ----------------------------------------------------------------------------------------


def test_a_staged_folder_reads_back(faces: Path, tmp_path: Path) -> None:
    source = snapshot(str(faces))
    stage(source, tmp_path / "staged")
    staged = Staged.open(tmp_path / "staged")
    assert (staged.format, staged.files, staged.digest) == ("folder", source.files, source.digest)
    assert staged.read(staged.files[0]) == b"image ann/1.pgm"
    assert staged.verified(staged.files[0]) == faces / "ann/1.pgm"
    assert json.loads((tmp_path / "staged/source.json").read_text())["uri"] == str(faces)


def test_a_staged_file_stands_alone(tmp_path: Path) -> None:
    for name in ("x.npz", "other.npz"):
        (tmp_path / name).write_text(name)
    stage(snapshot(str(tmp_path / "x.npz")), tmp_path / "staged")
    assert [path.name for path in (tmp_path / "staged/files").iterdir()] == ["x.npz"]
    staged = Staged.open(tmp_path / "staged")
    assert staged.read(staged.files[0]) == b"x.npz"


def test_a_staged_file_that_changed_is_noticed(faces: Path, tmp_path: Path) -> None:
    stage(snapshot(str(faces)), tmp_path / "staged")
    staged = Staged.open(tmp_path / "staged")
    one, two, three = staged.files
    (faces / one.name).write_text("changed")
    for read in (staged.read, staged.verified):
        with pytest.raises(UserError, match=r"ann/1\.pgm changed while it was read"):
            read(one)
    (faces / two.name).unlink()
    with pytest.raises(UserError, match=r"ann/2\.pgm is gone"):
        staged.read(two)
    outside = tmp_path / "copy"
    shutil.copy(faces / three.name, outside)
    (faces / three.name).unlink()
    (faces / three.name).symlink_to(outside)
    with pytest.raises(UserError, match=r"bob/1\.pgm became a link that leaves"):
        staged.read(three)


def test_a_listing_cannot_name_what_is_outside(faces: Path, tmp_path: Path) -> None:
    stage(snapshot(str(faces)), tmp_path / "staged")
    listing = tmp_path / "staged/source.json"
    listing.write_text(listing.read_text().replace("ann/1.pgm", "ann/../../1.pgm"))
    with pytest.raises(UserError, match="not inside the source"):
        Staged.open(tmp_path / "staged")
    with pytest.raises(UserError, match="is no source"):
        Staged.open(tmp_path)
