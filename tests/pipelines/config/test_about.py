"""``about``: what a configuration says of a release reaches publish, and nothing before it."""

from dataclasses import fields

import pytest

from components.artifacts.about import About
from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.config.sections import AboutSection

TINY = """
name: faces
task: verification
data: .
image: {height: 8, width: 8}
teacher: {backbone: conv, epochs: 1}
variants: {student: [{distill: {backbone: conv, alpha: 0.5, epochs: 1}}]}
"""
ABOUT = "about: {owner: Ann Example, purpose: doors, legal_basis: consent, data_licence: CC0-1.0}\n"


def config_of(folder, text):
    path = folder / "faces.yaml"
    path.write_text(text)
    return load(path)


def test_the_section_has_the_keys_of_the_part():
    assert list(AboutSection.model_fields) == [field.name for field in fields(About)]


def test_only_publish_knows_it(tmp_path):
    without, given = config_of(tmp_path, TINY), config_of(tmp_path, TINY + ABOUT)
    before, after = graph_of(without), graph_of(given)
    changed = [
        one.name for one, other in zip(before.steps, after.steps, strict=True) if one != other
    ]
    assert changed == ["publish"]
    said = after.by_name["publish"].parameters
    assert (said["owner"], said["contact"]) == ("Ann Example", None)
    assert before.by_name["publish"].parameters["owner"] is None


def test_a_configuration_without_it_keeps_its_digest(tmp_path):
    without, given = config_of(tmp_path, TINY), config_of(tmp_path, TINY + ABOUT)
    assert given.digest != without.digest
    assert config_of(tmp_path, TINY + ABOUT).digest == given.digest


@pytest.mark.parametrize(
    ("text", "said", "mended"),
    [
        ("about: {ownr: Ann}", "ownr", "about: {owner: Ann}"),
        ('about: {owner: ""}', "owner", "about: {owner: Ann}"),
        ('about: {owner: "a\\nb"}', "owner", "about: {owner: a b}"),
        ("about: {owner: 5}", "owner", 'about: {owner: "5"}'),
    ],
)
def test_faults_are_named_and_their_fix_helps(tmp_path, text, said, mended):
    with pytest.raises(UserError, match=said):
        config_of(tmp_path, f"{TINY}{text}\n")
    assert config_of(tmp_path, f"{TINY}{mended}\n").about
