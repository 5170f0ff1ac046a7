"""The store in a directory: what disks and other processes do to it."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import UserError
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.opening import open_store
from pipelines.stores.store import TEMPORARY, KeyMissing
from tests.data.open_files import opened_below
from tests.pipelines.stores.interrupted import FILE_CALLS, check_everywhere

BIG = os.urandom(3 << 20)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "store"


@pytest.fixture
def store(root: Path) -> DirectoryStore:
    return DirectoryStore(root)


def unfinished(root: Path) -> list[str]:
    """The temporary files that lie in a store."""
    folder = root / TEMPORARY
    return [path.name for path in folder.iterdir() if path.is_file()] if folder.exists() else []


def test_killed_between_any_two_operations(
    fast_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = check_everywhere(str(fast_disk), fast_disk / "work")
    with capsys.disabled():
        sys.stdout.write("\n".join(["\nstore in a directory:", *table, ""]))
    assert len(table) > 25


def test_reading_makes_nothing(root: Path, store: DirectoryStore) -> None:
    assert list(store.list("a/")) == []
    assert store.stat("a") is None
    assert not root.parent.exists()


def test_a_value_is_on_the_disk_before_its_name_is(
    store: DirectoryStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, str]] = []

    def note(name: str) -> None:
        call = getattr(os, name)

        def noted(target: Any, *args: Any, **kwargs: Any) -> Any:
            place = Path(f"/proc/self/fd/{target}").readlink() if name == "fsync" else str(target)
            done.append((name, Path(place).name if name == "fsync" else name))
            return call(target, *args, **kwargs)

        monkeypatch.setattr(os, name, noted)

    for name in ("write", "fsync", "link", "replace"):
        note(name)
    store.put_if_absent("folder/key", b"1")
    found = store.stat("folder/key")
    assert found
    store.replace_if_match("folder/key", b"2", found.version)
    order = [what for what, _ in done]
    for naming in ("link", "replace"):
        at = len(order) - 1 - order[::-1].index(naming)
        assert order[at - 1] == "fsync" or "fsync" in order[order.index("write") : at]
        assert done[at + 1] == ("fsync", "folder"), "the folder is not synced after the name"
    written = order.index("write")
    assert order[written + 1] == "fsync", "the value is not synced before its name"


def test_google_is_not_imported_for_a_folder(tmp_path: Path) -> None:
    program = (
        "import sys; from pipelines.stores.opening import open_store\n"
        "store = open_store(sys.argv[1]); store.put_if_absent('a', b'1'); store.get('a')\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('google', 'requests')])"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "store")]
    assert subprocess.check_output(command, text=True).strip() == "[]"


def test_values_are_read_only_and_linked_on_request(
    store: DirectoryStore, root: Path, tmp_path: Path
) -> None:
    store.put_if_absent("a", BIG)
    digest = hashlib.sha256(BIG).hexdigest()
    assert store.fetch("a", tmp_path / "copy") == digest
    assert store.fetch("a", tmp_path / "link", link=True) == digest
    kept, copied, linked = (
        (path).stat() for path in (root / "a", tmp_path / "copy", tmp_path / "link")
    )
    assert stat.S_IMODE(kept.st_mode) == 0o444
    assert kept.st_ino == linked.st_ino
    assert kept.st_ino != copied.st_ino
    assert copied.st_mode & stat.S_IWUSR


def test_link_across_file_systems_copies(store: DirectoryStore, small_disk: Path) -> None:
    store.put_if_absent("a", b"x" * 1000)
    store.fetch("a", small_disk / "file", link=True)
    assert (small_disk / "file").read_bytes() == b"x" * 1000


def test_a_damaged_value_shows_in_its_digest(
    store: DirectoryStore, root: Path, tmp_path: Path
) -> None:
    store.put_if_absent("a", BIG)
    (root / "a").chmod(0o644)
    with (root / "a").open("r+b") as file:
        file.seek(1000)
        file.write(b"\0" if BIG[1000] else b"\1")
    for link in (False, True):
        fetched = store.fetch("a", tmp_path / "file", link=link)
        assert fetched != hashlib.sha256(BIG).hexdigest()


def test_files_of_dead_writers_go_and_those_of_living_ones_stay(root: Path) -> None:
    DirectoryStore(root).put_if_absent("a", b"1")
    folder = root / TEMPORARY
    for name in ("dead", "living", "young"):
        (folder / name).write_bytes(b"half")
    hour_ago = time.time() - 3600
    for name in ("dead", "living"):
        os.utime(folder / name, (hour_ago, hour_ago))
    (folder / "scratch" / "of-a-run").mkdir(parents=True)
    os.utime(folder / "scratch", (hour_ago, hour_ago))
    with (folder / "living").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        DirectoryStore(root).put_if_absent("b", b"1")
        assert sorted(unfinished(root)) == ["living", "young"]
    DirectoryStore(root).put_if_absent("c", b"1")
    assert unfinished(root) == ["young"]
    assert (folder / "scratch" / "of-a-run").is_dir()


def test_the_temporary_folder_may_vanish(store: DirectoryStore, root: Path) -> None:
    store.put_if_absent("a", b"1")
    (root / TEMPORARY).rmdir()
    assert store.put_if_absent("b", b"1")


def test_what_others_put_there_is_not_ours(store: DirectoryStore, root: Path) -> None:
    store.put_if_absent("a/b", b"1")
    (root / "a" / "b~").write_bytes(b"2")
    (root / "a copy").mkdir()
    (root / "a copy" / "b").write_bytes(b"3")
    assert list(store.list("")) == ["a/b"]


def test_a_folder_is_no_key(store: DirectoryStore) -> None:
    store.put_if_absent("a/b", b"1")
    assert store.stat("a") is None
    with pytest.raises(KeyMissing):
        store.get("a")
    with pytest.raises(ValueError, match="folder of other keys"):
        store.put_if_absent("a", b"1")
    with pytest.raises(UserError, match="a file stands where a folder is expected"):
        store.put_if_absent("a/b/c", b"1")


@pytest.mark.parametrize("uri", ["", "  ", "az://bucket/x", "GS://bucket", "http://host/x"])
def test_no_store(uri: str) -> None:
    with pytest.raises(UserError, match="store"):
        open_store(uri)


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match="a file stands where a folder is expected"):
            open_store(str(path)).put_if_absent("a", b"1")


def test_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(BIG)
    store = DirectoryStore(small_disk / "store")
    assert store.put_if_absent("small", b"1")
    for data in (BIG, tmp_path / "big"):
        with pytest.raises(UserError, match="the disk is full") as caught:
            store.put_if_absent("folder/big", data)
        assert str(small_disk) in caught.value.what
        assert "free some space" in caught.value.fix
    found = store.stat("small")
    assert found
    with pytest.raises(UserError, match="the disk is full"):
        store.replace_if_match("small", BIG, found.version)
    assert list(store.list("")) == ["small"]
    assert store.get("small") == b"1"
    assert unfinished(small_disk / "store") == []
    assert store.put_if_absent("next", b"x" * 100_000), (
        "the space of the failed value is free again"
    )


def test_a_full_disk_where_a_value_is_fetched_to(small_disk: Path, store: DirectoryStore) -> None:
    store.put_if_absent("big", BIG)
    for link in (False, True):
        with pytest.raises(UserError, match="the disk is full") as caught:
            store.fetch("big", small_disk / "there" / "file", link=link)
        assert str(small_disk / "there") in caught.value.what
    assert list((small_disk / "there").iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
@pytest.mark.parametrize(
    "name", ["write", "copy_file_range", "fsync", "link", "replace", "utime", "open"]
)
def test_a_disk_that_fails_at_any_call(
    store: DirectoryStore,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    number: int,
) -> None:
    (tmp_path / "data").write_bytes(BIG)
    store.put_if_absent("there", b"before")
    found = store.stat("there")
    assert found

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise OSError(number, os.strerror(number))

    faults: list[str] = []
    for call in (
        lambda: store.put_if_absent("bytes", BIG),
        lambda: store.put_if_absent("file", tmp_path / "data"),
        lambda: store.replace_if_match("there", b"after", found.version),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(os, name, fail)
            try:
                call()
            except UserError as error:
                faults.append(error.what)
    assert faults
    assert all(str(root) in what for what in faults)
    assert unfinished(root) == []
    for key in store.list(""):
        assert store.get(key) in (BIG, b"before", b"after")


def test_a_store_that_must_not_be_written(small_disk: Path, tmp_path: Path) -> None:
    root = small_disk / "store"
    DirectoryStore(root).put_if_absent("a", b"1")
    remount = ["mount", "-o", "remount,{}", str(small_disk)]
    subprocess.run([part.format("ro") for part in remount], check=True)
    try:
        check_unwritable(DirectoryStore(root), tmp_path, "the file system is read-only")
    finally:
        subprocess.run([part.format("rw") for part in remount], check=True)


def test_a_store_of_another_user(root: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    DirectoryStore(root).put_if_absent("a", b"1")
    for folder in (root, root / TEMPORARY):
        folder.chmod(0o555)
    try:
        check_unwritable(DirectoryStore(root), tmp_path, "permission denied")
    finally:
        for folder in (root, root / TEMPORARY):
            folder.chmod(0o755)


def check_unwritable(store: DirectoryStore, tmp_path: Path, what: str) -> None:
    found = store.stat("a")
    assert found
    for call in (
        lambda: store.put_if_absent("b", b"1"),
        lambda: store.put_if_absent("c/d", b"1"),
        lambda: store.replace_if_match("a", b"2", found.version),
        lambda: store.delete_if_match("a", found.version),
    ):
        with pytest.raises(UserError, match=what) as caught:
            call()
        assert store.uri in caught.value.what
    assert store.get("a") == b"1"
    assert list(store.list("")) == ["a"]
    assert store.fetch("a", tmp_path / "fetched", link=True) == hashlib.sha256(b"1").hexdigest()


def test_a_writer_leaves_no_open_file(store: DirectoryStore, tmp_path: Path) -> None:
    with (tmp_path / "seen").open("w"):
        assert opened_below(tmp_path) == [tmp_path / "seen"]
    store.put_if_absent("b", BIG)
    store.fetch("b", tmp_path / "b")
    found = store.stat("b")
    assert found
    store.replace_if_match("b", b"1", found.version)
    with pytest.raises(KeyMissing):
        store.get("c")
    assert opened_below(tmp_path) == []


def test_every_operation_is_interrupted() -> None:
    """A call that is added to the store and not to the list would escape the kills."""
    import ast

    from pipelines.disk import files
    from pipelines.stores import directory

    used: set[str] = set()
    for module in (directory, files):
        tree = ast.parse(Path(str(module.__file__)).read_text())
        used |= set(_os_calls(tree))
    harmless = {"getpid", "cpu_count", "strerror", "lseek"}
    assert used - harmless <= set(FILE_CALLS)


def _os_calls(tree: Any) -> Iterator[str]:
    import ast

    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "os"
        ):
            yield node.func.attr
