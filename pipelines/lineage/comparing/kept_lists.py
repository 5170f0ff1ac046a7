"""What the digests of code and environments stand for, as far as the store holds the lists."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

from components.contract.digests import digest
from pipelines.lineage.comparing.differences import Difference, differences
from pipelines.runs.step_records import ExecutionRecord
from pipelines.stores.layout import code_key, environment_key
from pipelines.stores.store import KeyMissing, Store

_LISTED = {"code": "lists of files of code are", "environment": "lists of packages are"}


class KeptLists:
    """The lists of files and packages that digests of code and environments stand for.

    Args:
        store: Where they are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, Mapping[str, Any] | None] = {}
        self._absent: Counter[str] = Counter()
        self._damaged: list[str] = []

    @property
    def lacking(self) -> list[str]:
        """Say which lists are not there, in sentences."""
        found = [
            f"{count} {_LISTED[kind]} not in the store: runs of an earlier version kept none"
            for kind, count in self._absent.items()
        ]
        return found + [f"{key} is damaged: slimline verify tells more" for key in self._damaged]

    def code(self, before: str, now: str) -> list[Difference]:
        """Return the files of code that differ, by the first digits of their sha256."""
        one = self._list(code_key(before), "code", before)
        other = self._list(code_key(now), "code", now)
        if one is None or other is None:
            return [Difference("files that no list names", before[:8], now[:8])]
        return [
            Difference(item.what, _short(item.before), _short(item.now))
            for item in differences(one, other)
        ]

    def packages(self, before: ExecutionRecord, now: ExecutionRecord) -> list[Difference]:
        """Return the packages that differ between two environments."""
        first, second = before.ingredients["environment"], now.ingredients["environment"]
        one, other = self._environment(first), self._environment(second)
        if one is not None and other is not None:
            return differences(one, other)
        found = differences(before.versions, now.versions)
        return found or [Difference("packages that no list names", first[:8], second[:8])]

    def _environment(self, wanted: str) -> dict[str, Any] | None:
        """Return the packages of an environment, with Python and the architecture."""
        content = self._list(environment_key(wanted), "environment", wanted)
        if content is None:
            return None
        if "extras" not in content:
            return {**content["packages"], **_others(content)}
        image = self._environment(content["image"])
        return {**image, **content["extras"]} if image is not None else None

    def _list(self, key: str, kind: str, wanted: str) -> Mapping[str, Any] | None:
        if key not in self._read:
            self._read[key] = self._checked(key, kind, wanted)
        return self._read[key]

    def _checked(self, key: str, kind: str, wanted: str) -> Mapping[str, Any] | None:
        try:
            content: Any = json.loads(self._store.get(key))
        except KeyMissing:
            self._absent[kind] += 1
            return None
        except ValueError:
            content = None
        if not isinstance(content, dict) or digest(kind, cast("object", content)) != wanted:
            self._damaged.append(key)
            return None
        return cast("Mapping[str, Any]", content)


def _short(sha: object) -> object:
    return sha[:8] if isinstance(sha, str) else sha


def _others(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != "packages"}
