"""What a container's user wrote becomes the engine's, however deep it lies."""

import os
import stat

import pytest

from pipelines.disk.folders import walk
from pipelines.engines.machine.ownership import make_readable, take_back
from tests.data.deep_trees import LONG, dig

USER = 65532
root_alone = pytest.mark.skipif(os.getuid() != 0, reason="root alone gives files to other users")


def entries(folder):
    for visit in walk(folder):
        yield os.stat(visit.name, dir_fd=visit.folder, follow_symlinks=False)


@root_alone
@pytest.mark.parametrize(("depth", "name"), [(3000, "d"), (100, LONG)])
def test_at_any_depth_it_is_taken_back(cleared, depth, name):
    folder, outside = cleared / "step", cleared / "outside"
    folder.mkdir()
    outside.write_text("kept")
    outside.chmod(0o600)
    os.chown(outside, USER, USER)
    dig(folder, depth, name)
    for visit in walk(folder):
        os.chown(visit.name, USER, USER, dir_fd=visit.folder)
        if visit.again:
            os.chmod(visit.name, 0, dir_fd=visit.folder)
    (folder / "link").symlink_to(outside)
    take_back(folder)
    for found in entries(folder):
        assert found.st_uid == found.st_gid == 0
        if not stat.S_ISLNK(found.st_mode):
            mode = 0o755 if stat.S_ISDIR(found.st_mode) else 0o644
            assert stat.S_IMODE(found.st_mode) == mode
    assert outside.stat().st_uid == USER
    assert stat.S_IMODE(outside.stat().st_mode) == 0o600


@root_alone
def test_what_is_staged_can_be_read_and_links_are_left_alone(tmp_path):
    (tmp_path / "tree" / "inner").mkdir(parents=True)
    for path in (tmp_path / "secret", tmp_path / "page", tmp_path / "tree" / "inner" / "file"):
        path.touch(0o600)
    (tmp_path / "tree" / "inner").chmod(0o700)
    for link in (tmp_path / "link", tmp_path / "tree" / "link"):
        link.symlink_to(tmp_path / "secret")
    make_readable([tmp_path / "tree", tmp_path / "page", tmp_path / "link"])
    inner = tmp_path / "tree" / "inner"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (inner, inner / "file")]
    assert modes == [0o755, 0o644]
    assert stat.S_IMODE((tmp_path / "page").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
