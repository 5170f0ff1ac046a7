"""Sizes that no machine has are refused by a limit that is named, before anything is made of them."""

from pathlib import Path

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.config.loading import load
from tests.pipelines.cli.command_line import TINY

ABSURD = {
    ("image", "height"): (10**9, 8192),
    ("image", "width"): (10**9, 8192),
    ("teacher", "embedding"): (10**9, 65_536),
    ("teacher", "alpha"): (1e9, 64),
    ("teacher", "batch"): (10**9, 65_536),
    ("teacher", "epochs"): (10**12, 1_000_000),
    ("teacher", "identities_per_batch"): (10**12, 65_536),
    ("split", "subset"): (10**30, 2**53),
    ("evaluate", "resamples"): (10**12, 1_000_000),
    ("threads",): (10**9, 1024),
}


def written(path: Path, keys: tuple[str, ...], value: float) -> Path:
    content = yaml.safe_load(TINY.read_text())
    inside = content
    for key in keys[:-1]:
        inside = inside.setdefault(key, {})
    inside[keys[-1]] = value
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize("keys", ABSURD, ids=".".join)
def test_a_size_beyond_the_limit(keys: tuple[str, ...], tmp_path: Path) -> None:
    absurd, limit = ABSURD[keys]
    with pytest.raises(UserError) as said:
        load(written(tmp_path / "c.yaml", keys, absurd))
    place = ".".join(keys)
    assert place in said.value.what
    assert f"less than or equal to {limit}" in said.value.what
    assert said.value.fix == f"correct {place} in the file"
    load(written(tmp_path / "c.yaml", keys, limit))
