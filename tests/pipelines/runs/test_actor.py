"""Who acts: the account of this machine, or whom the environment names."""

import os
import pwd
import socket

import pytest

from components.contract.errors import UserError
from pipelines.runs.actor import VARIABLE, actor


def test_it_is_the_account_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("USER", "somebody-else")
    account = pwd.getpwuid(os.getuid()).pw_name
    assert actor() == f"{account}@{socket.gethostname()}"
    monkeypatch.setenv(VARIABLE, " ")
    assert actor() == f"{account}@{socket.gethostname()}"


@pytest.mark.parametrize("given", ["two\nlines", "\x1b[31mred", "x" * 201])
def test_what_cannot_be_shown_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv(VARIABLE, given)
    with pytest.raises(UserError, match="expected a name of at most 200 printable") as caught:
        actor()
    name, value = caught.value.fix.removeprefix("export ").split("=")
    monkeypatch.setenv(name, value)
    assert actor() == "jane.doe@example.com"
