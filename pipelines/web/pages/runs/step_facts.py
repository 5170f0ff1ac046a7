"""One step of a run as its page shows it: what went in and came out, its attempts, why it ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.contract.errors import UserError
from components.contract.interface import interface_of
from pipelines.lineage.comparing.why_ran import WhyRan, why_ran
from pipelines.lineage.index.opening import OpenIndex
from pipelines.runs.graph import Graph, Kept, Ref, SourceRef
from pipelines.runs.records import RunRecord
from pipelines.runs.step_records import ExecutionRecord, read_record
from pipelines.stores.layout import step_of_record
from pipelines.stores.store import Store

_ATTEMPTS = """
SELECT record, outcome, started, finished, wall_s FROM execution
WHERE record >= ? AND record < ? AND version IS NOT NULL ORDER BY length(record), record
"""


@dataclass(frozen=True)
class Flowing:
    """Something that goes into a step or comes out of it.

    Attributes:
        port: Name of the input or output.
        kind: What it is, such as ``Model``.
        digest: Its digest; None while it is not known.
        step: The step that makes it; empty where the user or an earlier run did.
        source: Which of the user's sources it is; empty where it is none.
        bytes: Its size; None where nobody knows.
        to: Steps that it flows into.
    """

    port: str
    kind: str
    digest: str | None
    step: str = ""
    source: str = ""
    bytes: int | None = None
    to: Sequence[str] = ()


@dataclass(frozen=True)
class StepAttempt:
    """One execution of a step within its run.

    Attributes:
        number: From 1.
        outcome: As its record says.
        started: ISO 8601, or None.
        finished: The same.
        wall_s: How long it took, in seconds.
    """

    number: int
    outcome: str
    started: str | None
    finished: str | None
    wall_s: float | None


@dataclass(frozen=True)
class StepDetails:
    """What the store holds of a step.

    Attributes:
        execution: The execution whose result the run has; None while there is none.
        damaged: Why its record cannot be read, or None.
        why: Why it was executed; None of one that was not, or whose record is not there.
        inputs: What went in.
        outputs: What came out.
        attempts: Its executions in this run.
    """

    execution: ExecutionRecord | None
    damaged: UserError | None
    why: WhyRan | None
    inputs: Sequence[Flowing]
    outputs: Sequence[Flowing]
    attempts: Sequence[StepAttempt]


def step_facts(
    store: Store, index: OpenIndex, record: RunRecord, graph: Graph | None, step: str
) -> StepDetails:
    """Return what the store holds of a step of a run."""
    state = record.steps[step]
    execution, damaged = None, None
    if key := state.get("record"):
        try:
            execution = read_record(store, key)
        except UserError as error:
            damaged = error
    why = None
    if execution and execution.ingredients and execution.run == record.run:
        why = why_ran(store, index, record.run, step, execution)
    sizes = _KnownSizes(index)
    return StepDetails(
        execution=execution,
        damaged=damaged,
        why=why,
        inputs=_inputs(record, graph, step, execution, sizes),
        outputs=_outputs(graph, step, state.get("outputs") or {}, sizes),
        attempts=_attempts(index, record.run, step),
    )


class _KnownSizes:
    """How large artifacts are, as records say."""

    def __init__(self, index: OpenIndex) -> None:
        self._index = index

    def of(self, digest: str | None) -> int | None:
        """Return the size of an artifact in bytes."""
        if not digest:
            return None
        found = self._index.one(
            "SELECT bytes FROM artifact WHERE digest = ?", (bytes.fromhex(digest),)
        )
        return found[0] if found else None


def _inputs(
    record: RunRecord,
    graph: Graph | None,
    step: str,
    execution: ExecutionRecord | None,
    sizes: _KnownSizes,
) -> list[Flowing]:
    """Return what goes into a step, also where it has not run yet."""
    given: Mapping[str, object] = execution.ingredients.get("inputs", {}) if execution else {}
    node = graph.by_name.get(step) if graph else None
    kinds = _kinds(node.component if node else execution.component if execution else "", "inputs")
    if node is None:
        flat = [(port, one) for port, value in given.items() for one in _each(value)]
        return [_in(port, kinds, one, sizes) for port, one in flat if one]
    found: list[Flowing] = []
    for port, flow in node.inputs.items():
        digests = _each(given.get(port))
        flows = flow if isinstance(flow, tuple) else (flow,)
        for n, one in enumerate(flows):
            digest = digests[n] if n < len(digests) else None
            match one:
                case Ref():
                    known = digest or _output(record, one)
                    found.append(_in(port, kinds, known, sizes, step=one.step))
                case SourceRef():
                    known = digest or record.sources.get(one.name)
                    found.append(_in(port, kinds, known, sizes, source=one.name))
                case Kept():
                    found.append(_in(port, kinds, one.tree, sizes))
                case None:
                    pass
    return found


def _in(
    port: str,
    kinds: Mapping[str, str],
    digest: str | None,
    sizes: _KnownSizes,
    *,
    step: str = "",
    source: str = "",
) -> Flowing:
    return Flowing(port, kinds.get(port, ""), digest, step, source, sizes.of(digest))


def _output(record: RunRecord, ref: Ref) -> str | None:
    return record.steps.get(ref.step, {}).get("outputs", {}).get(ref.output)


def _each(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(item) for item in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return [str(value)] if value else []


def _outputs(
    graph: Graph | None, step: str, outputs: Mapping[str, str], sizes: _KnownSizes
) -> list[Flowing]:
    node = graph.by_name.get(step) if graph else None
    kinds = _kinds(node.component, "outputs") if node else {}
    to: dict[str, list[str]] = {}
    for other in graph.ordered if graph else ():
        for ref in other.refs:
            if ref.step == step and other.name not in to.setdefault(ref.output, []):
                to[ref.output].append(other.name)
    return [
        Flowing(port, kinds.get(port, ""), digest, bytes=sizes.of(digest), to=to.get(port, ()))
        for port in dict.fromkeys((*kinds, *outputs))
        for digest in (outputs.get(port),)
    ]


def _kinds(component: str, side: str) -> dict[str, str]:
    """Return what ports take or give; nothing of a component that this version does not have."""
    try:
        interface = interface_of(component)
    except UserError:
        return {}
    ports = interface.inputs if side == "inputs" else interface.outputs
    return {port.name: str(port.kind) for port in ports}


def _attempts(index: OpenIndex, run: str, step: str) -> list[StepAttempt]:
    prefix = f"runs/{run}/steps/{step}"
    rows = index.execute(_ATTEMPTS, (f"{prefix}.", f"{prefix}/"))
    return [
        StepAttempt(step_of_record(key)[2], str(outcome), *times) for key, outcome, *times in rows
    ]
