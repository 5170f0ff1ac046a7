"""The files that this process has open in one folder: other threads open theirs elsewhere."""

import errno
from pathlib import Path


def opened_below(folder: Path) -> list[Path]:
    """Return what is open in ``folder``, and whatever lies deeper than a path can say."""
    found: list[Path] = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            path = descriptor.readlink()
        except FileNotFoundError:  # another thread's, closed meanwhile
            continue
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            path = folder / "too deep"
        if path.is_relative_to(folder):
            found.append(path)
    return found
