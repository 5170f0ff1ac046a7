"""Who asks: by session cookie, by token command, from a pod; each refusal with a fix that works."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.cli.main import main
from pipelines.config.kubeflow_auth import Auth
from pipelines.engines.kubeflow.api import identity
from pipelines.engines.kubeflow.api.connection import Connection
from pipelines.stores.retrying import RetryPolicy
from tests.servers.kfp.cluster import Cluster
from tests.servers.kfp.server import KfpServer
from tests.servers.login import COOKIE, USER, LoginProxy, Unknown

HASTY = RetryPolicy(deadline_s=2.0, connect_s=1.0, read_s=2.0, wait_s=0.02)
ACCOUNT = "system:serviceaccount:team:default-editor"


@pytest.fixture
def server() -> Iterator[KfpServer]:
    with KfpServer(namespaces=["team"]) as server:
        yield server


@pytest.fixture
def proxy(server: KfpServer) -> Iterator[LoginProxy]:
    with LoginProxy(server.url) as proxy:
        yield proxy


def connect(proxy: LoginProxy, auth: Auth | None = None) -> Connection:
    return Connection(proxy.url, "team", HASTY, auth)


def refused(proxy: LoginProxy, auth: Auth | None = None) -> UserError:
    with pytest.raises(UserError, match="does not know who asks") as caught:
        connect(proxy, auth)
    return caught.value


def list_runs(connection: Connection) -> object:
    return connection.ask(connection.runs.run_service_list_runs, namespace="team")


# session cookies --------------------------------------------------------------------------------


@pytest.fixture
def cookie_file(tmp_path: Path) -> Path:
    return tmp_path / "cookie"


@pytest.mark.parametrize("unknown", ["json", "page", "redirects"])
def test_without_a_session_it_is_said_and_logging_in_helps(
    proxy: LoginProxy, cookie_file: Path, unknown: Unknown
) -> None:
    proxy.unknown = unknown
    error = refused(proxy)
    assert "no token was sent" in error.what
    assert ("/dex/auth" in error.what) == (unknown == "redirects")
    assert "client_id" not in error.what, "what leads to the page is long and says nothing"
    assert f"log in at {proxy.url}" in error.fix
    assert "--cookie-file FILE" in error.fix
    cookie_file.write_text(proxy.log_in() + "\n")
    list_runs(connect(proxy, Auth(file=str(cookie_file), sends="cookie")))
    assert set(proxy.users) == {USER}


@pytest.mark.parametrize("unknown", ["json", "page", "redirects"])
def test_a_session_that_ends_meanwhile_is_said_and_a_new_one_is_taken(
    proxy: LoginProxy, cookie_file: Path, unknown: Unknown
) -> None:
    proxy.unknown = unknown
    cookie_file.write_text(proxy.log_in())
    connection = connect(proxy, Auth(file=str(cookie_file), sends="cookie"))
    proxy.expire()
    with pytest.raises(
        UserError, match=r"does not know who asks \(the cookies in .* were sent"
    ) as caught:
        list_runs(connection)
    assert "the session has ended" in caught.value.fix
    assert str(cookie_file) in caught.value.fix
    assert COOKIE not in caught.value.what, "nobody is shown the session itself"
    cookie_file.write_text(proxy.log_in())
    list_runs(connection)


def test_a_session_that_the_proxy_renews_is_kept(proxy: LoginProxy, cookie_file: Path) -> None:
    proxy.renews = True
    cookie_file.write_text(f"theme=dark; {proxy.log_in()}")
    connection = connect(proxy, Auth(file=str(cookie_file), sends="cookie"))
    for _ in range(3):
        list_runs(connection)
    proxy.expire()
    cookie_file.write_text(proxy.log_in())
    list_runs(connection), "what the user writes replaces what was renewed"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "just-a-value",
        f"{COOKIE}=a b",
        f"Set-Cookie: {COOKIE}=x",
        f"{COOKIE}=x\r\nX-Injected: 1",
    ],
)
def test_a_file_without_cookies_is_said_and_the_right_form_works(
    proxy: LoginProxy, cookie_file: Path, text: str
) -> None:
    cookie_file.write_text(text)
    with pytest.raises(UserError, match="expected NAME=VALUE") as caught:
        connect(proxy, Auth(file=str(cookie_file), sends="cookie"))
    assert str(cookie_file) in caught.value.fix
    cookie_file.write_text(proxy.log_in())
    connect(proxy, Auth(file=str(cookie_file), sends="cookie"))


def test_no_file_is_said(proxy: LoginProxy, cookie_file: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file") as caught:
        connect(proxy, Auth(file=str(cookie_file), sends="cookie"))
    assert "--cookie-file" in caught.value.fix


# token commands ---------------------------------------------------------------------------------


def command(tmp_path: Path, code: str) -> tuple[str, ...]:
    """A program that notes each start and then runs this."""
    program = tmp_path / "program.py"
    program.write_text(f"import sys\nopen({str(tmp_path / 'starts')!r}, 'a').write('x')\n{code}")
    return sys.executable, str(program)


def starts(tmp_path: Path) -> int:
    return len((tmp_path / "starts").read_text())


DEX = """
import json, urllib.request
body = b"grant_type=password&username=user@example.com&password=12341234"
answer = json.load(urllib.request.urlopen({url!r} + "/dex/token", body))
"""


def test_a_command_that_logs_in_at_dex_is_run_once_and_again_when_its_token_is_refused(
    proxy: LoginProxy, tmp_path: Path
) -> None:
    code = DEX.format(url=proxy.url) + "print(answer['id_token'])"
    connection = connect(proxy, Auth(command=command(tmp_path, code)))
    for _ in range(3):
        list_runs(connection)
    assert starts(tmp_path) == 1
    proxy.expire()
    list_runs(connection)
    assert starts(tmp_path) == 2
    assert set(proxy.users) == {ACCOUNT}


def test_an_order_is_given_once_also_when_the_token_is_refused(
    proxy: LoginProxy, server: KfpServer, tmp_path: Path
) -> None:
    import kfp_server_api as api

    code = DEX.format(url=proxy.url) + "print(answer['id_token'])"
    connection = connect(proxy, Auth(command=command(tmp_path, code)))
    proxy.expire()
    create = connection.experiments.experiment_service_create_experiment
    connection.order(create, api.V2beta1Experiment(display_name="a", namespace="team"))
    assert server.requests["create_experiment"] == 1


def test_an_exec_credential_is_taken_until_it_ends(proxy: LoginProxy, tmp_path: Path) -> None:
    code = DEX.format(url=proxy.url) + (
        "from datetime import datetime, timedelta, timezone\n"
        "ends = datetime.now(timezone.utc) + timedelta(seconds=LASTS)\n"
        "print(json.dumps({'kind': 'ExecCredential', 'status': {'token': answer['id_token'],"
        " 'expirationTimestamp': ends.strftime('%Y-%m-%dT%H:%M:%SZ')}}))"
    )
    words = command(tmp_path, code.replace("LASTS", "3600"))
    connection = connect(proxy, Auth(command=words))
    list_runs(connection)
    assert starts(tmp_path) == 1
    command(tmp_path, code.replace("LASTS", "10"))  # ends before a request would
    connection = connect(proxy, Auth(command=words))
    list_runs(connection)
    assert starts(tmp_path) == 3


def test_a_token_that_stays_refused_is_said_with_what_it_says_of_itself(
    proxy: LoginProxy, tmp_path: Path
) -> None:
    token = proxy.token(lasts_s=-60, audience="pipelines.kubeflow.org")
    words = command(tmp_path, f"print({token!r})")
    error = refused(proxy, Auth(command=words))
    assert "Jwt is expired" in error.what
    assert f"of {ACCOUNT}, for pipelines.kubeflow.org, it ended 20" in error.what
    assert token not in error.what
    assert "run the command by hand" in error.fix
    # Known to have ended, the token is fetched before each request; and once more when refused.
    assert starts(tmp_path) == 2
    (tmp_path / "token").write_text(proxy.token())
    connect(proxy, Auth(command=("cat", str(tmp_path / "token"))))


@pytest.mark.parametrize(
    ("words", "said", "fix"),
    [
        (("no-such-program", "x"), "cannot be run: No such file", "--token-command"),
        (("sh", "-c", "echo expired login >&2; exit 3"), "exit code 3: expired login", "by hand"),
        (("true",), "printed nothing", "standard error"),
        (("printf", "a\\nb\\n"), "printed 2 lines", "standard error"),
        (("echo", '{"kind": "Status"}'), "no ExecCredential", "kubectl create token"),
        (("echo", '{"kind": "ExecCredential", "status": {}}'), "no ExecCredential", "kubectl"),
        (("echo", "two words"), "is no token", "write the token alone"),
    ],
)
def test_a_command_that_gives_no_token_is_said_and_one_that_does_works(
    proxy: LoginProxy, tmp_path: Path, words: tuple[str, ...], said: str, fix: str
) -> None:
    with pytest.raises(UserError, match=said) as caught:
        connect(proxy, Auth(command=words))
    assert fix in caught.value.fix
    (tmp_path / "token").write_text(proxy.token())
    connect(proxy, Auth(command=("cat", str(tmp_path / "token"))))


def test_a_command_that_waits_for_somebody_is_ended(
    proxy: LoginProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.engines.kubeflow.api import token_command

    monkeypatch.setattr(token_command, "_TIME_LIMIT_S", 0.2)
    with pytest.raises(UserError, match=r"did not end within 0.2 s") as caught:
        connect(proxy, Auth(command=("sleep", "60")))
    assert "asks nothing" in caught.value.fix


# pods -------------------------------------------------------------------------------------------


def test_a_pod_without_a_projected_token_is_told_to_project_one_and_then_known(
    proxy: LoginProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    monkeypatch.setattr(identity, "POD_TOKEN", token)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    error = refused(proxy)
    assert "project a token of the pod's service account" in error.fix
    assert "pipelines.kubeflow.org" in error.fix
    token.write_text(proxy.token(lasts_s=-1))
    error = refused(proxy)
    assert f"the token in {token} (of {ACCOUNT}" in error.what
    assert "projected volume" in error.fix
    token.write_text(proxy.token(audience="pipelines.kubeflow.org"))
    list_runs(connect(proxy))
    assert proxy.users[-1] == ACCOUNT


def test_in_a_pod_the_address_inside_the_cluster_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(UserError, match="nothing says where") as caught:
        Connection(None)
    assert "http://ml-pipeline.kubeflow:8888" in caught.value.fix


def test_an_account_without_rights_is_told_whose_they_are(
    server: KfpServer, proxy: LoginProxy, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(proxy.token())
    connection = connect(proxy, Auth(file=str(tmp_path / "token")))
    server.plan("list_runs", "403")
    with pytest.raises(UserError, match=rf"forbids it in the namespace team .*{ACCOUNT}") as caught:
        list_runs(connection)
    assert "kubeflow-edit" in caught.value.fix


# a run that is watched --------------------------------------------------------------------------


def test_a_session_that_ends_during_a_run_is_said_and_the_command_it_names_brings_the_run(
    cluster: Cluster, config_path: Path, tmp_path: Path, cookie_file: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    plain = yaml.safe_load(config_path.read_text())
    plain["kubeflow"]["auth"] = {"file": str(cookie_file), "sends": "cookie"}
    config_path.write_text(yaml.safe_dump(plain, sort_keys=False))
    store = ["--store", str(tmp_path / "store")]
    with LoginProxy(cluster.kfp.url, "redirects") as proxy:
        cookie_file.write_text(proxy.log_in())

        def step(operation: str) -> None:
            if operation == "get_run":
                (run,) = cluster.kfp.backend.runs
                cluster.advance(run)
                if len(cluster.places) == 3:
                    proxy.expire()

        cluster.kfp.after = step
        words = [str(config_path), *store, "--engine", "kubeflow", "--host", proxy.url]
        assert main(["run", *words]) == 2
        said = capsys.readouterr().err
        assert "the run goes on in the cluster" in said
        cluster.kfp.after = lambda _: None
        (run,) = cluster.kfp.backend.runs
        cluster.complete(run)
        cookie_file.write_text(proxy.log_in())
        (named,) = re.findall(r"when it has ended: slimline (sync .*)", said)
        assert f"--cookie-file {cookie_file}" in named
        assert main([*shlex.split(named), *store]) == 0
        assert "1 of 1 runs imported" in capsys.readouterr().out


# the command line -------------------------------------------------------------------------------


def slimline(proxy: LoginProxy, *words: str) -> int:
    place = ["--engine", "kubeflow", "--host", proxy.url, "--namespace", "team", "--json"]
    return main([*words, *place])


def test_options_say_who_asks(
    proxy: LoginProxy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert slimline(proxy, "schedule", "list") == 2
    assert "--token-command" in json.loads(capsys.readouterr().out)["error"]["fix"]
    files = {"token": tmp_path / "token", "cookie": tmp_path / "cookie"}
    files["token"].write_text(proxy.token())
    files["cookie"].write_text(proxy.log_in())
    for what, path in files.items():
        assert slimline(proxy, "schedule", "list", f"--{what}-file", str(path)) == 0
        command = shlex.join(["cat", str(path)])
        assert slimline(proxy, "schedule", "list", f"--{what}-command", command) == 0


@pytest.mark.parametrize(
    ("command", "said", "fix"),
    [
        (" ", "is no command", "--token-command 'kubectl create token"),
        ("echo 'x", "No closing quotation", "--token-command 'kubectl create token"),
        ("echo eyJh.eyJz.c2ln", "a token stands in the command", "write a command that fetches"),
    ],
)
def test_an_option_without_a_command_is_said(
    proxy: LoginProxy, capsys: pytest.CaptureFixture[str], command: str, said: str, fix: str
) -> None:
    assert slimline(proxy, "schedule", "list", "--token-command", command) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert said in error["what"]
    assert fix in error["fix"]
