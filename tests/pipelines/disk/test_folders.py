"""What a step left can be removed, whatever it is, and nothing else is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.disk.folders import remove_tree, walk
from tests.data.deep_trees import LONG, dig
from tests.data.open_files import opened_below

ROOT = Path(__file__).parents[3]
REMOVES = (
    "import sys; from pathlib import Path; from pipelines.disk.folders import remove_tree\n"
    "input(); remove_tree(Path(sys.argv[1]))"
)


def remover(root, **how):
    return subprocess.Popen(
        [sys.executable, "-c", REMOVES, str(root)], cwd=ROOT, stdin=subprocess.PIPE, **how
    )


@pytest.fixture
def root(cleared):
    folder = cleared / "root"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(("depth", "name"), [(0, ""), (3000, "d"), (100, LONG)])
def test_any_depth_is_removed_with_few_descriptors(root, depth, name):
    dig(root, depth, name)
    most = max(len(opened_below(root.parent)) for _ in walk(root))
    assert 1 <= most <= 2
    remove_tree(root)
    assert not root.exists()
    assert opened_below(root.parent) == []


def test_every_entry_is_met_before_what_is_in_it_and_a_folder_once_more(root):
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "file").touch()
    (root / "a" / "link").symlink_to("/")
    met = [(visit.name, visit.again) for visit in walk(root)]
    assert met[:2] == [("root", False), ("a", False)]
    assert met[-2:] == [("a", True), ("root", True)]
    assert set(met[2:-2]) == {("b", False), ("file", False), ("b", True), ("link", False)}


def test_links_are_removed_and_never_followed(root):
    outside = root.with_name("outside")
    outside.mkdir()
    (outside / "kept").write_text("kept")
    (root / "inner").mkdir()
    (root / "inner" / "folder").symlink_to(outside, target_is_directory=True)
    (root / "inner" / "file").symlink_to(outside / "kept")
    (root / "inner" / "nowhere").symlink_to("nowhere")
    remove_tree(root)
    assert not root.exists()
    root.symlink_to(outside, target_is_directory=True)
    remove_tree(root)
    assert not root.is_symlink()
    assert (outside / "kept").read_text() == "kept"
    assert outside.stat().st_mode & 0o777 == 0o755


def test_closed_folders_and_special_files_are_removed(root):
    (root / "closed" / "inner").mkdir(parents=True)
    os.mkfifo(root / "closed" / "pipe")
    (root / "closed" / os.fsdecode(b"\xff")).touch()
    for path in (root / "closed" / "inner", root / "closed", root):
        path.chmod(0)
    remove_tree(root)
    assert not root.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="root alone may become another user")
@pytest.mark.parametrize("mode", [0, 0o100, 0o300, 0o400, 0o500])
def test_a_user_who_is_not_root_removes_its_own_closed_folders(root, mode):
    outside = root.with_name("outside")
    outside.mkdir(mode=0o500)
    (root / "closed" / "inner").mkdir(parents=True)
    (root / "closed" / "file").touch()
    (root / "link").symlink_to(outside, target_is_directory=True)
    for path in (root / "closed" / "inner", root / "closed"):
        path.chmod(mode)
    # A parent that the user may enter, which a test's own folder need not be.
    code = (
        "import os, sys; from pathlib import Path; from pipelines.disk.folders import remove_tree\n"
        "os.fchdir(int(sys.argv[1])); os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "remove_tree(Path('root'))"
    )
    for path in (root.parent, root, root / "closed", root / "closed" / "inner", outside):
        os.chown(path, 65534, 65534)
    handle = os.open(root.parent, os.O_RDONLY)
    subprocess.run(
        [sys.executable, "-c", code, str(handle)], cwd=ROOT, pass_fds=[handle], check=True
    )
    os.close(handle)
    assert not root.exists()
    assert outside.stat().st_mode & 0o777 == 0o500


def test_what_is_not_there_is_no_fault(root):
    remove_tree(root / "missing")
    remove_tree(root / "missing" / "missing")


def test_several_may_remove_the_same_tree(root):
    for number in range(200):
        (root / str(number) / "inner" / "inner").mkdir(parents=True)
        (root / str(number) / "inner" / "file").touch()
    dig(root, 3000)
    removers = [remover(root, stderr=subprocess.PIPE) for _ in range(3)]
    for process in removers:
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in removers:
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, complaint.decode()
    assert not root.exists()


def test_a_folder_that_is_moved_away_leads_to_nothing_else(root):
    """Whoever moves the open folder must not make its new neighbours appear."""
    elsewhere = root.with_name("elsewhere")
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (root / "moved" / "inner").mkdir(parents=True)
    visits = walk(root)
    assert [next(visits).name for _ in range(3)] == ["root", "moved", "inner"]
    (root / "moved").rename(elsewhere / "moved")
    with pytest.raises(OSError, match="moved"):
        list(visits)
