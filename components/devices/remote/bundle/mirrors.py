"""Mirrors: where packages of Debian are fetched from.

The addresses in ``SLIMLINE_DEBIAN_MIRRORS``, separated by spaces, one after the other; where that
is not set, those that this machine's own apt has for its release. ``{moment}`` in an address
becomes the moment of the lock: so a snapshot of Debian's archive can be the second, which keeps
what mirrors no longer have.
"""

from __future__ import annotations

import hashlib
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from components.contract.errors import UserError

VARIABLE = "SLIMLINE_DEBIAN_MIRRORS"
ETC = Path("/etc")
_SCHEMES = ("http", "https", "file")
_LIMIT_S = 60.0


@dataclass(frozen=True)
class Mirrors:
    """Places that have Debian's packages.

    Attributes:
        addresses: Each without what follows on all mirrors, the first one asked first.
    """

    addresses: Sequence[str]

    @classmethod
    def of_this_machine(cls, moment: str | None) -> Mirrors:
        """Return the places that the user, or else this machine's apt, names.

        Args:
            moment: Of the lock; None for what is there now, which no snapshot has.

        Raises:
            UserError: None is known.
        """
        given = os.environ.get(VARIABLE, "").split()
        found = [
            each.replace("{moment}", moment or "").rstrip("/")
            for each in given or apt_addresses()
            if moment or "{moment}" not in each
        ]
        wrong = [each for each in found if urllib.parse.urlsplit(each).scheme not in _SCHEMES]
        if wrong:
            raise UserError(
                f"{VARIABLE}: {wrong[0]} is no address of a mirror",
                f"export {VARIABLE}=ADDRESS that begins with https:// or http://, or with file://",
            )
        if not found:
            raise UserError(
                "Python for devices comes from Debian's packages, and no mirror of them is known",
                f"export {VARIABLE}=ADDRESS of one: Debian lists them under its word mirror",
            )
        return cls(tuple(found))

    def fetch(self, path: str) -> bytes | None:
        """Return a file; None where none of the mirrors has it.

        Args:
            path: As on all mirrors.

        Raises:
            UserError: None of them answers.
        """
        silent: list[str] = []
        for address in self.addresses:
            try:
                with urllib.request.urlopen(  # noqa: S310 the schemes are checked
                    f"{address}/{urllib.parse.quote(path)}", timeout=_LIMIT_S
                ) as answer:
                    return answer.read()
            except urllib.error.HTTPError as error:
                if error.code not in (404, 410):
                    silent.append(f"{address} answers {error.code}")
            except (OSError, HTTPException) as error:
                if address.startswith("file:"):
                    continue
                reason = getattr(error, "reason", None) or error
                silent.append(f"{address}: {reason}")
        if silent:
            raise UserError(
                f"no mirror of Debian gave {path.rpartition('/')[2]}: {'; '.join(silent)}",
                f"let this machine reach one, or export {VARIABLE}=ADDRESS of another, and run "
                "again",
            )
        return None

    def fetch_pinned(self, path: str, sha256: str, what: str) -> bytes:
        """Return a file whose digest is known.

        Args:
            path: As on all mirrors.
            sha256: Of it.
            what: Its name, for people.

        Raises:
            UserError: It is gone, or it is another, or no mirror answers.
        """
        content = self.fetch(path)
        if content is None:
            raise UserError(
                f"{what} is on none of the mirrors any more: {', '.join(self.addresses)}",
                "make bundle-lock pins what they have now (in a copy of slimline's sources); or "
                f"name a second one in {VARIABLE}, a snapshot that keeps old packages",
            )
        if hashlib.sha256(content).hexdigest() != sha256:
            raise UserError(
                f"{what} came with another content than the one that is pinned",
                f"try again; or export {VARIABLE}=ADDRESS of another mirror",
            )
        return content


def apt_addresses(etc: Path | None = None) -> list[str]:
    """Return the mirrors that apt has here for this release of Debian; none on other systems.

    Args:
        etc: Where the system's settings lie; None for ``/etc``.
    """
    etc = etc or ETC
    release = _text([etc / "os-release"])
    codename = re.search(r'^VERSION_CODENAME="?(\w+)', release, re.MULTILINE)
    if codename is None or not re.search(r'^ID="?debian"?$', release, re.MULTILINE):
        return []
    more = etc / "apt/sources.list.d"
    found = [
        uri
        for uris, suites in (
            *_paragraphs(_text(sorted(more.glob("*.sources")))),
            *_lines(_text([etc / "apt/sources.list", *sorted(more.glob("*.list"))])),
        )
        if codename[1] in suites
        for uri in uris
        if urllib.parse.urlsplit(uri).scheme in _SCHEMES
    ]
    return list(dict.fromkeys(found))


def _paragraphs(text: str) -> Iterable[tuple[list[str], list[str]]]:
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^(URIs|Suites|Enabled):[ \t]*(.*)$", paragraph, re.MULTILINE))
        if fields.get("Enabled", "yes").strip().lower() != "no":
            yield fields.get("URIs", "").split(), fields.get("Suites", "").split()


def _lines(text: str) -> Iterable[tuple[list[str], list[str]]]:
    line = r"^deb[ \t]+(?:\[[^]]*\][ \t]+)?(\S+)[ \t]+(\S+)"
    for uri, suite in re.findall(line, text, re.MULTILINE):
        yield [uri], [suite]


def _text(paths: Iterable[Path]) -> str:
    return "\n\n".join(path.read_text(errors="replace") for path in paths if path.is_file())
