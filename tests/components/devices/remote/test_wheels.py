"""Wheels: fetched by the real pip from a folder, packed into the same bytes each time."""

from __future__ import annotations

import tarfile
import zipfile
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.devices.remote.wheels import SiteArchive, kept_archive, site_archive
from tests.components.devices.remote.test_foreign_python import FITS

NUMPY = metadata.version("numpy")
FILES = {
    "ai_edge_litert/interpreter.py": b"x = 1\n" * 100,
    "ai_edge_litert/libLiteRt.so": bytes(1000),
    "ai_edge_litert/libLiteRtWebGpuAccelerator.so": b"gpu",
    "ai_edge_litert/aot/compile.py": b"",
    "numpy/_core/tests/test_all.py": b"",
    "numpy/__init__.pyi": b"",
    "numpy/__init__.py": b"",
    "numpy.libs/libopenblas.so": b"blas",
}


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, which pip looks into alone."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def write_wheel(folder: Path, name: str, version: str, tags: str) -> Path:
    path = folder / f"{name}-{version}-{tags}.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        for file, content in FILES.items():
            if file.startswith(name):
                wheel.writestr(file, content)
        wheel.writestr(f"{name}-{version}.data/scripts/tool", "#!python")
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"
        )
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tags}")
        wheel.writestr(f"{info}/RECORD", "")
    return path


def archive(tmp_path: Path, python=FITS) -> SiteArchive:
    return site_archive(python, "2.3.0", "pi5", tmp_path / "kept")


def test_wheels_of_the_devices_python_become_one_archive(index: Path, tmp_path: Path) -> None:
    write_wheel(index, "ai_edge_litert", "2.3.0", "cp311-cp311-manylinux_2_27_aarch64")
    write_wheel(index, "ai_edge_litert", "2.3.0", "cp312-cp312-manylinux_2_27_aarch64")
    write_wheel(index, "ai_edge_litert", "2.3.0", "cp311-cp311-manylinux_2_27_x86_64")
    write_wheel(index, "ai_edge_litert", "2.4.0", "cp311-cp311-manylinux_2_27_aarch64")
    write_wheel(index, "numpy", NUMPY, "cp311-cp311-manylinux_2_40_aarch64")  # for newer systems
    older = "cp311-cp311-manylinux2014_aarch64.manylinux_2_17_aarch64"
    write_wheel(index, "numpy", "1.26.0", older)
    made = archive(tmp_path)
    with tarfile.open(made.path) as opened:
        names = opened.getnames()
        assert all(member.mtime == 0 for member in opened)
        total = sum(member.size for member in opened)
    assert "numpy-1.26.0.dist-info/METADATA" in names
    assert [name for name in names if "dist-info" not in name] == [
        "ai_edge_litert/interpreter.py",
        "ai_edge_litert/libLiteRt.so",
        "numpy.libs/libopenblas.so",
        "numpy/__init__.py",
    ]
    assert total < made.unpacked_bytes < total + 20_000

    for wheel in index.iterdir():  # what is kept is not fetched again
        wheel.rename(tmp_path / wheel.name)
    assert archive(tmp_path) == made
    for wheel in tmp_path.glob("*.whl"):
        wheel.rename(index / wheel.name)
    again = site_archive(FITS, "2.3.0", "pi5", tmp_path / "elsewhere")
    assert (again.sha256, again.site) == (made.sha256, made.site)


def test_a_version_that_is_not_there_is_said(index: Path, tmp_path: Path) -> None:
    write_wheel(index, "ai_edge_litert", "2.3.0", "cp312-cp312-manylinux_2_27_aarch64")
    with pytest.raises(
        UserError, match=r"Python 3\.11\.2 on aarch64 with glibc 2\.36: No matching"
    ):
        archive(tmp_path)
    assert list((tmp_path / "kept").iterdir()) == []
    write_wheel(index, "numpy", NUMPY, "cp312-cp312-manylinux_2_28_aarch64")
    assert archive(tmp_path, replace(FITS, version="3.12.0")).path.is_file()


def test_archives_of_other_pythons_lie_beside_each_other(tmp_path: Path) -> None:
    others = (
        FITS,
        replace(FITS, version="3.12.0"),
        replace(FITS, machine="x86_64"),
        replace(FITS, glibc="2.34"),
    )
    places = {kept_archive(tmp_path, python, "2.3.0") for python in others}
    assert len(places) == len(others)
    assert kept_archive(tmp_path, replace(FITS, version="3.11.9"), "2.3.0") in places
