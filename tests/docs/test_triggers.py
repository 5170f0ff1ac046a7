"""The page of triggers: its commands parse, its options and events are those that there are."""

from __future__ import annotations

import configparser
import re
import shlex
import typing
from pathlib import Path

import pytest

from pipelines.cli.main import main
from pipelines.triggers import amounts
from pipelines.triggers.notifying import Event

PAGE = (Path(__file__).parents[2] / "docs" / "triggers.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def commands() -> list[list[str]]:
    lines = "".join(blocks("sh")).splitlines()
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_commands_are_those_that_there_are(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert words[0] == "slimline"
    assert main(words[1:]) == 2  # there is no store and no faces.yaml: what is typed is understood
    said = capsys.readouterr().err
    assert "usage:" not in said
    assert "fix:" in said


def test_every_option_that_the_page_names_is_there(capsys):
    helps = ""
    for command in ("schedule add", "watch add", "tick", "triggers retry", "triggers history"):
        main([*command.split(), "--help"])
        helps += capsys.readouterr().out
    options = set(re.findall(r"`(--[a-z-]+)", PAGE)) | set(
        re.findall(r" (--[a-z-]+)", "".join(blocks("sh")))
    )
    assert options - {"--reason", "--store"} <= set(re.findall(r"--[a-z-]+", helps))


def test_thresholds_and_events_are_those_of_the_code():
    named = sorted(set(re.findall(r"(?:images|identities|changed|age):[0-9][\w%]*", PAGE)))
    assert len(named) == 4
    assert not amounts.thresholds(named).any_change
    events = set(typing.get_args(Event))
    (told,) = re.findall(r"`event`\s*\((.*?)\)", PAGE, re.DOTALL)
    assert set(re.findall(r"`([^`]+)`", told)) == events


def test_the_units_are_whole():
    service, timer = (configparser.ConfigParser() for _ in range(2))
    first, second = blocks("ini")
    service.read_string(first)
    timer.read_string(second)
    assert "slimline tick" in service["Service"]["ExecStart"]
    assert timer["Timer"]["OnCalendar"] == "minutely"
