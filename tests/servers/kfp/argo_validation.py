"""What Argo refuses of the Workflow that a pipeline becomes, when a run is created.

argo-workflows ``workflow/validate/validate.go``: the tasks of the root graph are named after the
pipeline's, a driver's with ``-driver`` behind it, and no two may be called alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.servers.kfp.releases import Release
from tests.servers.kfp.workflow import tasks_of

_LONGEST = 128
_NAME = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")


def refusal(spec: Mapping[str, Any], release: Release) -> str | None:
    """Return what is wrong with the Workflow of a pipeline spec, or None."""
    tasks = tasks_of(spec)
    names: list[str] = []
    for task in tasks.values():
        names += [task.name] if task.importer else [f"{task.name}-driver", task.name]
    wrong = next(_names(names), None)
    if wrong is None and release.templates_per_task:
        suffix = "-system-container-executor"
        wrong = next(_names([f"{t.name}{suffix}" for t in tasks.values() if t.retries], ""), None)
    if wrong is None:
        return None
    return f"Failed to validate workflow for (): {wrong}"


def _names(names: list[str], where: str = "templates.entrypoint.tasks.root ") -> Iterator[str]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        place = "templates.root.tasks" if where else "templates"
        if len(name) > _LONGEST:
            yield (
                f"{where}{place}[{index}].name: '{name}' is invalid: must be no more than {_LONGEST} "
                "characters"
            )
        if not _NAME.fullmatch(name):
            yield (
                f"{where}{place}[{index}].name: '{name}' is invalid: name must consist of "
                "alpha-numeric characters or '-', and must start with an alpha-numeric character "
                "(e.g. My-name1-2, 123-NAME)"
            )
        if name in seen:
            yield f"{where}templates.root sorting failed: duplicated nodeName {name}"
        seen.add(name)
