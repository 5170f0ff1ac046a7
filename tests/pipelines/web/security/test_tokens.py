"""Tokens: the file that says whose they are, and the two ways to use one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.stores.directory import DirectoryStore
from pipelines.web.security.secret_files import TokenFile, read_key
from pipelines.web.security.sessions import RefusedError
from pipelines.web.security.tokens import AGE_S, TokenWay
from pipelines.web.settings import ServeSettings, TokenAuth
from tests.pipelines.web.security.running import Browser, Served, serving

READER, RUNNER = "r" * 40, "u" * 40


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "tokens.txt", f"# people\nread rita {READER}\n\nrun rolf {RUNNER}\n")


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.fixture
def served(store: DirectoryStore, file: Path) -> Iterator[Served]:
    auth = TokenAuth(kind="token", file=file)
    with serving(store, ServeSettings(store=store.uri, auth=auth)) as served:
        yield served


def signed_in(served: Served, token: str, to: str = "/runs") -> Browser:
    browser = Browser(served)
    answer = browser.post("/enter", {"token": token, "to": to})
    assert (answer.status, answer.headers["location"]) == (303, to)
    return browser


def test_a_person_gives_a_token_once(served: Served) -> None:
    asked = Browser(served).get("/runs?name=a")
    assert asked.status == 401
    assert '<input type="hidden" name="to" value="/runs?name=a">' in asked.text
    browser = signed_in(served, RUNNER, "/runs?name=a")
    assert "rolf, run" in browser.get("/runs").text
    assert browser.act().status == 303
    assert RUNNER not in str(browser.cookies)


def test_a_program_sends_it_with_each_request(served: Served) -> None:
    assert served.ask("/runs", {"authorization": f"Bearer {READER}"}).status == 200
    assert served.ask("/wake", {"authorization": f"bearer {RUNNER}"}, method="POST").status == 303
    wrong = served.ask("/runs", {"authorization": f"Bearer {'x' * 40}"})
    assert (wrong.status, wrong.headers["www-authenticate"]) == (401, "Bearer")
    twice = [f"Bearer {READER}", f"Bearer {RUNNER}"]
    assert served.ask("/runs", {"authorization": twice}).status == 401


def test_a_guessed_token_opens_nothing_and_is_told(served: Served) -> None:
    for guess in (READER[:-1], READER + "r", "", "é" * 40):
        assert Browser(served).post("/enter", {"token": guess, "to": "/"}).status == 403
    assert sum("this token is not known here" in line for line in served.said) == 4
    assert not any("rrrr" in line for line in served.said), "what was given is not written"


@pytest.mark.parametrize(
    "to",
    ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nx: y", "", "javascript:1"],
)
def test_nobody_is_sent_elsewhere_after_signing_in(served: Served, to: str) -> None:
    answer = Browser(served).post("/enter", {"token": READER, "to": to})
    assert answer.headers.get("location", "/") in ("/", "/a")
    assert "x" not in answer.headers


def test_a_restart_and_a_second_service_sign_nobody_out(store: DirectoryStore, file: Path) -> None:
    auth = TokenAuth(kind="token", file=file)
    settings = ServeSettings(store=store.uri, auth=auth, https=True)
    with serving(store, settings) as first:
        browser = Browser(first)
        sent = {"token": READER, "to": "/"}
        assert browser.post("/enter", sent, origin=f"https://{first.host}").status == 303
        form = browser.csrf()
    with serving(store, settings) as second:
        browser.served = second
        assert browser.get("/runs").status == 200
        assert browser.csrf() == form


def test_who_is_taken_out_of_the_file_is_signed_out(served: Served, file: Path) -> None:
    browser = signed_in(served, READER)
    written(file, f"run rolf {RUNNER}\n")
    assert browser.get("/runs").status == 401
    written(file, f"run rita {READER}\n")
    assert "rita, run" in browser.get("/runs").text, "and has the role that it says now"


def test_a_file_that_others_may_read_lets_nobody_in(served: Served, file: Path) -> None:
    browser = signed_in(served, READER)
    file.chmod(0o644)
    assert browser.get("/runs").status == 503
    assert "chmod 600" not in browser.get("/runs").text
    assert str(file) in served.said[-1]
    file.chmod(0o600)
    assert browser.get("/runs").status == 200


def test_a_cookie_is_worth_something_for_a_week_and_only_as_it_is(file: Path) -> None:
    now = 1000.0
    way = TokenWay(TokenFile(file), "slimline", https=False, clock=lambda: now)
    response = way.enter({"method": "POST"}, {"token": READER, "to": "/"})
    value = response.headers["set-cookie"].partition(";")[0].partition("=")[2]

    def knows(value: str) -> bool:
        try:
            way.session({"headers": [(b"cookie", f"slimline={value}".encode())]})
        except RefusedError:
            return False
        return True

    name, began, seal = value.split(".")
    other = value.replace(name, "cm9sZg")  # rolf
    assert knows(value)
    for forged in (other, f"{name}.{int(began) + 1}.{seal}", f"{name}.{began}.", f"{name}.{began}",
                   "..", "x", value[:-1], f"{name}.1e9.{seal}", f"{name}.{'9' * 400}.{seal}"):  # fmt: skip
        assert not knows(forged), forged
    now += AGE_S - 1
    assert knows(value)
    now += 2
    assert not knows(value)


FAULTS = {
    "read rita": (":1: this line has 2 words", f"read rita {READER}"),
    f"write rita {READER}": (":1: there is no role 'write'", f"run rita {READER}"),
    "read rita short": (":1: the token has 5 characters", f"read rita {READER}"),
    f"read rita {READER}\nread rolf {READER}": (
        ":2: the token stands in a line before", f"read rita {READER}\nread rolf {RUNNER}"),
    f"read rita {READER}\nrun rita {RUNNER}": (
        ":2: the name stands in a line before", f"read rita {READER}\nrun rolf {RUNNER}"),
    f"read r\x1bita {READER}": (":1: this is no name", f"read rita {READER}"),
    "# nobody": ("nobody could sign in", f"read rita {READER}"),
}  # fmt: skip


@pytest.mark.parametrize("text", FAULTS)
def test_every_fault_of_the_file_has_its_line_and_a_fix_that_helps(
    tmp_path: Path, text: str
) -> None:
    what, fixed = FAULTS[text]
    path = written(tmp_path / "tokens.txt", text)
    with pytest.raises(UserError) as caught:
        TokenFile(path)
    assert what in caught.value.what
    written(path, fixed)
    assert TokenFile(path).with_token(READER)


def test_a_file_that_others_may_read_is_refused_until_the_fix_is_done(file: Path) -> None:
    for mode in (0o640, 0o604, 0o622):
        file.chmod(mode)
        with pytest.raises(UserError) as caught:
            TokenFile(file)
        subprocess.run(caught.value.fix, shell=True, check=True)
        assert TokenFile(file).named("rita")


def test_a_key_that_services_share_is_long_and_nobody_else_s(tmp_path: Path) -> None:
    path = written(tmp_path / "key", "short")
    with pytest.raises(UserError, match="5 characters, less than 32"):
        read_key(path)
    with pytest.raises(UserError, match="there is no file"):
        read_key(tmp_path / "other")
    assert read_key(written(path, "k" * 32 + "\n")) == "k" * 32
