"""What lies under which key of a store: every key that slimline writes, said once."""

from __future__ import annotations

import re

BLOBS = "cas/"
"""What all keys of blobs begin with."""

RUNS = "runs/"
"""What all keys of runs begin with."""

CLAIMS = "claims/"
"""What all keys of claims begin with."""

QUARANTINE = "quarantine/"
"""What all keys begin with under which damaged bytes are kept."""

_BLOB = re.compile(rf"{BLOBS}sha256/(?:.*/)?([0-9a-f]{{64}})")

_DIGEST, _NAME = r"[0-9a-f]{64}", r"[^/]+"
KINDS = {
    kind: re.compile(pattern)
    for kind, pattern in {
        "blob": rf"{BLOBS}sha256/([0-9a-f]{{2}})/\1[0-9a-f]{{62}}",
        "tree": rf"trees/{_DIGEST}\.json",
        "result": rf"ac/{_DIGEST}\.json",
        "graph": rf"graphs/{_DIGEST}\.json",
        "claim": rf"{CLAIMS}{_NAME}\.json",
        "run": rf"{RUNS}{_NAME}/(run|started)\.json",
        "progress": rf"{RUNS}{_NAME}/progress\.json",
        "step": rf"{RUNS}{_NAME}/steps/{_NAME}\.json",
        "log": rf"{RUNS}{_NAME}/logs/{_NAME}\.log",
        "log entry": rf"releases/{_NAME}/log/[0-9]{{8}}\.json",
        "champion": rf"releases/{_NAME}/champion\.json",
        "signature": rf"releases/{_NAME}/signatures/[0-9]{{8}}\.json",
        "release": rf"releases/{_NAME}/{_NAME}\.json",
        "ledger": rf"ledger/{_DIGEST}/{_NAME}\.json",
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


def log_key(run: str, step: str, attempt: int = 1) -> str:
    """Return where the log of a step lies, or of its further attempts within the run."""
    return f"{RUNS}{run}/logs/{step}{f'.{attempt}' if attempt > 1 else ''}.log"


def progress_key(run: str) -> str:
    """Return where it stands how far a run is, written again and again while it goes on."""
    return f"{RUNS}{run}/progress.json"


def release_key(name: str, run: str) -> str:
    """Return where it is noted that a run published a release of this name."""
    return f"{releases_prefix(name)}{run}.json"


def releases_prefix(name: str) -> str:
    """Return what all notes on releases of this name begin with."""
    return f"releases/{name}/"


def release_log_key(name: str, seq: int) -> str:
    """Return where an entry of the log of these releases lies."""
    return f"{release_log_prefix(name)}{seq:08d}.json"


def release_log_prefix(name: str) -> str:
    """Return what all entries of the log of these releases begin with."""
    return f"{releases_prefix(name)}log/"


def log_sequence(key: str) -> int | None:
    """Return the number of the entry of a log under ``key``, or None where none lies there."""
    if kind_of(key) != "log entry":
        return None
    return int(key.rpartition("/")[2].removesuffix(".json"))


def champion_key(name: str) -> str:
    """Return where it stands for apps which of these releases is the champion."""
    return f"{releases_prefix(name)}champion.json"


def signature_key(name: str, seq: int) -> str:
    """Return where the signature of an entry of the log, and of its release, lies."""
    return f"{releases_prefix(name)}signatures/{seq:08d}.json"


def opened_key(sealed: str, run: str, step: str) -> str:
    """Return where the ledger notes that a step of a run looked at these sealed images."""
    return f"{opened_prefix(sealed)}{run}.{step}.json"


def opened_prefix(sealed: str) -> str:
    """Return what all notes of the ledger on these sealed images begin with."""
    return f"ledger/{sealed}/"
