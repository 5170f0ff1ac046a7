"""What containers may do and what is left of them: real ones, some of which mean harm.

``harmful`` is the light image with another entry point: it runs the program that its executor
input holds. It can do what any component could that a crafted file takes over.
"""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.contract.execution import USER_FAULT
from components.contract.images import component_environment
from pipelines.disk.folders import remove_tree, walk
from pipelines.engines.machine import docker as engine
from pipelines.engines.machine.containers import exit_code, nano_cpus
from pipelines.engines.machine.docker import DockerRunner
from pipelines.engines.machine.runner import CANCELLED, EXITED, OUT_OF_MEMORY, OUT_OF_TIME, Job
from pipelines.images.building import BuiltImage, image_name
from pipelines.images.daemon import connect
from pipelines.runs.graph import HOST, Graph, Step
from tests.servers.docker import all_built, docker_engine, refused
from tests.servers.web import Reply

ROOT = Path(__file__).parents[4]
TINY = ROOT / "tests" / "data" / "tiny.yaml"
SOCKET = "/var/run/docker.sock"
ENTRY = "import json, sys; exec(json.load(open(sys.argv[-1][1:]))['program'])"

containers = pytest.mark.containers


@pytest.fixture(scope="module")
def client():
    return connect()


@pytest.fixture(scope="module")
def harmful(client):
    lines = (
        f"FROM {image_name('light')}",
        f"ENTRYPOINT {json.dumps(['python', '-c', ENTRY])}",
    )
    image, _ = client.images.build(fileobj=BytesIO("\n".join(lines).encode()), rm=True)
    yield BuiltImage("light", "harmful", image.id, "0" * 64, 0)
    client.images.remove(image.id, force=True)


@pytest.fixture
def runner(harmful, tmp_path, monkeypatch):
    made = open_runner(harmful, tmp_path, monkeypatch)
    yield made
    made.close()


def open_runner(harmful, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "find", lambda client, image: harmful)
    work = tmp_path / "work" / "a-run"
    work.mkdir(parents=True)
    made = DockerRunner(work)
    # Without a lock whoever starts a run meanwhile would take it for dead, and sweep it.
    made.lock = work.with_name("a-run.lock").open("w")
    fcntl.flock(made.lock, fcntl.LOCK_EX)
    made.prepare(Graph("harm", (step(),), {}))
    return made


def step(memory_gb=0.5, time_limit_s=60.0):
    return Step("harm", "publish", {}, {"threads": 1}, memory_gb, time_limit_s)


def job(tmp_path, program, *, readable=(), log=None, **limits):
    folder = tmp_path / "work" / "a-run" / "steps" / "harm"
    folder.mkdir(parents=True)
    (folder / "input.json").write_text(json.dumps({"program": program}))
    return Job(
        step(**limits), folder, tuple(readable), folder / "input.json", log or tmp_path / "log"
    )


def run(runner, tmp_path, program, **how):
    """Run ``program`` as a step; ``folder`` in it is the step's own."""
    given = job(tmp_path, f"import os, sys, time\nfolder = os.getcwd()\n{program}", **how)
    return runner.run(given), given


@containers
def test_what_a_step_sees_and_may_do(runner, tmp_path):
    """All of it from inside, where it counts."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "one.txt").write_text("one")
    ended, given = run(
        runner,
        tmp_path,
        f"""
import json, resource, socket, tempfile
from pathlib import Path
data = Path({str(data)!r})

