"""What lies under which key of a store: every key that slimline writes, said once."""

from __future__ import annotations

import re

BLOBS = "cas/"
"""What all keys of blobs begin with."""

RUNS = "runs/"
"""What all keys of runs begin with."""

CLAIMS = "claims/"
"""What all keys of claims begin with."""

_BLOB = re.compile(rf"{BLOBS}sha256/(?:.*/)?([0-9a-f]{{64}})")


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
    return f"quarantine/{key.replace('/', '_')}-{sha256[:16]}"


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
    return f"releases/{name}/{run}.json"


def opened_key(sealed: str, run: str, step: str) -> str:
    """Return where the ledger notes that a step of a run looked at these sealed images."""
    return f"{opened_prefix(sealed)}{run}.{step}.json"


def opened_prefix(sealed: str) -> str:
    """Return what all notes of the ledger on these sealed images begin with."""
    return f"ledger/{sealed}/"
