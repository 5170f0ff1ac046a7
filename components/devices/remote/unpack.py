"""Put an archive of packages into place, and import them: runs on a device, as text.

    python - ARCHIVE SHA256 UNPACKED_BYTES SITE < unpack.py

``SITE`` is there whole or not at all: it is unpacked beside its place and renamed. Without
``ARCHIVE`` (empty), it is only looked at. Prints one JSON document: ``fault``, empty where the
packages can be imported, and ``detail``. Needs Python 3.10 and nothing else.
"""

# ruff: noqa: PTH104, PTH108, PTH112, PTH120, PTH123 (pathlib takes longer to load than the rest)

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
import time

STRAY_S = 24 * 3600
IMPORT_LIMIT_S = 120


def main(archive: str, sha256: str, unpacked_bytes: int, site: str) -> tuple[str, str]:
    """Return what is wrong and what is known of it; nothing twice where all is well."""
    folder = os.path.dirname(site)
    sweep(folder)
    if not archive:
        return imported(site) if os.path.isdir(site) else ("absent", "")
    with open(archive, "rb") as file:
        if hashlib.sha256(file.read()).hexdigest() != sha256:
            return "damaged", ""
    disk = os.statvfs(folder)
    free_bytes = disk.f_bavail * disk.f_frsize
    if free_bytes < unpacked_bytes:
        return "full", f"{free_bytes // 1_000_000} MB free, {-(-unpacked_bytes // 1_000_000)} MB"
    part = f"{site}.part-{secrets.token_hex(6)}"
    try:
        with tarfile.open(archive) as opened:
            opened.extractall(part)  # noqa: S202 its digest says that we made it
        fault = imported(part)
        if not fault[0]:
            put(part, site)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return fault


def put(part: str, site: str) -> None:
    """Rename what is whole; another engine may have been faster with the same."""
    try:
        os.rename(part, site)
    except OSError:
        if not os.path.isdir(site):
            raise


def imported(site: str) -> tuple[str, str]:
    """Import the packages in a process of its own: the tags of wheels promise more than is true."""
    done = subprocess.run(
        [sys.executable, "-S", "-s", "-c", "import ai_edge_litert.interpreter"],
        env={"PYTHONPATH": site, "PYTHONSAFEPATH": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=IMPORT_LIMIT_S,
        check=False,
    )
    if done.returncode == 0:
        return "", ""
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    said = lines[-1] if lines else f"exit code {done.returncode}"
    return ("killed", str(-done.returncode)) if done.returncode < 0 else ("refused", said)


def sweep(folder: str) -> None:
    """Remove what a run has left behind that was cut off; another may be under way."""
    if not os.path.isdir(folder):
        return
    for entry in os.scandir(folder):
        stray = entry.name.startswith("run-") or ".part-" in entry.name
        if stray and time.time() - entry.stat(follow_symlinks=False).st_mtime > STRAY_S:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)


if __name__ == "__main__":
    fault, detail = main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
    sys.stdout.write(json.dumps({"fault": fault, "detail": detail}))
