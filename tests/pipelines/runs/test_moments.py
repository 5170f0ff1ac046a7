"""Time zones: named as they are known."""

from __future__ import annotations

import pytest

from components.contract.errors import UserError
from pipelines.runs.moments import zone


def test_zones_are_known_or_the_nearest_is_named() -> None:
    assert zone("Europe/Berlin").key == "Europe/Berlin"
    for name in ("Europe/Berln", "../etc/passwd", ""):
        with pytest.raises(UserError, match="no time zone"):
            zone(name)
    with pytest.raises(UserError) as caught:
        zone("Europe/Berln")
    assert "Europe/Berlin" in caught.value.fix
