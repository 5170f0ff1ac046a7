"""What lies under which key of a store: every key that slimline writes, said once."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal, cast, get_args

BLOBS = "cas/"
"""What all keys of blobs begin with."""

RUNS = "runs/"
"""What all keys of runs begin with."""

CLAIMS = "claims/"
"""What all keys of claims begin with."""

QUARANTINE = "quarantine/"
"""What all keys begin with under which damaged bytes are kept."""

SOURCES = "sources/"
"""What all keys of listings of sources begin with."""

CONFIGS = "configs/"
"""What all keys of configurations begin with."""

RELEASES = "releases/"
"""What all keys of notes on releases, of release logs and of champions begin with."""

PUBLIC = "public/"
"""What all keys begin with that apps may read, while the rest of the store stays closed."""

JOURNAL = "journal/"
"""What all entries of the journal begin with."""

COLLECTIONS = "gc/"
"""What all keys of collections of garbage begin with."""

TOMBSTONES = "tombstones/"
"""What all keys of tombstones begin with."""

EXCLUSIONS = "exclusions/"
"""What all keys of exclusions begin with."""

ERASURES = "erasures/"
"""What all keys of plans and certificates of erasures begin with."""

TRIGGERS = "triggers/"
"""What all keys of triggers begin with."""

LAUNCHES = "launches/"
"""What all keys of what triggers launched begin with."""

TICKS = "ticks/"
"""What all keys of evaluations of closed days begin with."""

ACTIONS = "actions/"
"""What all keys of what people did begin with."""

DEVICES = "devices/"
"""What all keys of devices that were seen begin with."""

Announced = Literal["run", "log", "note", "gc", "erase"]
"""What an entry of the journal announces: a run, an entry of a release log, a note on a release, a
collection of garbage, or an erasure."""

_BLOB = re.compile(rf"{BLOBS}sha256/(?:.*/)?([0-9a-f]{{64}})")

_DIGEST, _NAME = r"[0-9a-f]{64}", r"[^/]+"
_ENTRY = re.compile(
    rf"{JOURNAL}(\d{{4}}-\d\d-\d\d)/(\d{{6}}\.\d{{3}})-({'|'.join(get_args(Announced))})-([^/]+)"
)
KINDS = {
    kind: re.compile(pattern)
    for kind, pattern in {
        "blob": rf"{BLOBS}sha256/([0-9a-f]{{2}})/\1[0-9a-f]{{62}}",
        "tree": rf"trees/{_DIGEST}\.json",
        "result": rf"ac/{_DIGEST}\.json",
        "graph": rf"graphs/{_DIGEST}\.json",
        "source": rf"{SOURCES}{_DIGEST}\.json",
        "config": rf"{CONFIGS}{_DIGEST}\.json",
        "code": rf"code/{_DIGEST}\.json",
        "environment": rf"environments/{_DIGEST}\.json",
        "claim": rf"{CLAIMS}{_NAME}\.json",
        "run": rf"{RUNS}{_NAME}/(run|started)\.json",
        "progress": rf"{RUNS}{_NAME}/progress\.json",
        "cancellation": rf"{RUNS}{_NAME}/cancel\.json",
        "step": rf"{RUNS}{_NAME}/steps/{_NAME}\.json",
        "log": rf"{RUNS}{_NAME}/logs/{_NAME}\.log",
        "records": rf"{RUNS}{_NAME}/records\.jsonl",
        "journal": _ENTRY.pattern,
        "champion": rf"{RELEASES}{_NAME}/champion\.json",
        "release": rf"{RELEASES}{_NAME}/{_NAME}\.json",
        "release log": rf"{RELEASES}{_NAME}/log/\d{{8}}\.json",
        "public": rf"{PUBLIC}{_NAME}/{_DIGEST}",
        "signature": rf"{RELEASES}{_NAME}/signatures/[0-9]{{8}}\.json",
        "collection": rf"{COLLECTIONS}{_NAME}\.json",
        "tombstone": rf"{TOMBSTONES}{_DIGEST}\.json",
        "exclusion": rf"{EXCLUSIONS}{_DIGEST}\.json",
        "ledger": rf"ledger/{_DIGEST}/{_NAME}\.json",
        "erasure": rf"{ERASURES}{_NAME}\.json",
        "trigger": rf"{TRIGGERS}{_NAME}/trigger\.json",
        "observed": rf"{TRIGGERS}{_NAME}/observed\.json",
        "ticks": rf"{TRIGGERS}{_NAME}/ticks\.json",
        "launch": rf"{LAUNCHES}{_NAME}/{_NAME}\.a[1-9][0-9]*\.json",
        "launch end": rf"{LAUNCHES}{_NAME}/{_NAME}\.end\.json",
        "refusal": rf"{LAUNCHES}{_NAME}/{_NAME}\.a[1-9][0-9]*\.refused\.json",
        "tick day": rf"{TICKS}{_NAME}/\d{{4}}-\d\d-\d\d\.json",
        "action": rf"{ACTIONS}\d{{4}}-\d\d-\d\d/\d{{6}}\.\d{{3}}-[0-9a-f]{{8}}\.json",
        "device": rf"{DEVICES}{_NAME}\.json",
        "quarantine": rf"{QUARANTINE}.+",
    }.items()
}
"""The keys under which slimline writes values, by what lies there."""


def blob_key(sha256: str) -> str:
    """Return where the blob with this sha256 lies."""
    return f"{BLOBS}sha256/{sha256[:2]}/{sha256}"


def blob_digest(key: str) -> str | None:
    """Return the sha256 of the blob under ``key``, or None where no blob lies there."""
    found = _BLOB.fullmatch(key)
    return found[1] if found else None


def tree_key(tree: str) -> str:
    """Return where the file tree with this digest lies."""
    return f"trees/{tree}.json"


def result_key(step_key: str) -> str:
    """Return where the action cache keeps the result of a step key."""
    return f"ac/{step_key}.json"


def claim_key(step_key: str) -> str:
    """Return where the engine that runs the step of this key has its lease."""
    return f"{CLAIMS}{step_key}.json"


def quarantine_key(key: str, sha256: str) -> str:
    """Return where bytes are moved that are not what their key says.

    Args:
        key: Where they lay.
        sha256: What they are.
    """
    return f"{QUARANTINE}{key.replace('/', '_')}-{sha256[:16]}"


def kind_of(key: str) -> str | None:
    """Return what lies under a key: a name of ``KINDS``; None for what slimline writes nowhere."""
    return next((kind for kind, pattern in KINDS.items() if pattern.fullmatch(key)), None)


def graph_key(graph: str) -> str:
    """Return where the graph with this digest lies."""
    return f"graphs/{graph}.json"


def started_key(run: str) -> str:
    """Return where the record of a run lies from its beginning on."""
    return f"{RUNS}{run}/started.json"


def run_key(run: str) -> str:
    """Return where the record of a run lies that has ended."""
    return f"{RUNS}{run}/run.json"


def step_record_key(run: str, step: str, attempt: int = 1) -> str:
    """Return where the record of a step lies, or of its further attempts within the run."""
    return f"{RUNS}{run}/steps/{step}{f'.{attempt}' if attempt > 1 else ''}.json"


def step_of_record(record: str) -> tuple[str, str, int]:
    """Return run, step and attempt whose record lies under this key."""
    _, run, _, name = record.split("/", 3)
    step, *number = name.removesuffix(".json").split(".")
    return run, step, int(number[0]) if number and number[0].isdecimal() else 1


def records_key(run: str) -> str:
    """Return where the records of all steps of a run that has ended lie together."""
    return f"{RUNS}{run}/records.jsonl"


def log_key(run: str, step: str, attempt: int = 1) -> str:
    """Return where the log of a step lies, or of its further attempts within the run."""
    return f"{RUNS}{run}/logs/{step}{f'.{attempt}' if attempt > 1 else ''}.log"


def progress_key(run: str) -> str:
    """Return where it stands how far a run is, written again and again while it goes on."""
    return f"{RUNS}{run}/progress.json"


def cancel_key(run: str) -> str:
    """Return where it stands that somebody wants a run to end."""
    return f"{RUNS}{run}/cancel.json"


def release_key(name: str, run: str) -> str:
    """Return where it is noted that a run published a release of this name."""
    return f"{releases_prefix(name)}{run}.json"


def releases_prefix(name: str) -> str:
    """Return what all notes on releases of this name begin with."""
    return f"{RELEASES}{name}/"


def champion_key(name: str) -> str:
    """Return where apps read which release of this name is the one to install."""
    return f"{releases_prefix(name)}champion.json"


def release_log_key(name: str, seq: int) -> str:
    """Return where an entry of the log of this name lies, by its number, from 1."""
    return f"{release_log_prefix(name)}{seq:08}.json"


def release_log_prefix(name: str) -> str:
    """Return what all entries of the log of releases of this name begin with."""
    return f"{releases_prefix(name)}log/"


def log_sequence(key: str) -> int | None:
    """Return the number of the entry of a log under ``key``, or None where none lies there."""
    if kind_of(key) != "release log":
        return None
    return int(key.rpartition("/")[2].removesuffix(".json"))


def signature_key(name: str, seq: int) -> str:
    """Return where the signature of an entry of the log, and of its release, lies."""
    return f"{signatures_prefix(name)}{seq:08}.json"


def signatures_prefix(name: str) -> str:
    """Return what all signatures of the entries of a log begin with."""
    return f"{releases_prefix(name)}signatures/"


def signature_sequence(key: str) -> int | None:
    """Return the number of the entry whose signature lies under ``key``, or None."""
    if kind_of(key) != "signature":
        return None
    return int(key.rpartition("/")[2].removesuffix(".json"))


def public_key(name: str, sha256: str) -> str:
    """Return where apps find a file of a release, among nothing else that the store holds."""
    return f"{PUBLIC}{name}/{sha256}"


def source_key(source: str) -> str:
    """Return where the listing of the source with this digest lies."""
    return f"{SOURCES}{source}.json"


def config_key(config: str) -> str:
    """Return where the configuration with this digest lies."""
    return f"{CONFIGS}{config}.json"


def code_key(code: str) -> str:
    """Return where the files of the code with this digest are listed."""
    return f"code/{code}.json"


def environment_key(environment: str) -> str:
    """Return where the packages of the environment with this digest are listed."""
    return f"environments/{environment}.json"


def collection_key(identifier: str) -> str:
    """Return where a collection of garbage keeps what it condemned."""
    return f"{COLLECTIONS}{identifier}.json"


def tombstone_key(digest: str) -> str:
    """Return where it stands why a blob or a file tree is gone."""
    return f"{TOMBSTONES}{digest}.json"


def exclusion_key(sha256: str) -> str:
    """Return where it stands that something must not be used again."""
    return f"{EXCLUSIONS}{sha256}.json"


def journal_prefix(day: datetime) -> str:
    """Return what all entries of the journal of a day begin with.

    Args:
        day: Any moment of the day, with its time zone; days are those of UTC.
    """
    return f"{JOURNAL}{day.astimezone(UTC):%Y-%m-%d}/"


def journal_key(at: datetime, kind: Announced, identifier: str) -> str:
    """Return the entry of the journal that announces something.

    Args:
        at: When, with its time zone.
        kind: What.
        identifier: Of a run or of a note the run, of a log ``<name>.<seq>``, else its own.
    """
    utc = at.astimezone(UTC)
    milliseconds = utc.microsecond // 1000
    return f"{journal_prefix(utc)}{utc:%H%M%S}.{milliseconds:03}-{kind}-{identifier}"


def announced_by(entry: str) -> tuple[datetime, Announced, str] | None:
    """Return when an entry of the journal was made, what it announces and its identifier.

    None for a key that is no entry of the journal.
    """
    found = _ENTRY.fullmatch(entry)
    if found is None:
        return None
    try:
        at = datetime.strptime(f"{found[1]} {found[2]}000 +0000", "%Y-%m-%d %H%M%S.%f %z")
    except ValueError:  # no day, or no time
        return None
    return at, cast("Announced", found[3]), found[4]


def opened_key(sealed: str, run: str, step: str) -> str:
    """Return where the ledger notes that a step of a run looked at these sealed images."""
    return f"{opened_prefix(sealed)}{run}.{step}.json"


def opened_prefix(sealed: str) -> str:
    """Return what all notes of the ledger on these sealed images begin with."""
    return f"ledger/{sealed}/"


def erasure_key(erasure: str) -> str:
    """Return where the certificate of an erasure lies."""
    return f"{ERASURES}{erasure}.json"


def device_key(name: str) -> str:
    """Return where it stands how a device was when it was seen last."""
    return f"{DEVICES}{name}.json"


def trigger_key(name: str) -> str:
    """Return where a trigger lies."""
    return f"{TRIGGERS}{name}/trigger.json"


def observed_key(name: str) -> str:
    """Return where it stands what a watch has seen of its data."""
    return f"{TRIGGERS}{name}/observed.json"


def ticks_key(name: str) -> str:
    """Return where the latest evaluations of a trigger stand."""
    return f"{TRIGGERS}{name}/ticks.json"


def tick_days_prefix(uid: str) -> str:
    """Return what all keys of the closed days of a trigger begin with."""
    return f"{TICKS}{uid}/"


def tick_day_key(uid: str, date: str) -> str:
    """Return where the evaluations of a trigger that began on a day stand."""
    return f"{tick_days_prefix(uid)}{date}.json"


def launches_prefix(uid: str) -> str:
    """Return what all keys of the launches of a trigger begin with."""
    return f"{LAUNCHES}{uid}/"


def launch_key(uid: str, key: str, attempt: int) -> str:
    """Return where an attempt at a launch is reserved."""
    return f"{launches_prefix(uid)}{key}.a{attempt}.json"


def launch_end_key(uid: str, key: str) -> str:
    """Return where it stands that no further attempt at a launch follows, and why."""
    return f"{launches_prefix(uid)}{key}.end.json"


def refusal_key(uid: str, key: str, attempt: int) -> str:
    """Return where it stands that the run of an attempt could not begin, and why."""
    return f"{launches_prefix(uid)}{key}.a{attempt}.refused.json"


def launch_slot_key(number: int) -> str:
    """Return where whoever carries out one of so many launches at a time has its lease."""
    return f"{CLAIMS}slot-{number}.json"


def launch_lease_key(uid: str, key: str) -> str:
    """Return where whoever carries out a launch has its lease."""
    return f"{CLAIMS}launch-{uid}-{key}.json"


def action_key(at: datetime, identifier: str) -> str:
    """Return where it stands what somebody did.

    Args:
        at: When, with its time zone; keys sort by it.
        identifier: Eight hexadecimal digits that tell it from others of the same moment.
    """
    utc = at.astimezone(UTC)
    milliseconds = utc.microsecond // 1000
    return f"{ACTIONS}{utc:%Y-%m-%d}/{utc:%H%M%S}.{milliseconds:03}-{identifier}.json"
