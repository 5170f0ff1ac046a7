"""Mirrors: who names them, and what is said where a package does not come."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.devices.remote.bundle.mirrors import VARIABLE, Mirrors, apt_addresses
from tests.servers.processes import free_port

CONTENT = b"a package"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def mirror(folder: Path, **files: bytes) -> str:
    (folder / "pool").mkdir(parents=True)
    for name, content in files.items():
        (folder / "pool" / name).write_bytes(content)
    return folder.as_uri()


def fetched() -> bytes:
    return Mirrors.of_this_machine("20260711T101637Z").fetch_pinned("pool/x+1", SHA256, "x 1")


def test_the_first_that_has_it_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first has it no more, a snapshot does: what is pinned there is named by its date."""
    first = mirror(tmp_path / "first")
    mirror(tmp_path / "snapshot/20260711T101637Z", **{"x+1": CONTENT})
    monkeypatch.setenv(VARIABLE, first)
    with pytest.raises(UserError, match="x 1 is on none of the mirrors any more") as caught:
        fetched()
    assert caught.value.fix.startswith("make bundle-lock")
    assert f"a second one in {VARIABLE}" in caught.value.fix
    monkeypatch.setenv(VARIABLE, f"{first} {(tmp_path / 'snapshot').as_uri()}/{{moment}}/")
    assert fetched() == CONTENT
    assert Mirrors.of_this_machine(None).addresses == (first,)


def test_another_content_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, mirror(tmp_path / "wrong", **{"x+1": b"another"}))
    with pytest.raises(UserError, match="x 1 came with another content") as caught:
        fetched()
    assert f"export {VARIABLE}=ADDRESS" in caught.value.fix
    monkeypatch.setenv(VARIABLE, mirror(tmp_path / "right", **{"x+1": CONTENT}))
    assert fetched() == CONTENT


def test_a_mirror_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = f"http://127.0.0.1:{free_port()}/debian"
    monkeypatch.setenv(VARIABLE, silent)
    with pytest.raises(UserError, match=r"no mirror of Debian gave x\+1: .*Connection refused"):
        fetched()
    monkeypatch.setenv(VARIABLE, f"{silent} {mirror(tmp_path / 'second', **{'x+1': CONTENT})}")
    assert fetched() == CONTENT


def test_what_is_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "mirror.lan/debian")
    with pytest.raises(UserError, match=r"mirror\.lan/debian is no address of a mirror") as caught:
        fetched()
    assert "file://" in caught.value.fix
    monkeypatch.setenv(VARIABLE, mirror(tmp_path / "m", **{"x+1": CONTENT}))
    assert fetched() == CONTENT


def write_apt(etc: Path, release: str, **files: str) -> Path:
    (etc / "apt/sources.list.d").mkdir(parents=True)
    (etc / "os-release").write_text(release)
    for name, content in files.items():
        (etc / "apt" / name.replace("__", "/").replace("_", ".")).write_text(content)
    return etc


DEBIAN = 'ID=debian\nVERSION_CODENAME=trixie\nPRETTY_NAME="Debian"\n'


def test_apt_names_those_of_its_own_release(tmp_path: Path) -> None:
    etc = write_apt(
        tmp_path,
        DEBIAN,
        **{
            "sources.list.d__debian_sources": "Types: deb\n# old\nURIs: http://m.lan/debian\n"
            "Suites: trixie trixie-updates\n\nTypes: deb\nURIs: http://s.lan/debian-security\n"
            "Suites: trixie-security\n\nEnabled: no\nURIs: http://off.lan\nSuites: trixie\n",
            "sources.list": "# deb http://none.lan trixie main\n"
            "deb [signed-by=/k.gpg arch=amd64] https://n.lan/debian trixie main\n"
            "deb http://cloud.lan/apt cloud-sdk-trixie main\ndeb cdrom:[x]/ trixie main\n"
            "deb-src http://source.lan/debian trixie main\n",
        },
    )
    assert apt_addresses(etc) == ["http://m.lan/debian", "https://n.lan/debian"]


def test_other_systems_name_none(tmp_path: Path) -> None:
    ubuntu = "ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n"
    line = {"sources.list": "deb http://u.lan/ubuntu noble main\n"}
    assert apt_addresses(write_apt(tmp_path / "ubuntu", ubuntu, **line)) == []
    assert apt_addresses(tmp_path / "nothing") == []


def test_without_any_the_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("components.devices.remote.bundle.mirrors.ETC", tmp_path)
    with pytest.raises(UserError, match="no mirror of them is known") as caught:
        fetched()
    assert f"export {VARIABLE}=ADDRESS" in caught.value.fix