def refused(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
    return "done"

status = dict(l.split(":", 1) for l in Path("/proc/self/status").read_text().splitlines())
print(json.dumps({{
    "uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(),
    "capabilities": int(status["CapEff"], 16) | int(status["CapPrm"], 16) | int(status["CapBnd"], 16),
    "no_new_privileges": status["NoNewPrivs"].strip(), "seccomp": status["Seccomp"].strip(),
    "networks": sorted(os.listdir("/sys/class/net")),
    "reads": (data / "one.txt").read_text(),
    "input": refused(lambda: (data / "two.txt").write_text("two")),
    "changed": refused(lambda: (data / "one.txt").write_text("two")),
    "root": [refused(lambda p=p: Path(p, "x").write_text("x")) for p in ("/", "/etc", "/opt/slimline", "/tmp")],
    "connect": refused(lambda: socket.create_connection(("192.0.2.1", 80), 2)),
    "host": sorted(os.listdir(str(data.parent))),
    "processor_s": resource.getrlimit(resource.RLIMIT_CPU)[0],
    "temporary": tempfile.gettempdir(), "home": os.environ["HOME"],
    "memory": Path("/sys/fs/cgroup/memory/memory.limit_in_bytes").read_text() if Path("/sys/fs/cgroup/memory").exists() else Path("/sys/fs/cgroup/memory.max").read_text(),
}}))
Path("mine").write_text("mine")
""",
        readable=[data],
    )
    assert (ended.code, ended.reason) == (0, EXITED), given.log.read_text()
    seen = json.loads(given.log.read_text())
    assert seen["uid"] != 0
    assert seen["gid"] != 0
    assert set(seen["groups"]) <= {seen["gid"]}
    assert seen["capabilities"] == 0
    assert seen["no_new_privileges"] == "1"
    assert seen["seccomp"] == "2"
    assert seen["networks"] == ["lo"]
    assert seen["connect"] == "OSError"
    assert seen["reads"] == "one"
    assert seen["input"] == seen["changed"] == "OSError"  # read-only file system
    assert "done" not in seen["root"]
    assert seen["host"] == ["data", "work"], "nothing of the host but what is mounted"
    assert seen["temporary"] == seen["home"] == str(given.folder / "tmp")
    assert seen["processor_s"] == 60 * os.cpu_count() + 60
    assert 0.49e9 < int(seen["memory"]) <= 0.5e9
    assert (given.folder / "mine").stat().st_uid == os.getuid()


@containers
def test_the_container_as_the_docker_engine_sees_it(runner, tmp_path, client):
    found = []

    def look():
        while not found:
            found.extend(client.containers.list(filters={"label": f"slimline.work={runner._work}"}))

    looking = threading.Thread(target=look)
    looking.start()
    run(runner, tmp_path, "time.sleep(3)")
    looking.join()
    settings, limits = found[0].attrs["Config"], found[0].attrs["HostConfig"]
    assert settings["Healthcheck"]["Test"] == ["NONE"], "nothing runs beside the step"
    assert limits["ReadonlyRootfs"]
    assert limits["CapDrop"] == ["ALL"]
    assert not limits["CapAdd"]
    assert not limits["Privileged"]
    assert limits["NetworkMode"] == "none"
    assert limits["Memory"] == limits["MemorySwap"] == int(0.5e9)
    assert limits["NanoCpus"] == 1e9
    assert limits["LogConfig"]["Type"] == "none"
    assert not client.containers.list(all=True, filters={"label": f"slimline.work={runner._work}"})


@pytest.mark.parametrize(
    ("occupies", "threads", "share"),
    [(None, 1, 1e9), (None, 1000, os.cpu_count() * 1e9), (HOST, 1, None)],
)
def test_a_step_has_as_many_processors_as_threads_but_all_while_it_measures(
    occupies, threads, share
):
    given = Step("one", "benchmark", {}, {"threads": threads}, 0.5, 60.0, occupies)
    assert nano_cpus(given) == share


@containers
@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("sys.exit(0)", 0),
        ("sys.exit(7)", 7),
        ("os._exit(255)", 255),
        ("os.kill(os.getpid(), 11)", -signal.SIGSEGV),
    ],
)
def test_the_exit_code_is_the_step_s(runner, tmp_path, program, code):
    ended, _ = run(runner, tmp_path, program)
    assert (ended.code, ended.reason) == (code, EXITED)


def test_only_a_signal_s_number_becomes_a_signal():
    assert [exit_code(status) for status in (0, 1, 128, 137, 139, 160, 200, 255)] == [
        0, 1, 128, -9, -11, 160, 200, 255,
    ]  # fmt: skip


@containers
def test_a_step_killed_for_memory_is_recognized(runner, tmp_path):
    ended, _ = run(runner, tmp_path, "held = b'x' * 1_000_000_000", memory_gb=0.1)
    assert (ended.code, ended.reason) == (-signal.SIGKILL, OUT_OF_MEMORY)
    assert ended.peak_rss_bytes == 100_000_000


@containers
def test_a_step_that_kills_itself_did_not_run_out_of_memory(runner, tmp_path):
    ended, _ = run(runner, tmp_path, "os.kill(os.getpid(), 9)")
    assert (ended.code, ended.reason) == (-signal.SIGKILL, EXITED)


@containers
def test_a_step_that_survives_a_child_killed_for_memory_has_not_failed(runner, tmp_path):
    ended, given = run(
        runner,
        tmp_path,
        "import subprocess\n"
        "child = subprocess.run([sys.executable, '-c', \"held = b'x' * 1_000_000_000\"])\n"
        "print(child.returncode)",
        memory_gb=0.1,
    )
    assert (ended.code, ended.reason) == (0, EXITED)
    assert given.log.read_text() == "-9\n"


@containers
def test_a_step_over_its_time_ends_whatever_it_ignores(runner, tmp_path):
    began = time.monotonic()
    ended, given = run(
        runner,
        tmp_path,
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('here', flush=True)\ntime.sleep(100)",
        time_limit_s=3,
    )
    assert ended.reason == OUT_OF_TIME
    assert time.monotonic() - began < 30
    assert given.log.read_text() == "here\n"


@containers
def test_cancel_ends_what_runs_and_what_would_start(runner, tmp_path):
    threading.Timer(2.0, runner.cancel).start()
    began = time.monotonic()
    ended, _ = run(runner, tmp_path, "time.sleep(100)")
    assert ended.reason == CANCELLED
    assert time.monotonic() - began < 30
    ended, _ = run(runner, tmp_path / "next", "print('started')")
    assert ended.reason == CANCELLED
    assert not (tmp_path / "next" / "log").exists()


@containers
@pytest.mark.parametrize(
    "program",
    [
        "os.write(1, b'last words'); os._exit(3)",
        "os.write(1, b'x' * 30_000_000); os.write(1, b'last words')",
        # A child of its own session, which keeps the output open, ends with the container.
        "os.write(1, b'last words')\nif os.fork() == 0:\n    os.setsid(); time.sleep(100)",
        # The output ends long before the step does.
        "os.write(1, b'last words'); os.close(1); os.close(2); time.sleep(3); os._exit(3)",
    ],
)
def test_the_log_is_whole_however_a_step_ends(runner, tmp_path, program):
    began = time.monotonic()
    ended, given = run(runner, tmp_path, program)
    log = given.log.read_bytes()
    assert log.endswith(b"last words")
    assert len(log) == (30_000_010 if "30_000_000" in program else 10)
    assert ended.code == (3 if "_exit(3)" in program else 0)
    assert time.monotonic() - began < 50


@containers
def test_the_log_can_be_read_while_the_step_runs(runner, tmp_path):
    going = threading.Thread(
        target=run, args=(runner, tmp_path, "print('early', flush=True); time.sleep(100)")
    )
    going.start()
    deadline = time.monotonic() + 30
    while not (tmp_path / "log").exists() or (tmp_path / "log").read_text() != "early\n":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert going.is_alive()
    runner.cancel()
    going.join()


@containers
def test_a_log_that_fills_the_disk_ends_the_step(runner, tmp_path, small_disk, client):
    with pytest.raises(UserError, match="the disk is full"):
        run(
            runner,
            tmp_path,
            "while True:\n    os.write(1, b'x' * 65536)",
            log=small_disk / "log",
        )
    assert not client.containers.list(all=True, filters={"label": f"slimline.work={runner._work}"})


@containers
def test_links_that_a_container_leaves_are_never_followed(runner, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("secret")
    victim.chmod(0o600)
    if os.getuid() == 0:
        os.chown(victim, 1234, 1234)
    before = victim.stat()
    (tmp_path / "others").mkdir(mode=0o700)
    _, given = run(
        runner,
        tmp_path,
        f"""
os.symlink({str(victim)!r}, "link")
os.symlink({str(tmp_path / "others")!r}, "folder")
os.symlink({str(victim)!r}, "log")
os.symlink({str(victim)!r}, "statement.json")
os.makedirs("out/deep")
os.symlink({str(victim)!r}, "out/deep/link")
os.symlink("/", "out/release")
os.rmdir("tmp")
os.symlink("/etc", "tmp")
os.mkfifo("pipe")
open("special", "w").close()
os.chmod("special", 0o6777)
os.mkdir("closed")
open("closed/file", "w").close()
os.chmod("closed", 0)
print("harmless")
os.chmod(".", 0)
""",
    )
    after = victim.stat()
    assert (after.st_uid, after.st_gid, after.st_mode, after.st_mtime_ns) == (
        before.st_uid, before.st_gid, before.st_mode, before.st_mtime_ns,
    )  # fmt: skip
    assert (tmp_path / "others").stat().st_mode & 0o777 == 0o700
    assert given.log.read_text() == "harmless\n", "the log is out of its reach"
    assert (given.folder / "special").stat().st_mode & 0o7777 == 0o644
    for path in given.folder.rglob("*"):
        assert path.lstat().st_uid == os.getuid(), path
    shutil.rmtree(given.folder)
    assert victim.read_text() == "secret"


@containers
def test_a_container_that_digs_deep_leaves_what_can_be_taken_back_and_removed(
    runner, cleared, tmp_path
):
    ended, given = run(
        runner,
        tmp_path,
        "os.chdir('tmp')\nfor _ in range(3000):\n    os.mkdir('d', 0o700)\n    os.chdir('d')",
    )
    assert ended.code == 0, given.log.read_text()
    for visit in walk(given.folder):
        found = os.stat(visit.name, dir_fd=visit.folder, follow_symlinks=False)
        assert found.st_uid == os.getuid()
    remove_tree(given.folder)
    assert not given.folder.exists()


@containers
def test_what_was_staged_under_a_strict_umask_can_be_read(runner, tmp_path):
    before = os.umask(0o077)
    try:
        tree = tmp_path / "work" / "a-run" / "trees" / "tree"
        (tree / "inner").mkdir(parents=True)
        (tree / "inner" / "file").write_text("inside")
        ended, given = run(
            runner,
            tmp_path,
            f"print(open({str(tree / 'inner' / 'file')!r}).read())",
            readable=[tree],
        )
    finally:
        os.umask(before)
    assert ended.code == 0, given.log.read_text()
    assert given.log.read_text() == "inside\n"


@contextmanager
def container(client, image, **labels):
    made = client.containers.create(image.digest, labels=labels)
    try:
        yield made
    finally:
        client.api.remove_container(made.id, force=True)


def is_there(client, made):
    return bool(client.api.containers(all=True, filters={"id": made.id}))


@containers
def test_only_containers_of_own_dead_runs_are_removed(harmful, tmp_path, monkeypatch, client):
    from pipelines.disk.scratch import scratch_folder

    owner = engine._owner()
    with scratch_folder(tmp_path, "alive") as alive:
        dead = str(tmp_path / "dead")
        (tmp_path / "dead" / "steps").mkdir(parents=True)
        left = client.containers.create(
            harmful.digest, labels={"slimline.work": dead, "slimline.owner": owner}
        )
        with (
            container(
                client, harmful, **{"slimline.work": str(alive), "slimline.owner": owner}
            ) as own,
            container(
                client, harmful, **{"slimline.work": dead, "slimline.owner": "7@far"}
            ) as other,
            container(client, harmful) as foreign,
        ):
            runner = open_runner(harmful, tmp_path, monkeypatch)
            assert not is_there(client, left)
            assert not (tmp_path / "dead").exists()
            assert is_there(client, own)
            assert is_there(client, other)
            assert is_there(client, foreign)
            runner.close()
            assert is_there(client, own)


def test_a_container_of_which_nobody_knows_whether_its_run_lives_stays(tmp_path, monkeypatch):
    """The lock of the one cannot be opened, the other has none; the Docker Engine only answers."""
    unknown, dead = tmp_path / "unknown", tmp_path / "dead"
    for work in (unknown, dead, tmp_path / "unknown.lock"):
        work.mkdir()
    labels = {"slimline.owner": engine._owner()}
    found = [
        {"Id": work.name, "Labels": {**labels, "slimline.work": str(work)}}
        for work in (unknown, dead)
    ]
    answers = {
        **all_built(),
        "GET /info": Reply.of({}),
        "GET /containers/json": Reply.of(found),
        "DELETE /containers/unknown": refused(500, "it is alive"),
        "DELETE /containers/dead": Reply(204),
    }
    with docker_engine(answers) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        DockerRunner(tmp_path / "work").prepare(Graph("harm", (step(),), {}))
    assert unknown.exists()
    assert not dead.exists()


def test_what_reaches_a_device_is_a_process_of_this_machine(tmp_path, monkeypatch):
    """No image is built, and the Docker Engine makes no container: it is not asked to."""
    answers = {"GET /info": Reply.of({}), "GET /containers/json": Reply.of([])}
    parameters = {"device": "board", "threads": 4}
    measuring = replace(step(), component="benchmark_ssh", parameters=parameters, occupies="board")
    with docker_engine(answers) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        runner = DockerRunner(tmp_path / "work" / "a-run")
        runner.prepare(Graph("boards", (measuring,), {}))
        given = replace(job(tmp_path, ""), step=measuring)
        given.executor_input.write_text("{}")
        ended = runner.run(given)
        runner.close()
    assert runner.environment(measuring) == component_environment("benchmark_ssh", "device")
    assert runner.image_digest(measuring) is None
    assert ended.code == USER_FAULT, "it began, and complains of this executor input"
    assert "fix: " in given.log.read_text()


def test_an_image_that_is_deleted_while_a_run_continues_is_said(tmp_path, monkeypatch):
    answers = {
        **all_built(),
        "GET /info": Reply.of({}),
        "GET /containers/json": Reply.of([]),
        "POST /containers/create": refused(404, "No such image: sha256:1"),
    }
    with docker_engine(answers) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        runner = DockerRunner(tmp_path / "work" / "a-run")
        runner.prepare(Graph("harm", (step(),), {}))
        with pytest.raises(
            UserError, match=r"harm cannot run: .*No such image: sha256:1"
        ) as caught:
            run(runner, tmp_path, "pass")
        runner.close()
    assert caught.value.fix.startswith("slimline images build")


@containers
def test_an_image_that_the_docker_engine_no_longer_has_is_said(tmp_path, monkeypatch, client):
    lines = f"FROM {image_name('light')}\nLABEL vanishes=1"
    made, _ = client.images.build(fileobj=BytesIO(lines.encode()), rm=True)
    gone = BuiltImage("light", "vanishes", made.id, "0" * 64, 0)
    runner = open_runner(gone, tmp_path, monkeypatch)
    client.images.remove(made.id, force=True)
    with pytest.raises(UserError, match=r"harm cannot run: .*No such image") as caught:
        run(runner, tmp_path, "pass")
    runner.close()
    assert caught.value.fix.startswith("slimline images build")


@containers
def test_a_container_removed_by_somebody_else_is_said(runner, tmp_path, client):
    def remove():
        label = {"label": f"slimline.work={runner._work}"}
        while not (found := client.api.containers(filters=label)):
            time.sleep(0.05)
        client.api.remove_container(found[0]["Id"], force=True)

    removing = threading.Thread(target=remove)
    removing.start()
    with pytest.raises(
        UserError, match="harm cannot run: the Docker Engine says: No such container"
    ):
        run(runner, tmp_path, "time.sleep(100)")
    removing.join()


class Relay(threading.Thread):
    """A socket that leads to the Docker Engine until it is cut."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.pairs = path, []
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen()
        self.start()

    def run(self):
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(SOCKET)
            self.pairs += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self.copy, args=(source, target), daemon=True).start()

    @staticmethod
    def copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def cut(self):
        self.path.unlink()
        for end in (self.server, *self.pairs):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


