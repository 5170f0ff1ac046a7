"""The section releases: what is written is what holds, and every wrong value has its way out."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.config.configuration import Config
from pipelines.config.loading import load

TINY = Path(__file__).parents[2] / "data" / "tiny.yaml"


def config_of(folder: Path, **releases: object) -> Config:
    path = folder / "tiny.yaml"
    plain = yaml.safe_load(TINY.read_text())
    path.write_text(yaml.safe_dump({**plain, **({"releases": releases} if releases else {})}))
    return load(path)


def test_what_was_written_is_what_holds(tmp_path: Path) -> None:
    releases = config_of(tmp_path, url="https://x.example/m/", key="sign.pem").releases
    assert releases
    assert (releases.promotion, releases.two_people) == ("ask", False)
    assert (releases.gate.drop, releases.gate.least_images) == (0.01, 200)
    assert releases.url == "https://x.example/m"
    assert releases.key == str(tmp_path / "sign.pem")


def test_a_configuration_without_it_keeps_its_digest(tmp_path: Path) -> None:
    before = config_of(tmp_path)
    assert before.releases is None
    assert before.digest == load(TINY).digest
    given = config_of(tmp_path, gate={"drop": 0.02})
    assert given.digest != before.digest
    # Places do not count.
    moved = config_of(tmp_path, gate={"drop": 0.02}, url="http://x", key="a.pem")
    assert moved.digest == given.digest


@pytest.mark.parametrize(
    ("changes", "what", "fix", "fixed"),
    [
        ({"url": "ftp://x"}, "'ftp://x' is no prefix of addresses", "https", {"url": "https://x"}),
        ({"url": "http://u:p@x"}, "without user", "https", {"url": "http://x"}),
        ({"promotion": "yes"}, "releases.promotion", "auto", {"promotion": "auto"}),
        ({"promotion": "auto", "two_people": True}, "another person", "ask", {"two_people": True}),
        ({"gate": {"drop": -1}}, "releases.gate.drop", "drop", {"gate": {"drop": 0}}),
        ({"gate": {"least": 1}}, "no key 'least'", "least_images", {"gate": {"least_images": 1}}),
    ],
)
def test_wrong_values(
    tmp_path: Path, changes: dict[str, object], what: str, fix: str, fixed: dict[str, object]
) -> None:
    with pytest.raises(UserError, match=what) as caught:
        config_of(tmp_path, **changes)
    assert fix in caught.value.fix
    assert config_of(tmp_path, **fixed).releases
