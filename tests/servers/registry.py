"""Debian's docker-registry, started for a test: images are really pushed, and pulled by digest."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SETTINGS = """\
version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {folder}/registry}}
  maintenance: {{readonly: {{enabled: {read_only}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@contextmanager
def image_registry(folder: Path, *, read_only: bool = False) -> Iterator[str]:
    """Serve until the block ends; the test is skipped where docker-registry is not installed.

    Args:
        folder: What was pushed is kept there.
        read_only: Refuse every push.

    Yields:
        Host and port; a Docker Engine takes those of the loopback interface without TLS.
    """
    if shutil.which("docker-registry") is None:
        pytest.skip("needs docker-registry: .ci/docker registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = folder / "registry.yml"
    settings.write_text(
        _SETTINGS.format(folder=folder, port=port, read_only=str(read_only).lower())
    )
    process = subprocess.Popen(["docker-registry", "serve", str(settings)])
    try:
        _wait_for(process, port)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(300):
        assert process.poll() is None, "docker-registry ended by itself"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("docker-registry does not answer")