@containers
def test_a_docker_engine_that_goes_away_is_said_and_leaves_what_the_next_start_removes(
    harmful, tmp_path, monkeypatch, client
):
    relay = Relay(tmp_path / "docker.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{relay.path}")
    runner = open_runner(harmful, tmp_path, monkeypatch)
    threading.Timer(2.0, relay.cut).start()
    with pytest.raises(UserError, match=r"harm cannot run: .*answers no more"):
        run(runner, tmp_path, "time.sleep(100)")
    with pytest.raises(UserError, match="containers of this run cannot be removed"):
        runner.close()
    label = {"label": f"slimline.work={runner._work}"}
    assert client.api.containers(all=True, filters=label)
    monkeypatch.delenv("DOCKER_HOST")
    runner.lock.close()
    open_runner(harmful, tmp_path / "next", monkeypatch).close()
    assert not client.api.containers(all=True, filters=label)


def command(tmp_path, *arguments):
    return [
        sys.executable, "-m", "pipelines.cli", "run", str(TINY), "--engine", "docker",
        "--store", str(tmp_path / "store"), "--output", str(tmp_path / "out"), *arguments,
    ]  # fmt: skip


def said(done):
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "error: " in done.stderr
    assert "fix: " in done.stderr
    return done.stderr


def test_no_docker_engine(tmp_path):
    done = subprocess.run(
        command(tmp_path), capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/nothing.sock"},
    )  # fmt: skip
    assert f"no Docker Engine answers at unix://{tmp_path}/nothing.sock" in said(done)
    assert not (tmp_path / "out").exists()


@containers
def test_a_docker_engine_that_sees_other_files(tmp_path):
    """As one on another machine would: the store lies on a disk that only this process has."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    script = f'mount -t tmpfs tmpfs {tmp_path} && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", *command(tmp_path)],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    told = said(done)
    assert "ingest cannot run: the Docker Engine says" in told
    assert "sees other files than this process does" in told
