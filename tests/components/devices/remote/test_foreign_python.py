"""Foreign Pythons: what the runtime has a wheel for, and what helps where it has none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from components.contract.errors import UserError
from components.devices.remote.foreign_python import ForeignPython, fitting
from components.devices.remote.settings import SshSettings

SETTINGS = SshSettings(host="pi5")
FITS = ForeignPython(
    path="/usr/bin/python3.11",
    version="3.11.2",
    implementation="CPython",
    free_threaded=False,
    bits=64,
    machine="aarch64",
    glibc="2.36",
    cores=(0, 1, 2, 3),
    page_size=16384,
    runs_programs=True,
    writable=True,
)


def test_the_first_that_fits_is_taken() -> None:
    threaded = replace(FITS, version="3.14.0", free_threaded=True)
    newest = replace(FITS, version="3.13.1", path="/opt/bin/python3.13")
    assert fitting((threaded, newest, FITS), "aarch64", "pi5", SETTINGS) == newest


@pytest.mark.parametrize("version", ["3.10.1", "3.14.0"])
def test_the_oldest_and_the_newest_fit(version: str) -> None:
    python = replace(FITS, version=version)
    assert fitting((python,), "aarch64", "pi5", SETTINGS).release == tuple(
        map(int, version.split(".")[:2])
    )


@pytest.mark.parametrize(
    ("change", "what", "fix"),
    [
        ({"version": "3.9.2"}, "has Python 3.9.2, and LiteRT needs", "set `bundle: true` of pi5"),
        ({"version": "2.7.18"}, "has Python 2.7.18", "install one of these"),
        ({"implementation": "PyPy"}, r"Python 3.11.2 \(PyPy\)", "set `python` of pi5"),
        ({"free_threaded": True}, "without its global lock", "set `python` of pi5"),
        ({"bits": 32}, "32-bit programs on its 64-bit kernel", "set `bundle: true` of pi5"),
        ({"glibc": "2.31"}, "has glibc 2.31, and LiteRT needs glibc 2.34", "Debian 12"),
        ({"glibc": ""}, "another C library than glibc", "set `bundle: true` of pi5"),
        ({"writable": False}, "does not let us write into ~/.cache/slimline", "set `dir` of pi5"),
        ({"runs_programs": False}, "mounted with noexec", "set `dir` of pi5"),
    ],
)
def test_what_does_not_fit_is_said(change: dict[str, object], what: str, fix: str) -> None:
    with pytest.raises(UserError, match=what) as caught:
        fitting((replace(FITS, **change),), "aarch64", "pi5", SETTINGS)
    assert fix in caught.value.fix
    assert fitting((FITS,), "aarch64", "pi5", SETTINGS) == FITS  # the fix


def test_an_older_library_is_enough_elsewhere() -> None:
    python = replace(FITS, glibc="2.31", machine="x86_64")
    assert fitting((python,), "x86_64", "nuc", SETTINGS) == python


def test_no_runtime_for_an_architecture() -> None:
    with pytest.raises(UserError, match="pi5 is armv7l, and there is no LiteRT for it"):
        fitting((FITS,), "armv7l", "pi5", SETTINGS)


@pytest.mark.parametrize(
    ("python", "what"), [(None, "has no Python"), ("/opt/python", "has no /opt/python")]
)
def test_no_python(python: str | None, what: str) -> None:
    settings = replace(SETTINGS, python=python)
    with pytest.raises(UserError, match=what) as caught:
        fitting((), "aarch64", "pi5", settings)
    assert "set `python` of pi5" in caught.value.fix
