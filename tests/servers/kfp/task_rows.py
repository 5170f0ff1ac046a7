"""What the API server tells of the nodes of a run: rows that the persistence agent writes.

The agent reads the Workflow; each launcher whose step may be cached writes a row of its own when that
has succeeded. A row stays what it was when the node is gone, and when Argo stores the nodes compressed the agent
finds none of them: then the launchers' rows alone keep coming.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.servers.kfp.workflow import Node, Workflow

Resource = dict[str, Any]

_STATES = {
    **{phase: phase.upper() for phase in ("Pending", "Running", "Succeeded", "Failed", "Skipped")},
    "Error": "FAILED",
    "Omitted": None,
}
"""Phase of a node to state of a task (model/run.go, ToV2); what it does not know has none."""

_NEVER = "0001-01-01T00:00:00Z"


@dataclass
class TaskRows:
    """The rows of one run.

    Attributes:
        run: Identifier of the run.
        created: When the run was.
        frozen: The nodes are stored compressed.
    """

    run: str
    created: str
    frozen: bool = False
    _rows: dict[str, Resource] = field(default_factory=dict)
    _reported: dict[str, int] = field(default_factory=dict)

    def report(self, workflow: Workflow, moment: str) -> None:
        """Write what the Workflow says."""
        if self.frozen:
            return
        for node in workflow.nodes.values():
            self._write(workflow, node, moment)

    def _write(self, workflow: Workflow, node: Node, moment: str) -> None:
        key = workflow.id_of(node.name)
        row = self._rows.setdefault(key, {"task_id": str(uuid.uuid4()), "state_history": []})
        fresh = row["state_history"] and row.get("start_time") != node.started
        told = 0 if fresh else self._reported.get(key, 0)
        for phase, _ in node.phases[told:]:
            state = _STATES[phase]
            row["state_history"].append(
                {"update_time": moment, **({"state": state} if state else {})}
            )
        self._reported[key] = len(node.phases)
        state = _STATES[node.phase]
        row |= {
            "run_id": self.run,
            "display_name": node.display_name,
            "create_time": self.created,
            "start_time": node.started,
            "end_time": node.finished or _NEVER,
        }
        row.pop("state", None)
        if state:
            row["state"] = state
        if node.children:
            row["child_tasks"] = [{"pod_name": workflow.id_of(name)} for name in node.children]

    def launched(self, execution: int, moment: str) -> None:
        """Write the row of a launcher whose step has succeeded."""
        self._rows[f"execution {execution}"] = {
            "task_id": str(uuid.uuid4()), "run_id": self.run,
            "create_time": moment, "start_time": moment, "end_time": moment,
            "execution_id": str(execution),
        }  # fmt: skip

    def details(self) -> list[Resource]:
        """Return the rows as the API does: by identifier, which is no order."""
        return sorted(self._rows.values(), key=lambda row: row["task_id"])
