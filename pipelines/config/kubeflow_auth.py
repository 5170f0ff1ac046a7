"""The section `kubeflow.auth` of a configuration: what tells a cluster who asks."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from pipelines.config.faults import custom
from pipelines.config.section import Section, as_tuple

EXAMPLE = "kubectl create token default-editor -n NAMESPACE"
"""A command that prints a token, as fixes name it."""

_JWT = re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.")


def _words(value: object) -> object:
    if isinstance(value, str):
        raise custom(
            f"{value!r} is one text, and no shell takes it apart",
            f"write a list of words: command: [{', '.join(EXAMPLE.split())}]",
        )
    return as_tuple(value)


def _no_token(value: tuple[str, ...]) -> tuple[str, ...]:
    if any(_JWT.search(word) for word in value):
        raise custom(
            "a token stands in the command itself: whoever reads the configuration has it",
            "write a command that fetches one, or keep it in a file: auth: {file: ~/.kubeflow}",
        )
    return value


def _whole_path(value: str) -> str:
    if not value.startswith(("/", "~")):
        raise custom(
            f"{value!r} depends on the folder that a command is started in",
            f"write the whole path, such as ~/{Path(value).name or '.kubeflow-token'}",
        )
    return value


class Auth(Section):
    """What tells the API server, or the proxy before it, who asks; without it nothing is sent.

    A bearer token or session cookies: printed by a command, or read from a file before each
    request. A pod finds the token of its service account by itself.
    """

    command: (
        Annotated[
            tuple[str, ...],
            BeforeValidator(_words),
            Field(min_length=1),
            AfterValidator(_no_token),
        ]
        | None
    ) = Field(
        default=None,
        description="program and its arguments; it prints what is sent, or an `ExecCredential` as "
        "credential plugins of kubectl do",
    )
    file: Annotated[str, AfterValidator(_whole_path)] | None = Field(
        default=None, description="file with what is sent; read before each request"
    )
    sends: Literal["token", "cookie"] = Field(
        default="token", description="a bearer token, or cookies as `NAME=VALUE; NAME=VALUE`"
    )

    @property
    def options(self) -> list[str]:
        """The options of commands that mean the same, for those that people are told to give."""
        if self.command:
            return [f"--{self.sends}-command", shlex.join(self.command)]
        return [f"--{self.sends}-file", self.file or ""]

    @model_validator(mode="after")
    def _one_source(self) -> Auth:
        if (self.command is None) == (self.file is None):
            given = "both command and file" if self.command else "neither command nor file"
            raise custom(
                f"it needs one place where what is sent comes from, and has {given}",
                f"write auth: {{command: [{', '.join(EXAMPLE.split())}]}}, or auth: {{file: "
                "~/.kubeflow-cookie, sends: cookie}",
            )
        return self
