"""A folder of this machine walked: its files, where its links lead, and what cannot be read.

Links are followed. What lies in the folder, or was met through an earlier link, counts under the
name that it was met by first; another link to it is told from it and read once.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from components.contract.errors import UserError
from components.contract.source import SourceFile
from pipelines.disk.names import fault_of_name, is_junk, printable
from pipelines.sources.checksums import FileState
from pipelines.sources.together import folder_of

_CIRCLE = "link: leads in a circle"


@dataclass(frozen=True)
class Contents:
    """What a folder holds, all by relative POSIX name.

    Attributes:
        states: Every file that can be read.
        links: What those that are links to another of them lead to.
        others: What has no bytes of its own: links to folders that count elsewhere, and faults.
        empty: Folders that hold nothing of these, neither themselves nor below.
    """

    states: dict[str, FileState] = field(default_factory=dict[str, FileState])
    links: dict[str, str] = field(default_factory=dict[str, str])
    others: dict[str, SourceFile] = field(default_factory=dict[str, SourceFile])
    empty: tuple[str, ...] = ()


def contents_of(root: Path) -> Contents:
    """Return every file below a folder that is data.

    Args:
        root: Resolved.

    Raises:
        OSError: A file may not be read, or vanished meanwhile.
    """
    search = _Search(os.fspath(root))
    search.enter("", search.root)
    search.know_files()
    while search.pending:
        links, search.pending = sorted(search.pending), []
        for name, path in links:
            search.follow(name, path)
    return replace(search.found, empty=empty_of(search.folders, search.held))


def empty_of(folders: Iterable[str], held: Iterable[str]) -> tuple[str, ...]:
    """Return the topmost folders that hold nothing, in order, as text.

    Args:
        folders: Relative POSIX paths; the root is empty.
        held: Those in which something lies.
    """
    full = {""}
    for folder in held:
        while folder not in full:
            full.add(folder)
            folder = folder_of(folder)  # noqa: PLW2901 upwards
    found: set[str] = set()
    for folder in folders:
        while folder not in full:
            top, folder = folder, folder_of(folder)  # noqa: PLW2901 upwards
            if folder in full:
                found.add(printable(top))
    return tuple(sorted(found))


def unreadable(uri: str, files: Iterable[SourceFile]) -> UserError:
    """Return the error that names all that cannot be read."""
    faults = [f"\n  {file.name} ({file.fault})" for file in files if file.fault]
    return UserError(
        f"{uri} holds {len(faults)} files that cannot be read and none that can{''.join(faults)}",
        "put regular files, whose names are text without control characters, in their place",
    )


def state_of(path: str) -> FileState | str:
    """Return the state of a regular file, following links, or why there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 a string: there may be a million of them
    except (FileNotFoundError, NotADirectoryError):
        return f"link: leads to {printable(os.path.realpath(path))}, which does not exist"
    except OSError as error:
        if error.errno == errno.ELOOP:
            return _CIRCLE
        raise
    if stat.S_ISREG(status.st_mode):
        return FileState.of(os.path.realpath(path), status)
    return "special: no regular file but a device, pipe or socket"


class _Search:
    def __init__(self, root: str) -> None:
        self.root = root
        self.first = True
        self.found = Contents()
        self.pending: list[tuple[str, str]] = []
        self.held: list[str] = []
        self._files: dict[str, str] = {}
        self._folders: dict[str, str] = {}

    @property
    def folders(self) -> Iterable[str]:
        """What every folder that was entered is called."""
        return self._folders.values()

    def enter(self, prefix: str, path: str) -> None:
        """Take what is in a folder and below; its links wait."""
        folders = [(prefix, path)]
        plain, states, of = self.first, self.found.states, FileState.of
        while folders:
            prefix, path = folders.pop()
            self._folders[path] = prefix.rstrip("/")
            inside = f"{path.rstrip('/')}/"
            before = self._count()
            with os.scandir(path) as entries:
                for entry in entries:
                    own = entry.name
                    name = prefix + own
                    if is_junk(own):
                        continue
                    if plain and entry.is_file(follow_symlinks=False) and not fault_of_name(name):
                        # A million of them: no call that is not needed.
                        states[name] = of(inside + own, entry.stat(follow_symlinks=False))
                    elif entry.is_symlink():
                        self.pending.append((name, inside + own))
                    elif not entry.is_dir(follow_symlinks=False):
                        self._take(name, inside + own, entry.stat(follow_symlinks=False))
                    elif entry.path in self._folders:
                        self._other(name, link=self._folders[entry.path])
                    else:
                        folders.append((f"{name}/", entry.path))
            if self._count() > before:
                self.held.append(prefix.rstrip("/"))

    def know_files(self) -> None:
        """Note where files were met, before the first link: until then each has another path."""
        self.first = False
        if self.pending:
            self._files = {state.path: name for name, state in self.found.states.items()}

    def follow(self, name: str, path: str) -> None:
        """Take what a link leads to."""
        target = os.path.realpath(path)
        try:
            status = os.stat(target)  # noqa: PTH116 as above
        except OSError as error:
            leads = f"link: leads to {printable(target)}, which does not exist"
            return self._other(name, fault=_CIRCLE if error.errno == errno.ELOOP else leads)
        if not stat.S_ISDIR(status.st_mode):
            return self._take(name, target, status)
        above = f"{target.rstrip('/')}/"
        places = (self.root, os.path.realpath(os.path.dirname(path)))  # noqa: PTH120 as above
        if any(f"{place}/".startswith(above) for place in places):
            fault = f"link: leads to {printable(target)}, a folder that it lies in"
            return self._other(name, fault=fault)
        if target in self._folders:
            return self._other(name, link=self._folders[target])
        return self.enter(f"{name}/", target)

    def _count(self) -> int:
        return len(self.found.states) + len(self.found.others) + len(self.pending)

    def _take(self, name: str, path: str, status: os.stat_result) -> None:
        if fault := fault_of_name(name):
            self._other(name, fault=f"name: {fault}; rename the file")
        elif not stat.S_ISREG(status.st_mode):
            self._other(name, fault="special: no regular file but a device, pipe or socket")
        else:
            self.found.states[name] = FileState.of(path, status)
            first = self._files.setdefault(path, name)
            if first != name:
                self.found.links[name] = first

    def _other(self, name: str, *, link: str = "", fault: str = "") -> None:
        shown = printable(name)
        while shown in self.found.states or shown in self.found.others:
            shown += "?"  # another name looks the same once it is text
        odd = fault_of_name(name)
        if odd and not fault:
            link, fault = "", f"name: {odd}; rename the file"
        self.found.others[shown] = SourceFile(shown, 0, "", link, fault)
