"""Secrets in a configuration: refused before anything of it is kept or shown.

A store keeps configurations and addresses for ever and for everybody who may read it. What was
masked would no longer be what a run was made of, so a configuration with a secret does not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from components.contract.errors import UserError
from pipelines.config.configuration import Config

_NAMES = re.compile(
    r"(?:^|[^a-z])(?:tokens?|passwords?|passwd|secrets?|credentials?|(?:api|access|private|secret)"
    r"[_-]?keys?)(?:$|[^a-z])",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/@\s]*:[^/@\s]+@")
_SIGNED = re.compile(
    r"[?&](?:X-Goog-Signature|X-Amz-Signature|X-Amz-Security-Token|Signature|sig|access_token|"
    r"token)=[^&\s]",
    re.IGNORECASE,
)
_FORMS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\b(?:gh[pousr]_[A-Za-z0-9]{36}|AKIA[0-9A-Z]{16}|"
    r"AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{20,})"
)
_REFERENCES = ("kubeflow.secrets.", "kubeflow.image_pull_secrets.", "kubeflow.devices.secret")
"""Keys under which stand names of a cluster's secrets, and nothing of what they hold."""


def refuse_secrets(config: Config) -> None:
    """Refuse a configuration that holds what nobody else may see.

    Raises:
        UserError: It does.
    """
    for place, text in _texts(config.to_plain(), ""):
        if place.startswith(_REFERENCES) or not text:
            continue
        if _LOGIN.search(text):
            raise _error(place, "is an address with a password", "leave out NAME:PASSWORD@")
        if _SIGNED.search(text):
            raise _error(place, "is a signed address", "leave out everything from the ? on")
        if _FORMS.search(text) or _NAMES.search(place.rpartition(".")[2]):
            raise _error(place, "looks like a secret", "take it out of the configuration")


def _error(place: str, what: str, fix: str) -> UserError:
    given = (
        "pods get it from a Kubernetes secret: kubeflow: {secrets: [{name: NAME, variables: "
        "{KEY: VARIABLE}}]}"
        if place.startswith("kubeflow.")
        else "credentials come from the environment, as `gcloud auth application-default login` "
        "leaves them"
    )
    return UserError(
        f"{place} of the configuration {what}, which the store would keep for ever",
        f"{fix}: {given}",
    )


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Yield every text in a document with its place, ``kubeflow.environment.TOKEN``."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, item in cast("Mapping[str, Any]", value).items():
            yield from _texts(item, f"{place}.{key}" if place else key)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _texts(item, f"{place}.{index}")
