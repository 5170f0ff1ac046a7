"""What a device remembers of its fastest reference loop, on the device itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.devices.remote.best_loop import best_loop_ms
from tests.components.devices.remote.host_shell import KINDS, HostShell


@pytest.mark.parametrize("kind", KINDS)
def test_the_fastest_is_remembered_until_it_is_started_again(kind: str, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()

    def best(boot_id: str, runs_on: str, found_ms: float | None) -> float | None:
        shell = HostShell(tmp_path, kind, "pi")  # another step, another connection
        return best_loop_ms(shell, str(there), boot_id, runs_on, found_ms)

    assert best("one", "python3 on 4", None) is None
    assert best("one", "python3 on 4", 4.2) == 4.2
    assert best("one", "python3 on 4", 4.9) == 4.2
    assert best("one", "python3 on 4", 4.0) == 4.0
    assert best("one", "python3 on 0", 9.0) == 9.0
    assert best("one", "python3 on 4", None) == 4.0
    assert best("two", "python3 on 4", 4.6) == 4.6
    assert [path.name for path in there.iterdir()] == ["best.json"]


@pytest.mark.parametrize("damaged", ["", "[]", '{"loops'])
def test_a_damaged_file_is_written_anew(damaged: str, tmp_path: Path) -> None:
    (tmp_path / "best.json").write_text(damaged)
    assert best_loop_ms(HostShell(tmp_path, "sh", "pi"), str(tmp_path), "one", "x", 4.2) == 4.2
    assert best_loop_ms(HostShell(tmp_path, "sh", "pi"), str(tmp_path), "one", "x", 5.0) == 4.2
