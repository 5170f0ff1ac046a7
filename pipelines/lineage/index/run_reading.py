"""What the store holds of runs, read with as few requests as it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pipelines.lineage.index.facts import ExecutionFacts, read_facts
from pipelines.lineage.index.inserting import Inserter
from pipelines.runs.joined_records import parse_joined
from pipelines.runs.records import RunRecord, parse_record
from pipelines.runs.statements import LaterVersionError
from pipelines.stores.layout import RUNS, kind_of, records_key, run_key, started_key, step_of_record
from pipelines.stores.store import KeyMissing, Store, is_key


@dataclass
class ReadRun:
    """What was read of one run.

    Attributes:
        run: Identifier of the run.
        record: Of the run; None where there is none that can be read.
        whole: Its end is recorded.
        executions: Records of executions by their keys.
        problems: By key what is wrong there.
        sound: Keys that have been read and hold what they should.
    """

    run: str
    record: RunRecord | None = None
    whole: bool = False
    executions: dict[str, ExecutionFacts] = field(default_factory=dict[str, ExecutionFacts])
    problems: dict[str, str] = field(default_factory=dict[str, str])
    sound: list[str] = field(default_factory=list[str])

    @property
    def found(self) -> bool:
        """Whether the store holds anything of it."""
        return self.record is not None or bool(self.executions) or bool(self.problems)


def read_run(store: Store, run: str) -> ReadRun:
    """Read a run: its record and, from one value if there is one, those of its executions.

    Raises:
        UserError: The store cannot be read.
    """
    read = ReadRun(run)
    for key in (run_key(run), started_key(run)):
        if not is_key(key) or (data := _get(store, key)) is None:
            continue
        try:
            record = parse_record(data)
        except ValueError:
            record = None
        if record is None or record.run != run:
            read.problems[key] = "is no record of this run"
            continue
        read.record, read.whole = record, key == run_key(run)
        read.sound.append(key)
        break
    if not (read.whole and _read_together(store, read)):
        _read_apart(store, read)
    return read


def is_old(inserter: Inserter, read: ReadRun) -> bool:
    """Whether all of it is there: a run that goes on is read at each refresh, news or not."""
    return not read.whole and not read.problems and inserter.holds(read.run, read.executions)


def insert_run(inserter: Inserter, read: ReadRun) -> None:
    """Write what was read of a run."""
    for key in read.sound:
        inserter.drop_problem(key)
    for key, what in read.problems.items():
        inserter.put_problem(key, what)
    for key, facts in read.executions.items():
        inserter.put_execution(key, facts)
    for key in read.problems:
        if kind_of(key) == "step":
            inserter.put_damaged_execution(key)
    if read.record is None:
        return
    try:
        run = inserter.put_run(read.record, whole=read.whole)
    except ValueError as error:
        key = run_key(read.run) if read.whole else started_key(read.run)
        inserter.put_problem(key, f"is no record of this run: {error}")
        return
    if not read.whole:
        # In the order of attempts: the last one counts.
        for key in sorted(read.executions, key=step_of_record):
            _, step, _ = step_of_record(key)
            inserter.put_step(run, step, key, state_of(read.executions[key]))


def state_of(facts: ExecutionFacts) -> str:
    """Return how a step stands in a run without an end, by the record that it has left."""
    return {"ok": "done", "skipped": "skipped", "killed": "killed", "cancelled": "cancelled"}.get(
        facts.outcome, "failed"
    )


def read_execution(store: Store, key: str) -> ExecutionFacts:
    """Read the record of one execution.

    Raises:
        KeyMissing: There is none.
        ValueError: It is damaged, or of a later version.
    """
    if not is_key(key):
        raise KeyMissing(key)
    return read_facts(store.get(key))


def what_of(error: ValueError) -> str:
    """Say what is wrong with a record that could not be read."""
    return str(error) if isinstance(error, LaterVersionError) else "is no record of an execution"


def _read_together(store: Store, read: ReadRun) -> bool:
    """Read the records that lie together; False where they do not, or not as they should."""
    key = records_key(read.run)
    data = _get(store, key)
    if data is None:
        return False
    try:
        for record, value in parse_joined(data):
            _take(read, record, value)
    except ValueError:
        read.executions.clear()
        read.problems[key] = "is no list of records; they are read one by one"
        return False
    read.sound.append(key)
    return True


def _read_apart(store: Store, read: ReadRun) -> None:
    prefix = f"{RUNS}{read.run}/steps/"
    for key in list(store.list(prefix)):
        if kind_of(key) == "step" and (data := _get(store, key)) is not None:
            _take(read, key, data)


def _take(read: ReadRun, key: str, data: bytes) -> None:
    try:
        read.executions[key] = read_facts(data)
        read.sound.append(key)
    except ValueError as error:
        read.problems[key] = what_of(error)


def _get(store: Store, key: str) -> bytes | None:
    try:
        return store.get(key)
    except KeyMissing:
        return None


def listed_runs(store: Store) -> Iterator[str]:
    """Yield the identifiers of all runs of which the store holds anything, in order."""
    before = ""
    for key in store.list(RUNS):
        run = key.removeprefix(RUNS).partition("/")[0]
        if run != before:
            yield run
            before = run
