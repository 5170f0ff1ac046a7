"""Trees: content decides, names of folders and times do not, and nothing leaves the tree."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contract.tree import DEPTH_MAX, SINGLE, Entry, Tree, files_of, tree_of
from tests.data.deep_trees import LONG, dig


def write(root, files):
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


FILES = {"a.txt": b"1", "sub/b.txt": b"22", "sub/c": b""}


def test_digest_hangs_on_content_alone(tmp_path):
    one, other = (
        write(tmp_path / "one", FILES),
        write(tmp_path / "other", dict(reversed(FILES.items()))),
    )
    os.utime(other / "a.txt", (1, 1))
    (other / "empty").mkdir()
    assert tree_of(one).digest == tree_of(other).digest
    assert tree_of(one).size_bytes == 3


@pytest.mark.parametrize("change", [{"a.txt": b"2"}, {"d": b""}, {"sub/c": b"x"}])
def test_any_change_of_content_or_name_changes_the_digest(tmp_path, change):
    one, other = write(tmp_path / "one", FILES), write(tmp_path / "other", FILES | change)
    assert tree_of(one).digest != tree_of(other).digest


def test_a_single_file_is_a_tree(tmp_path):
    path = write(tmp_path, {"page": b"<p>"}) / "page"
    tree = tree_of(path)
    assert [entry.path for entry in tree.entries] == [SINGLE]
    assert Tree.from_json(tree.to_json()) == tree


def test_links_are_refused(tmp_path):
    write(tmp_path, FILES)
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(ValueError, match="link"):
        files_of(tmp_path)


def test_a_special_file_is_no_artifact(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="special file"):
        tree_of(tmp_path / "pipe")


def test_the_limit_of_depth_counts_the_file(tmp_path):
    dig(tmp_path, DEPTH_MAX - 1)
    assert [entry.path for entry in tree_of(tmp_path).entries] == ["d/" * (DEPTH_MAX - 1) + "file"]
    (tmp_path / "one").mkdir()
    dig(tmp_path / "one", DEPTH_MAX - 1)
    with pytest.raises(ValueError, match=r"one/d/.*d/file lies deeper than the 64 levels"):
        tree_of(tmp_path)


@pytest.mark.parametrize(
    ("depth", "name", "said"),
    [(3000, "d", "deeper than the 64 levels"), (30, LONG, "too long a path for this system")],
)
def test_however_deep_it_is_the_fault_is_said_in_short(cleared, depth, name, said):
    dig(cleared, depth, name)
    with pytest.raises(ValueError, match=said) as caught:
        tree_of(cleared)
    assert str(cleared) in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_name_that_is_no_text_can_be_said(tmp_path):
    (tmp_path / os.fsdecode(b"\xff")).symlink_to("/etc/passwd")
    with pytest.raises(ValueError, match="link") as caught:
        files_of(tmp_path)
    str(caught.value).encode()


def test_nothing_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        tree_of(tmp_path / "missing")


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "", "a//b", "./a"])
def test_a_stored_tree_cannot_name_a_place_outside(path):
    with pytest.raises(ValueError, match="leaves"):
        Tree.from_json({"entries": [[path, 0, "0" * 64]]})


@given(
    st.lists(
        st.tuples(st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5})?", fullmatch=True), st.integers(0, 99)),
        max_size=5,
    )
)
def test_json_round_trip(rows):
    tree = Tree(tuple(Entry(path, size, "a" * 64) for path, size in rows))
    assert Tree.from_json(tree.to_json()).digest == tree.digest
