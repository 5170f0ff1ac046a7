"""Object storage as the launcher sees it: addresses, and what lies below a prefix.

A folder can stand for it, ``FOLDER/bucket/key`` being ``gs://bucket/key``; as there, a folder without
files does not exist. Or it is the tests' storage server.
"""

from __future__ import annotations

import posixpath
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.servers.gcs.server import GcsServer
from tests.servers.kfp.faults import TaskFailedError

SCHEMES = ("gs://", "s3://", "minio://")


def local_path_for_uri(uri: str) -> str:
    """component/launcher_v2.go, LocalPathForURI (oci:// left out)."""
    for scheme in SCHEMES:
        if uri.startswith(scheme):
            return f"/{'gcs' if scheme == 'gs://' else scheme[:-3]}/{uri.removeprefix(scheme)}"
    raise TaskFailedError(
        f"failed to generate local path for URI {uri}: unsupported storage scheme"
    )


def generate_output_uri(root: str, paths: Sequence[str]) -> str:
    """metadata/client.go, GenerateOutputURI."""
    return f"{root.partition('?')[0].rstrip('/')}/{posixpath.join(*paths)}"


class Storage(Protocol):
    """Keeps objects by bucket and key."""

    def names(self, bucket: str, prefix: str) -> Iterable[str]:
        """Return the keys that begin so."""
        ...

    def read(self, bucket: str, key: str) -> bytes: ...

    def write(self, bucket: str, key: str, data: bytes) -> None: ...


@dataclass(frozen=True)
class FolderStorage:
    """A folder of this machine."""

    folder: Path

    def names(self, bucket: str, prefix: str) -> list[str]:
        root = self.folder / bucket
        files = (path for path in root.rglob("*") if path.is_file())
        found = (path.relative_to(root).as_posix() for path in files)
        return sorted(name for name in found if name.startswith(prefix))

    def read(self, bucket: str, key: str) -> bytes:
        return (self.folder / bucket / key).read_bytes()

    def write(self, bucket: str, key: str, data: bytes) -> None:
        path = self.folder / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@dataclass(frozen=True)
class ServerStorage:
    """What the tests' storage server keeps, without its requests."""

    server: GcsServer

    def names(self, bucket: str, prefix: str) -> list[str]:
        objects = self.server.bucket(bucket).objects
        return sorted(name for name in list(objects) if name.startswith(prefix))

    def read(self, bucket: str, key: str) -> bytes:
        return bytes(self.server.storage.live(bucket, key, {}).data)

    def write(self, bucket: str, key: str, data: bytes) -> None:
        self.server.bucket(bucket)
        self.server.storage.write(bucket, key, data, {}, {})


@dataclass
class Moved:
    """How many bytes launchers moved."""

    downloaded: int = 0
    uploaded: int = 0


@dataclass(frozen=True)
class Bucket:
    """objectstore/config.go, Config: the prefix that a task may write below.

    Attributes:
        storage: What keeps the objects.
        prefixed: Scheme, bucket and prefix.
        moved: Counts what goes through here.
    """

    storage: Storage
    prefixed: str
    moved: Moved = field(default_factory=Moved)

    def key_from_uri(self, uri: str) -> str:
        """objectstore/config.go, KeyFromURI: what lies elsewhere is refused."""
        if not uri.startswith(self.prefixed):
            raise TaskFailedError(
                f"URI {uri!r} does not have expected bucket prefix {self.prefixed!r}"
            )
        key = uri.removeprefix(self.prefixed).lstrip("/")
        if not key:
            raise TaskFailedError(f"URI {uri!r} has empty key")
        return key

    def place(self, key: str) -> tuple[str, str]:
        """Return the bucket, and the whole key in it."""
        name, _, prefix = self.prefixed.partition("://")[2].partition("/")
        return name, posixpath.join(prefix, key)

    def upload(self, local: Path, key: str) -> None:
        """objectstore/object_store.go, UploadBlob: files one by one, so no empty folder."""
        if not local.exists():
            raise FileNotFoundError(local)
        if not local.is_dir():
            data = local.read_bytes()
            self.moved.uploaded += len(data)
            self.storage.write(*self.place(key), data)
            return
        for entry in sorted(local.iterdir()):
            self.upload(entry, f"{key}/{entry.name}")

    def download(self, local: Path, key: str, *, siblings: bool) -> None:
        """objectstore/object_store.go, DownloadBlob: of nothing, nothing, and no error.

        Args:
            local: Where to.
            key: Of one object, or what the keys of several begin with.
            siblings: Take all that begins like the key, as versions up to 2.16 do: what lies at
                ``KEY2/file`` is put at ``LOCAL/../KEY2/file``.
        """
        bucket, whole = self.place(key)
        for name in self.storage.names(bucket, whole):
            if name != whole and not name.startswith(f"{whole}/") and not siblings:
                continue
            path = Path(posixpath.normpath(local / posixpath.relpath(name, whole)))
            data = self.storage.read(bucket, name)
            self.moved.downloaded += len(data)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def remove_folder(folder: Path) -> None:
    """Remove what a task left on this machine."""
    shutil.rmtree(folder, ignore_errors=True)
