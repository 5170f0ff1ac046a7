"""Keys: each has one kind, and says what it is of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pipelines.stores import layout
from pipelines.stores.layout import KINDS, announced_by, journal_key, journal_prefix, kind_of
from pipelines.stores.store import is_key

D = "0a" * 32
KEYS = {
    "blob": layout.blob_key(D),
    "tree": layout.tree_key(D),
    "result": layout.result_key(D),
    "graph": layout.graph_key(D),
    "source": layout.source_key(D),
    "config": layout.config_key(D),
    "code": layout.code_key(D),
    "environment": layout.environment_key(D),
    "claim": layout.claim_key(D),
    "run": layout.run_key("r"),
    "progress": layout.progress_key("r"),
    "cancellation": layout.cancel_key("r"),
    "step": layout.step_record_key("r", "train", 2),
    "records": layout.records_key("r"),
    "log": layout.log_key("r", "train"),
    "journal": journal_key(datetime(2026, 1, 2, tzinfo=UTC), "run", "r"),
    "champion": layout.champion_key("digits"),
    "release": layout.release_key("digits", "r"),
    "release log": layout.release_log_key("digits", 42),
    "collection": layout.collection_key("c"),
    "tombstone": layout.tombstone_key(D),
    "signature": layout.signature_key("digits", 42),
    "public": layout.public_key("digits", D),
    "erasure": layout.erasure_key("e"),
    "exclusion": layout.exclusion_key(D),
    "ledger": layout.opened_key(D, "r", "evaluate"),
    "trigger": layout.trigger_key("nightly"),
    "observed": layout.observed_key("nightly"),
    "ticks": layout.ticks_key("nightly"),
    "launch": layout.launch_key("0a0b0c0d", "20261127T0330Z", 2),
    "launch end": layout.launch_end_key("0a0b0c0d", "20261127T0330Z"),
    "refusal": layout.refusal_key("0a0b0c0d", "20261127T0330Z", 2),
    "tick day": layout.tick_day_key("0a0b0c0d", "2026-11-27"),
    "action": layout.action_key(datetime(2026, 1, 2, tzinfo=UTC), "0a0b0c0d"),
    "device": layout.device_key("s21"),
    "quarantine": layout.quarantine_key("trees/x", D),
}


def test_every_kind_has_a_key_and_every_key_one_kind() -> None:
    assert set(KEYS) == set(KINDS)
    for kind, key in KEYS.items():
        assert is_key(key)
        assert kind_of(key) == kind
        matching = [name for name, pattern in KINDS.items() if pattern.fullmatch(key)]
        assert matching == [kind] or (kind, matching) == ("champion", ["champion", "release"])


def test_an_entry_of_the_journal_says_when_and_what_in_utc() -> None:
    here = timezone(timedelta(hours=9))
    at = datetime(2026, 1, 3, 1, 2, 3, 45999, tzinfo=here)
    key = journal_key(at, "log", "digits.42")
    assert key == "journal/2026-01-02/160203.045-log-digits.42"
    assert key.startswith(journal_prefix(at))
    assert announced_by(key) == (
        datetime(2026, 1, 2, 16, 2, 3, 45000, tzinfo=UTC), "log", "digits.42",
    )  # fmt: skip


@pytest.mark.parametrize(
    "key",
    [
        "journal/2026-13-02/160203.045-run-r", "journal/2026-01-02/990203.045-run-r",
        "journal/2026-01-02/160203.045-else-r", "journal/2026-01-02/160203.045-run-", "runs/r",
    ],
)  # fmt: skip
def test_what_is_no_entry_of_the_journal(key: str) -> None:
    assert announced_by(key) is None
