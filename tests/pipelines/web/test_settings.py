"""The settings of the service: what may stand in the file, and the faults, each with its fix applied."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.web.settings import CodeAuth, ProxyAuth, ServeSettings, TokenAuth, load_settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "faces.yaml").write_text("name: faces\n")
    tell = tmp_path / "tell"
    tell.write_text("#!/bin/sh\n")
    tell.chmod(0o755)
    return tmp_path


def loaded(folder: Path, text: str) -> ServeSettings:
    path = folder / "serve.yaml"
    path.write_text(text)
    return load_settings(path)


def test_all_that_may_stand_there(folder: Path) -> None:
    for name in ("tokens.txt", "key"):
        (folder / name).write_text("x")
    settings = loaded(folder, """
store: ./store
address: 0.0.0.0
port: 9000
hosts: [pipelines.example.com, "localhost:9001", "[fd00::1]"]
auth:
  kind: proxy
  header: x-user
  addresses: [10.0.0.0/8, 127.0.0.6]
  roles: {read: ['*'], run: [anna@example.com], promote: [olga]}
  tokens: tokens.txt
  key: key
configs: [faces.yaml]
notify: [./tell, --team, faces]
at_once: 2
triggers: false
read_only: true
https: true
prefix: /slimline
kubeflow: {host: https://kubeflow.example.com, namespace: team}
""")  # fmt: skip
    assert isinstance(settings.auth, ProxyAuth)
    assert settings.auth.tokens == folder / "tokens.txt"
    assert settings.auth.key == folder / "key"
    assert settings.store == str(folder / "store")
    assert settings.configs == (folder / "faces.yaml",)
    assert settings.notify == (str(folder / "tell"), "--team", "faces")
    assert settings.prefix == "/slimline"
    assert settings.engine == "kubeflow"
    assert settings.cluster
    assert settings.cluster.namespace == "team"


def test_without_a_file_one_person_of_this_machine_is_served() -> None:
    settings = load_settings(None)
    assert settings.address == "127.0.0.1"
    assert settings.auth == CodeAuth()
    assert settings.engine == "local"


def test_a_bucket_stays_where_it_is(folder: Path) -> None:
    assert loaded(folder, "store: gs://bucket/prefix\n").store == "gs://bucket/prefix"


def replaced(folder: Path, text: str, line: str) -> None:
    """Write what a fix says in place of the line that is at fault."""
    key = line.partition(":")[0]
    document = {**yaml.safe_load(text), key: yaml.safe_load(line)[key]}
    loaded(folder, yaml.safe_dump(document))


def edit(folder: Path, text: str, fix: str) -> None:
    """Write the first line that a fix gives."""
    found = re.search(r"(\w+: (?:\{.*?\}|\[.*?\]|[\w./:@-]+))(?= or |,? or |, such|$|,)", fix)
    assert found, fix
    replaced(folder, text, found[1])


def in_auth(folder: Path, text: str, fix: str) -> None:
    found = re.search(r"(\w+): (\{.*?\}|\[.*?\]|[\w.-]+)$", fix)
    assert found, fix
    document = yaml.safe_load(text)
    document["auth"][found[1]] = yaml.safe_load(found[2])
    loaded(folder, yaml.safe_dump(document))


def run(folder: Path, text: str, fix: str) -> None:
    command = fix.partition(": ")[2]
    command = command.replace("slimline", "echo name: x >", 1).replace("init ", "", 1)
    subprocess.run(command, shell=True, check=True, cwd=folder)
    loaded(folder, text)


def renamed(folder: Path, text: str, fix: str) -> None:
    found = re.search(r"did you mean '(\w+)'", fix)
    assert found, fix
    name = re.findall(r"[a-z]+", text)[0 if text.startswith(("prot", "addres")) else -2]
    loaded(folder, text.replace(name, found[1], 1))


def without(folder: Path, text: str, fix: str) -> None:
    assert "leave --settings out" in fix
    assert "port: 8080" in fix
    loaded(folder, "port: 8080\n")


def valid(folder: Path, text: str, fix: str) -> None:
    word = fix.rpartition("valid here: ")[2].partition(",")[0]
    loaded(folder, text.replace("admin", word))


Applied = Callable[[Path, str, str], None]
FAULTS: dict[str, tuple[str, Applied]] = {
    "prot: 80": ("there is no key 'prot'", renamed),
    "port: 99999": ("port: must be less than or equal to 65535", edit),
    "port: '80'": ("port: must be a valid integer", edit),
    "at_once: 0": ("at_once: must be greater than or equal to 1", edit),
    "triggers: maybe": ("triggers: must be a valid boolean", edit),
    "read_only: 1": ("read_only: must be a valid boolean", edit),
    "https: 'yes'": ("https: must be a valid boolean", edit),
    "prefix: slimline": ("'slimline' is nothing that addresses could begin with", edit),
    "prefix: /slimline/": ("'/slimline/' is nothing that addresses", edit),
    "prefix: /a/../b": ("'/a/../b' is nothing that addresses", edit),
    "prefix: //a": ("'//a' is nothing that addresses", edit),
    "prefix: /a?b": ("'/a?b' is nothing that addresses", edit),
    "prefix: 5": ("prefix: must be a valid string", edit),
    "store: 5": ("store: must be a valid string", edit),
    "address: example.com": ("'example.com' is no address of a machine", edit),
    "hosts: a.b": ("'a.b' is no list of texts", edit),
    "hosts: ['https://a']": ("'https://a' is no name of a server", edit),
    "hosts: ['a b']": ("'a b' is no name of a server", edit),
    "configs: faces.yaml": ("'faces.yaml' is no list of texts", edit),
    "configs: [5]": ("[5] is no list of texts", edit),
    "notify: ./tell": ("'./tell' is no list of texts", edit),
    "kubeflow: http://x": ("must be a mapping of keys to values", edit),
    "kubeflow: {hst: x}": ("there is no key 'hst'", renamed),
    "configs: [other.yaml]": ("there is no file", run),
    "auth: {kind: token, file: tokens.txt}": ("auth.file: there is no file", run),
    "auth: {kind: proxy, addresses: [10.0.0.0/8], key: key}": ("auth.key: there is no file", run),
    "auth: {kind: proxy, addresses: [10.0.0.0/8], tokens: t}": ("auth.tokens: there is no", run),
    "auth: {kind: proxy, addresses: []}": ("auth.addresses: must not be empty", in_auth),
    "auth: {kind: proxy, addresses: [10.0.0.1/8]}": ("10.0.0.1/8 has host bits set", in_auth),
    "auth: {kind: proxy, addresses: [10.0.0.0/8], header: 'a b'}": ("no name of a header", in_auth),
    "auth: {kind: proxy, addresses: [10.0.0.0/8], roles: {read: a}}": ("'a' is no list", in_auth),
    "auth: {kind: proxy, addresses: [10.0.0.0/8], roles: {admin: [a]}}": (
        "auth.roles.admin: must be 'read', 'run' or 'promote'", valid),
}  # fmt: skip


@pytest.mark.parametrize("line", FAULTS)
def test_every_fault_has_its_line_and_a_fix_that_helps(folder: Path, line: str) -> None:
    what, apply = FAULTS[line]
    text = (
        f"# the service\nread_only: false\n{line}\n" if "read_only" not in line else f"\n\n{line}\n"
    )
    with pytest.raises(UserError) as caught:
        loaded(folder, text)
    assert what in caught.value.what
    assert caught.value.what.startswith(f"{folder / 'serve.yaml'}:3: ")
    apply(folder, text if apply is not renamed else line, caught.value.fix)


def test_others_connect_only_where_it_is_told_who_they_are(folder: Path) -> None:
    (folder / "tokens.txt").write_text("x")
    with pytest.raises(UserError, match=r"serve.yaml:1: address: 0.0.0.0 lets other") as caught:
        loaded(folder, "address: 0.0.0.0\n")
    for auth in re.findall(r"auth: \{.*?\}", caught.value.fix):
        loaded(folder, f"address: 0.0.0.0\n{auth}\n")
    assert loaded(folder, "address: '::1'\n").auth == CodeAuth()


@pytest.mark.parametrize("text", ["auth: token", "auth: {file: tokens.txt}", "auth: {kind: tokn}"])
def test_how_people_show_who_they_are_is_one_of_three_ways(folder: Path, text: str) -> None:
    (folder / "tokens.txt").write_text("x")
    with pytest.raises(UserError, match=r"serve.yaml:1: auth") as caught:
        loaded(folder, text)
    if "did you mean 'token'" in caught.value.fix:
        fixed = "auth: {kind: token, file: tokens.txt}"
    else:
        fixed = caught.value.fix.removeprefix("write ").partition(" or ")[0]
    assert isinstance(loaded(folder, fixed).auth, TokenAuth)


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_a_file_without_anything_is_a_mistake(folder: Path, text: str) -> None:
    with pytest.raises(UserError, match="is empty") as caught:
        loaded(folder, text)
    without(folder, text, caught.value.fix)


def test_a_program_that_is_not_there_is_not_told_anything(folder: Path) -> None:
    with pytest.raises(UserError, match=r"serve.yaml:1: notify: there is no program"):
        loaded(folder, "notify: [no-such-program]\n")


def test_a_missing_file_is_named(folder: Path) -> None:
    with pytest.raises(UserError, match="there is no file"):
        load_settings(folder / "other.yaml")


def test_a_port_of_the_command_line_is_one() -> None:
    with pytest.raises(UserError, match="there is no port 70000") as caught:
        ServeSettings().given({"port": 70000})
    port = int(caught.value.fix.rpartition(" ")[2])
    assert ServeSettings().given({"port": port}).port == port
