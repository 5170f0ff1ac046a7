"""Files with secrets, which nobody else of this machine may read."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from components.contract.errors import UserError
from pipelines.disk.files import disk_faults
from pipelines.web.settings import MAKE_TOKEN, ROLES, Role

LEAST = 32
"""So many characters a secret has: then nobody guesses it, however often they may try."""

_NAME_MAX = 200
_MOST_BYTES = 1 << 20


def read_secret(path: Path) -> str:
    """Return what a file holds that is for this user alone.

    A file that another user owns, as a cluster mounts secrets, may be readable to a group.

    Raises:
        UserError: It cannot be read, or others can.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}", "make it, or correct the settings")
    with disk_faults(path), path.open("rb") as file:
        found = os.fstat(file.fileno())
        own = found.st_uid == os.geteuid()
        if found.st_mode & (0o077 if own else 0o027):
            raise UserError(
                f"{path} can be read by others on this machine, or changed", f"chmod 600 {path}"
            )
        data = file.read(_MOST_BYTES)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise UserError(f"{path} is no UTF-8 text", "save it as plain text") from None


def read_key(path: Path) -> str:
    """Return a key that several services share.

    Raises:
        UserError: See ``read_secret``; or it is too short.
    """
    key = read_secret(path).strip()
    if len(key) < LEAST:
        raise UserError(f"{path} holds a key of {len(key)} characters, less than {LEAST}", _MAKE)
    return key


@dataclass(frozen=True)
class TokenHolder:
    """Somebody who has a token.

    Attributes:
        role: What they may do.
        name: Who they are.
        token: What they prove it with.
    """

    role: Role
    name: str
    token: str


class TokenFile:
    """Lines of ``ROLE NAME TOKEN``, read again when the file has changed.

    Args:
        path: Of the file.

    Raises:
        UserError: It cannot be read, or a line is wrong.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: object = None
        self._holders: tuple[TokenHolder, ...] = ()
        self.holders()

    def holders(self) -> tuple[TokenHolder, ...]:
        """Return who has a token, as the file says now.

        Raises:
            UserError: It says nothing that can be right: then nobody has one.
        """
        try:
            found = self._path.stat()
        except OSError as error:
            raise UserError(
                f"{self._path} cannot be read: {error.strerror}", "put it there again"
            ) from None
        seen = (found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode, found.st_uid)
        if seen != self._known:
            self._holders = tuple(_holders(self._path, read_secret(self._path)))
            self._known = seen
        return self._holders

    def with_token(self, token: str) -> TokenHolder | None:
        """Return whose token this is; all are compared, in a time that tells nothing of them."""
        found = None
        for holder in self.holders():
            if secrets.compare_digest(holder.token.encode(), token.encode()):
                found = holder
        return found

    def named(self, name: str) -> TokenHolder | None:
        """Return who is called so."""
        return next((holder for holder in self.holders() if holder.name == name), None)


_MAKE = f"it is made with: {MAKE_TOKEN}"


def _holders(path: Path, text: str) -> list[TokenHolder]:
    found: list[TokenHolder] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        place = f"{path}:{number}"
        if len(words) != 3:
            raise UserError(
                f"{place}: this line has {len(words)} words",
                "write ROLE NAME TOKEN, such as: read anna@example.com TOKEN",
            )  # fmt: skip
        if words[0] not in ROLES:
            raise UserError(
                f"{place}: there is no role {words[0]!r}", f"write one of {', '.join(ROLES)}"
            )
        _, name, token = words
        if not name.isprintable() or len(name) > _NAME_MAX:
            raise UserError(f"{place}: this is no name that can be shown", "write another one")
        if len(token) < LEAST or not token.isascii():
            raise UserError(
                f"{place}: the token has {len(token)} characters, and takes {LEAST} of ASCII", _MAKE
            )
        for one in found:
            if name == one.name or token == one.token:
                what = "name" if name == one.name else "token"
                raise UserError(f"{place}: the {what} stands in a line before", "give it once")
        found.append(TokenHolder(words[0], name, token))
    if not found:
        raise UserError(f"{path} has no line of ROLE NAME TOKEN: nobody could sign in", _MAKE)
    return found
