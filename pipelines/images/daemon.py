"""The Docker Engine of this machine: how it is reached, and its faults said clearly."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from typing import Any

from components.contract.errors import UserError

_DEFAULT_ADDRESS = "unix:///var/run/docker.sock"
_NO_SUCH_PATH = "bind source path does not exist"
_NO_SPACE = "no space left on device"
_NO_SUCH_IMAGE = "no such image"


def address() -> str:
    """Return where the Docker Engine is looked for; ``DOCKER_HOST`` is Docker's own variable."""
    return os.environ.get("DOCKER_HOST") or _DEFAULT_ADDRESS


def connect() -> Any:
    """Return a client of the Docker Engine.

    Raises:
        UserError: None answers, or its client is not installed, as in the image ``service``.
    """
    try:
        import docker
    except ModuleNotFoundError:
        raise UserError(
            "no Docker Engine can be asked here: the package docker is not installed",
            "name the images with their digests, as slimline images push prints them: kubeflow: "
            "{images: {train: REPOSITORY@sha256:...}}",
        ) from None
    from docker.errors import DockerException
    from requests import RequestException

    try:
        client = docker.from_env()
        client.ping()  # pyright: ignore[reportUnknownMemberType]
    except (DockerException, RequestException, ValueError) as error:  # the last: a bad DOCKER_HOST
        fix = "start it (sudo systemctl start docker), set DOCKER_HOST, or use --engine local"
        if "PermissionError" in str(error):
            fix = "let this user in (sudo usermod -aG docker USER, log in again): --engine local"
        raise UserError(f"no Docker Engine answers at {address()}: {error}", fix) from None
    return client


@contextlib.contextmanager
def daemon_faults(what: str) -> Generator[None]:
    """Turn what the Docker Engine refuses, and its silence, into a ``UserError``.

    Args:
        what: What was asked of it, as the beginning of a sentence.
    """
    from docker.errors import APIError, DockerException
    from requests import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except APIError as error:
        message = str(error.explanation or error)
        raise UserError(f"{what}: the Docker Engine says: {message}", _fix(message)) from error
    except (DockerException, RequestException, HTTPError) as error:  # the last: amid an answer
        raise UserError(
            f"{what}: the Docker Engine at {address()} answers no more: {error}",
            "start it (sudo systemctl start docker), then run again: what is done stays done",
        ) from error


def _fix(message: str) -> str:
    if _NO_SUCH_PATH in message:
        return (
            f"the Docker Engine at {address()} sees other files than this process does: run "
            "slimline on its machine, unset DOCKER_HOST, or use --engine local"
        )
    if _NO_SPACE in message:
        return "free space under the Docker Engine's folder: docker system prune, docker system df"
    if _NO_SUCH_IMAGE in message.lower():  # whoever prunes images may do so while a run goes on
        return "slimline images build, then run again: what is done stays done"
    return "docker info and the Docker Engine's log (journalctl -u docker) say more"
