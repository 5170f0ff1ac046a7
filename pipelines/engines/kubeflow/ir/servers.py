"""Versions of Kubeflow Pipelines: which are known, and in what they differ for a compiled graph."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

from components.contract.errors import UserError

_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:[-+.].*)?")


@total_ordering
@dataclass(frozen=True)
class ServerVersion:
    """A version of the API server, whose driver and launcher have the same.

    Attributes:
        major: 2, or what a later major version is.
        minor: The second number.
        patch: The third number; 0 where it is not told.
    """

    major: int
    minor: int
    patch: int = 0

    def __str__(self) -> str:
        """Return it as people write it: ``2.17.0``."""
        return f"{self.major}.{self.minor}.{self.patch}"

    def __lt__(self, other: ServerVersion) -> bool:
        """Whether it is older."""
        return self._numbers < other._numbers

    @property
    def _numbers(self) -> tuple[int, int, int]:
        return (self.major, self.minor, self.patch)

    @property
    def cache_key(self) -> bool:
        """Whether its driver takes the cache key that a task gives (driver/cache.go)."""
        return self >= ServerVersion(2, 18)

    @property
    def workspace(self) -> bool:
        """Whether it makes a volume for each run that asks for one (driver/driver.go)."""
        return self >= ServerVersion(2, 15)

    @property
    def unknown(self) -> str | None:
        """What is not known to work with it, or None where nothing is.

        The text is a warning for people, without the fix.
        """
        if self < OLDEST:
            return f"it is older than {OLDEST}, the oldest that is known"
        if self.major > NEWEST.major:
            return (
                "it has no ML Metadata and other task lists: how far a run is, what it took from "
                "the cache, and the sizes that it can hold are not known to be told rightly"
            )
        if self._numbers[:2] > NEWEST._numbers[:2]:
            return f"it is newer than {NEWEST.major}.{NEWEST.minor}, the newest that is known"
        return None


OLDEST, NEWEST = ServerVersion(2, 5), ServerVersion(2, 18)
"""Between these, both included, what is compiled is known to run, or read in the sources."""


def parsed(text: str | None) -> ServerVersion | None:
    """Return the version that a text begins with, such as ``2.17.0`` or ``v2.5``; None: none."""
    found = _VERSION.fullmatch((text or "").strip())
    if found is None:
        return None
    return ServerVersion(int(found[1]), int(found[2]), int(found[3] or 0))


def wanted(text: str) -> ServerVersion:
    """Return the version that somebody asks for by ``--kfp``.

    Args:
        text: As written.

    Raises:
        UserError: It is no version, or one that no pipeline is compiled for.
    """
    version = parsed(text)
    if version is None:
        raise UserError(
            f"--kfp {text}: expected a version of Kubeflow Pipelines such as 2.17.0",
            "kubectl -n kubeflow get deployment ml-pipeline -o jsonpath="
            "'{.spec.template.spec.containers[0].image}' prints it behind the colon",
        )
    if version < OLDEST:
        raise UserError(
            f"--kfp {text}: pipelines are compiled for Kubeflow Pipelines {OLDEST} and newer",
            f"update the installation, or write --kfp {OLDEST}",
        )
    return version
