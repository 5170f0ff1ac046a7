"""Fixes of errors: every key, command, flag and target that one names is there.

What a fix does to the input that caused the error is tried beside the code that raises it and in
``tests/pipelines/config/test_promised_fixes.py``. Here the texts of the sources are read: all
literals but docstrings, because fixes are also constants, values of tables and parts of others.
"""

import argparse
import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from docs.reference import SECTIONS
from pipelines.cli.main import parser
from pipelines.config.configuration import Config
from pipelines.config.parameters import SEARCH_PARTS, offered
from pipelines.web.settings import ROLES, CodeAuth, ProxyAuth, ServeSettings, TokenAuth

ROOT = Path(__file__).parents[1]
HOLE = "…"
"""What stands where a text is filled in."""

TAUGHT = "set|write|add|use|give|raise|lower|leave"
PROSE = {
    "slimline": {
        "adds", "and", "as", "does", "gives", "has", "is", "knows", "on", "read", "reads", "stage",
        "that", "writes", "wrote",
    },
    "make": {"a", "an", "it", "its", "room"},
    "key": {"Linux", "expected", "them", "to"},
    "section": {"a", "any", "it", "that", "the", "this"},
}  # fmt: skip
"""Words that follow where a command or a key may stand, and are none."""

OTHER_PROGRAMS = {
    "--clear-content-encoding", "--member", "--role", "--zone", "--audience", "--target",
}  # fmt: skip
"""Flags of gcloud and docker."""


def sections() -> Mapping[str, set[str]]:
    """The keys of every section of a configuration, by the last word of its place."""
    found: dict[str, set[str]] = {"": set(Config.model_fields)}
    for section in SECTIONS:
        keys = set(section.model.model_fields) - {"parameters"} if section.model else set()
        if section.component:
            keys |= {parameter.name for parameter in offered(section.component).parameters}
        place = re.split(r"[.\[\]]+", section.place.removesuffix("[]"))[-1]
        found.setdefault(place, set()).update(keys)
    found[""] |= set(ServeSettings.model_fields)
    for auth in (CodeAuth, TokenAuth, ProxyAuth):
        found["auth"] |= set(auth.model_fields)
    found["roles"] = set(ROLES)
    for part in SEARCH_PARTS:  # two components share one section
        found["search"] |= {parameter.name for parameter in offered(part).parameters}
    return found


KEYS = sections()
ANY = set().union(*KEYS.values())


def literals(source: str) -> Iterator[str]:
    """Every text of a module but docstrings, with ``HOLE`` where it is filled in."""
    tree = ast.parse(source)
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            inside.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            inside |= {id(part) for value in node.values for part in ast.walk(value)}
    for node in ast.walk(tree):
        if id(node) in inside:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values
            )


@cache
def texts() -> list[str]:
    return [
        text
        for tree in ("components", "pipelines")
        for path in sorted((ROOT / tree).rglob("*.py"))
        for text in literals(path.read_text())
    ]


def unknown_keys(text: str) -> Iterator[str]:
    """What a text tells people to write into a configuration, and no configuration has."""
    for section, inner in re.findall(r"(\w+): \{([^{}]*[:,…][^{}]*)\}", text):
        if section not in KEYS:
            if section not in ANY:
                yield section
            continue
        if inner == HOLE:
            continue
        for key in re.findall(r"(?:^|, )(\w+)(?=:|,|$)", inner):
            if key not in KEYS[section]:
                yield f"{section}.{key}"
    for key in re.findall(rf"\b(?:{TAUGHT}) (\w+):(?= |$)", text):
        if key not in ANY | KEYS.keys() | PROSE["key"]:
            yield key
    for key in re.findall(rf"\b(?:{TAUGHT}) (\w+) under \w+", text):
        if key not in ANY | PROSE["key"]:
            yield key
    for section in re.findall(rf"\b(?:{TAUGHT})\b[^;]* under (\w+)", text):
        if section not in KEYS.keys() | PROSE["section"]:
            yield f"{section}:"


def commands(tree: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    for action in tree._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices
    return {}


def flags(tree: argparse.ArgumentParser) -> set[str]:
    own = {flag for action in tree._actions for flag in action.option_strings}
    return own.union(*(flags(inner) for inner in commands(tree).values()))


PARSER = parser()
FLAGS = flags(PARSER)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def unknown_commands(text: str) -> Iterator[str]:
    """Commands, flags and targets that a text names, and that nobody can give."""
    known = commands(PARSER)
    for first, second in re.findall(r"\bslimline ([a-z]+)(?!:)\b(?: ([a-z]+))?", text):
        if first in PROSE["slimline"]:
            continue
        inner = commands(known[first]) if first in known else {}
        if first not in known or (inner and second not in inner):
            yield f"slimline {first} {second}".strip()
    for target in re.findall(r"(?:^|[:;,`] ?|then )make ([a-z-]+)", text):
        if target not in TARGETS | PROSE["make"]:
            yield f"make {target}"
    for extra in re.findall(r"slimline\[(\w+)\]", text):
        if extra not in EXTRAS:
            yield f"slimline[{extra}]"


def unknown_flags(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - FLAGS - OTHER_PROGRAMS


def test_every_key_that_a_text_teaches_is_there() -> None:
    found = {(key, text) for text in texts() for key in unknown_keys(text)}
    assert found == set()


def test_every_command_that_a_text_names_is_there() -> None:
    found = {(command, text) for text in texts() for command in unknown_commands(text)}
    assert found == set()


def test_every_flag_that_a_fix_names_is_there() -> None:
    found = {(flag, text) for text in fixes() for flag in unknown_flags(text)}
    assert found == set()


@cache
def fixes() -> list[str]:
    """The second argument of every error, where it is written there."""
    return [
        text
        for tree in ("components", "pipelines")
        for path in sorted((ROOT / tree).rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and name_of(call) in ERRORS and len(call.args) > 1
        for text in literals(ast.unparse(call.args[1]).join("()"))
    ]


ERRORS = {"UserError", "Refused", "custom", "complain"}


def name_of(call: ast.Call) -> str:
    return getattr(call.func, "id", "") or getattr(call.func, "attr", "")


def test_errors_are_found_by_the_rules_above() -> None:
    assert len(fixes()) > 60
    assert len(KEYS["split"]) > 8
    assert {"--engine", "--store", "--base"} <= FLAGS


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("set split: {split_by: image}", "split.split_by"),
        ("set split_by: image", "split_by"),
        ("or a larger share; raise validation under validation", "validation:"),
        ("write kubeflow: {pipeline_rot: x, images: y}", "kubeflow.pipeline_rot"),
        ("set image: {height, widht}", "image.widht"),
        ("add validashun under split", "validashun"),
        ("give slplit: {by: image}", "slplit"),
    ],
)
def test_a_key_that_is_not_there_is_found(text: str, key: str) -> None:
    assert key in set(unknown_keys(text))


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("slimline dokter", "slimline dokter"),
        ("slimline images puhs", "slimline images puhs"),
        ("make instal, then slimline doctor", "make instal"),
        ("pip install 'slimline[heic]'", "slimline[heic]"),
    ],
)
def test_a_command_that_is_not_there_is_found(text: str, command: str) -> None:
    assert command in set(unknown_commands(text))
    assert unknown_flags("slimline run --stroe x") == {"--stroe"}
