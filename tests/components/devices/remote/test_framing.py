"""Markers: what stands between them is the answer, and nothing without them is one."""

from __future__ import annotations

import subprocess

import pytest

from components.devices.remote.framing import Frame


@pytest.fixture
def frame() -> Frame:
    return Frame("true", nonce="77ab")


def test_what_comes_before_and_after_is_none_of_the_answer(frame):
    answer = frame.answer(b"Welcome\nB77ab\nhere\nE77ab 4\nBye\n", b"mail\nB77ab\nno\nE77ab\nBye\n")
    assert answer is not None
    assert (answer.code, answer.out, answer.err) == (4, b"here\n", b"no\n")


@pytest.mark.parametrize(
    "out",
    [
        b"",
        b"B77ab\nhere\n",
        b"B77ab\nhere\nE77ab ",  # cut in the middle of the marker
        b"B77ab\nhere\nE77ab 0",
        b"here\nE77ab 0\n",
        b"B77ab\nhere\nE77ac 0\n",
    ],
)
def test_without_both_markers_there_is_no_answer(frame, out):
    assert frame.answer(out, b"") is None


def test_errors_that_a_profile_has_redirected_are_no_reason_to_lose_an_answer(frame):
    answer = frame.answer(b"B77ab\nE77ab 0\n", b"something\n")
    assert answer is not None
    assert answer.err == b"something\n"


def test_every_run_has_markers_of_its_own_and_shows_them_in_no_command_line():
    first, second = Frame("true"), Frame("true")
    assert first.nonce != second.nonce
    assert first.command == second.command


@pytest.mark.parametrize("login", ["sh", "bash"])
def test_the_command_needs_no_quoting_that_shells_disagree_on(login):
    """Fish and csh cannot be had everywhere; what they read otherwise is not in the line."""
    frame = Frame("echo \"$1\" 'x'", ("a\\'b",))
    assert not set(frame.command) & set("\\\n!`")
    inside = frame.command.removeprefix("sh -c '").removesuffix("'")
    assert "'" not in inside
    done = subprocess.run(
        [login, "-c", frame.command], input=frame.program, capture_output=True, check=True
    )
    answer = frame.answer(done.stdout, done.stderr)
    assert answer is not None
    assert answer.out == b"a\\'b x\n"
