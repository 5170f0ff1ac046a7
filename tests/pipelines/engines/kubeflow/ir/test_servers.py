"""Versions as servers and people write them."""

import pytest

from components.contract.errors import UserError
from pipelines.engines.kubeflow.ir.servers import ServerVersion, parsed, wanted


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("2.17.0", ServerVersion(2, 17, 0)),
        ("v2.5", ServerVersion(2, 5, 0)),
        ("2.18.0-rc.1", ServerVersion(2, 18, 0)),
        ("3.0.0", ServerVersion(3, 0, 0)),
        ("", None),
        (None, None),
        ("master", None),
        ("2", None),
    ],
)
def test_what_is_no_version_is_none(text, version):
    assert parsed(text) == version


def test_versions_are_numbers_and_not_texts():
    assert ServerVersion(2, 5) < ServerVersion(2, 14)
    assert str(ServerVersion(2, 5)) == "2.5.0"
    assert not ServerVersion(2, 17, 9).cache_key
    assert ServerVersion(2, 18).cache_key


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (ServerVersion(2, 5), None),
        (ServerVersion(2, 18, 4), None),
        (ServerVersion(2, 19), "newer than 2.18"),
        (ServerVersion(3, 0), "no ML Metadata"),
        (ServerVersion(2, 4), "older than 2.5.0"),
    ],
)
def test_what_is_not_known_to_work_is_said(version, told):
    assert (version.unknown is None) if told is None else (told in version.unknown)


def test_what_people_ask_for_is_a_version_that_is_compiled_for():
    assert wanted("2.14") == ServerVersion(2, 14)
    with pytest.raises(UserError, match="expected a version") as caught:
        wanted("new")
    assert "kubectl" in caught.value.fix
    with pytest.raises(UserError, match=r"compiled for Kubeflow Pipelines 2\.5\.0") as caught:
        wanted("2.4.1")
    assert wanted(caught.value.fix.rpartition(" ")[2])
