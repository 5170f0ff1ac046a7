"""Images: what is in them, and that none of other sources than the code at hand is used."""

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.contract.images import environment_digest
from pipelines.cli.main import main
from pipelines.config.kubeflow import Kubeflow
from pipelines.engines.kubeflow.bucket import image_digests
from pipelines.images import building
from pipelines.images.building import (
    ENVIRONMENT_LABEL,
    IMAGES,
    SOURCE_LABEL,
    find,
    image_name,
)
from pipelines.images.daemon import connect
from tests.pipelines.engines.kubeflow.graphs import SETTINGS
from tests.servers.docker import all_built, docker_engine, lines, refused
from tests.servers.registry import image_registry
from tests.servers.web import Reply

ROOT = Path(__file__).parents[3]
TINY = ROOT / "tests" / "data" / "tiny.yaml"
LARGEST_BYTES = {"light": 300e6, "device": 400e6}


@pytest.fixture(scope="module")
def client():
    return connect()


def kubeflow_with(registry):
    return Kubeflow.model_validate(SETTINGS | {"images": registry})


def built(client, image):
    return find(client, image), client.images.get(image_name(image)).attrs["Config"]


def test_an_image_and_this_environment_have_one_digest():
    for image in IMAGES:
        assert building.image_environment(image) == environment_digest(image)


def test_whatever_an_image_is_built_from_changes_its_name(tmp_path, monkeypatch):
    for folder in ("components/__pycache__", "Dockerfiles"):
        (tmp_path / folder).mkdir(parents=True)
    module, dockerfile = tmp_path / "components/one.py", tmp_path / "Dockerfiles/Dockerfile"
    pins = tmp_path / "constraints.txt"
    monkeypatch.setattr(building, "_ROOT", tmp_path)
    monkeypatch.setattr(building, "_COMPONENTS", module.parent)

    def name():
        building.source_digest.cache_clear()
        return image_name("light")

    try:
        module.write_text("1")
        dockerfile.write_text("FROM scratch")
        pins.write_text("numpy==1\n")
        before = name()
        (tmp_path / "components/__pycache__/one.pyc").write_text("")
        (tmp_path / "components/README.md").write_text("what it is")
        assert name() == before
        module.write_text("2")
        after = name()
        assert after != before
        dockerfile.write_text("FROM scratch\nUSER 0")
        other = name()
        assert other not in (before, after)
        pins.write_text("numpy==1\nneeded-by-numpy==2\n")
        assert name() not in (before, after, other)
    finally:
        building.source_digest.cache_clear()


@pytest.mark.containers
@pytest.mark.parametrize("image", IMAGES)
def test_an_image_is_what_it_should_be(client, image):
    found, settings = built(client, image)
    assert found.size_bytes < LARGEST_BYTES.get(image, 3e9)
    assert settings["User"] == "65532:65532"
    assert settings["Healthcheck"]["Test"] == ["CMD", "python", "-m", "components.contract.doctor"]
    assert settings["Labels"]["org.opencontainers.image.version"] == "0.1.0"
    program = (
        "import importlib.util, json, os; from components.contract.images import environment_digest;"
        "names = ('kfp', 'docker', 'pipelines', 'sklearn', 'pip', 'tensorflow');"
        "print(json.dumps([[name for name in names if importlib.util.find_spec(name)],"
        f" environment_digest({image!r}), os.getuid()]))"
    )
    printed = client.containers.run(
        found.digest, ["-c", program], entrypoint="python", remove=True, network_mode="none",
        read_only=True,
    )  # fmt: skip
    there, environment, user = json.loads(printed)
    assert there == (["tensorflow"] if image == "train" else [])
    assert environment == found.environment == environment_digest(image)
    assert user == 65532


@pytest.mark.containers
@pytest.mark.parametrize("image", IMAGES)
def test_the_health_line_holds(client, image):
    found, settings = built(client, image)
    line = settings["Healthcheck"]["Test"][1:]
    printed = client.containers.run(
        found.digest, line[1:], entrypoint=line[0], remove=True, network_mode="none"
    )
    assert json.loads(printed.splitlines()[-1])["image"] == image


def relabelled(client, name, **labels):
    lines = [f"FROM {image_name('light')}"]
    lines += [f"LABEL {label.replace('_', '.')}={value}" for label, value in labels.items()]
    client.images.build(fileobj=BytesIO("\n".join(lines).encode()), tag=name, rm=True)


@pytest.mark.containers
@pytest.mark.parametrize("label", [SOURCE_LABEL, ENVIRONMENT_LABEL])
def test_an_image_whose_label_is_another_is_refused(client, label, monkeypatch):
    name = "slimline/light:relabelled"
    relabelled(client, name, **{label: "0" * 64})
    monkeypatch.setattr(building, "image_name", lambda image: name)
    try:
        with pytest.raises(UserError, match="built from other sources than the code at hand") as e:
            find(client, "light")
    finally:
        client.images.remove(name)
    assert label in e.value.what
    assert e.value.fix == "slimline images build"


@pytest.mark.containers
def test_a_run_of_changed_code_asks_for_its_images(tmp_path):
    """The code at hand is a copy with one line more, for which no image was built."""
    import shutil

    for folder in ("components", "pipelines", "Dockerfiles"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "constraints.txt", tmp_path)
    with (tmp_path / "components" / "publish.py").open("a") as file:
        file.write("# changed\n")
    done = subprocess.run(
        [
            sys.executable, "-m", "pipelines.cli", "run", str(TINY), "--engine", "docker",
            "--store", str(tmp_path / "store"), "--output", str(tmp_path / "out"),
        ],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "is not on this machine; there is slimline/" in done.stderr
    assert "built from other sources" in done.stderr
    assert "fix: slimline images build" in done.stderr


@pytest.mark.containers
def test_a_base_that_is_missing_is_said(client):
    with pytest.raises(UserError, match="light") as caught:
        list(
            building.build(
                client, "light", base="localhost:1/no:such", network=None, ca_bundle=None
            )
        )
    assert "--base" in caught.value.fix


# the commands, with a Docker Engine that only answers -------------------------------------------


TAG_LIGHT = f"POST /images/sha256:{building.source_digest('light')}/tag"


@pytest.fixture
def images_command(monkeypatch, capsys):
    """Runs ``slimline images``; returns code, standard output and what was complained of."""

    def run(answers, *arguments):
        with docker_engine(answers) as host:
            monkeypatch.setenv("DOCKER_HOST", host)
            code = main(["images", *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err.replace(host, "HOST")

    return run


@pytest.mark.parametrize(
    ("registry", "fix"),
    [
        ("https://reg.example/me", "slimline images push reg.example/me"),
        ("Reg.Example/Me", "slimline images push reg.example/me"),
        (" reg.example/me", "slimline images push reg.example/me"),
        ("reg.example/my images", "slimline images push europe-docker.pkg.dev/me/mine"),
        ("reg.example//me", "slimline images push europe-docker.pkg.dev/me/mine"),
    ],
)
def test_what_is_no_registry_is_refused_before_anything_is_asked(
    registry, fix, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    assert main(["images", "push", registry]) == 2
    said = capsys.readouterr().err
    assert f"error: {registry!r} is no registry: expected HOST[:PORT][/PATH] in small" in said
    assert said.endswith(f"\nfix: {fix}\n")


@pytest.mark.parametrize(
    "registry", ["localhost:5000/", "europe-docker.pkg.dev/me/my_own", "me", "[::1]:5000/me"]
)
def test_a_registry_is_taken_as_it_is(registry):
    assert building.check_registry(registry) == registry.rstrip("/")


@pytest.mark.containers
def test_what_a_registry_took_is_pulled_by_the_name_that_push_prints(client, tmp_path, capsys):
    with image_registry(tmp_path) as host:
        registry = f"{host}/team"
        with pytest.raises(UserError, match="was not pushed"):
            image_digests.references(kubeflow_with(registry), ("light",))
        printed = []
        for _ in range(2):  # a second push finds everything there
            assert main(["images", "push", registry, "light"]) == 0
            printed.append(capsys.readouterr().out.strip())
        assert printed[0] == printed[1]
        found = image_digests.references(kubeflow_with(registry), ("light",))
        assert found == {"light": printed[0]}
        local = find(client, "light")
        for name in client.images.get(local.digest).attrs["RepoTags"]:
            if name.startswith(host):
                client.images.remove(name)
        try:
            assert client.images.pull(printed[0]).id == local.digest
        finally:
            client.images.remove(printed[0])
    assert find(client, "light") == local


@pytest.mark.containers
def test_a_registry_that_takes_nothing_is_said(client, tmp_path, capsys):
    with image_registry(tmp_path, read_only=True) as host:
        assert main(["images", "push", f"{host}/team", "light"]) == 2
    client.images.remove(f"{host}/team/light:{image_name('light').rpartition(':')[2]}")
    said = capsys.readouterr().err
    assert f"error: {host}/team/light:" in said
    assert "was refused" in said
    assert f"fix: docker login {host}, then push again" in said


def test_what_was_pushed_is_named_by_its_digest(images_command):
    push = lines({"status": "Preparing"}, {"aux": {"Digest": "sha256:1"}})
    answers = {
        **all_built(),
        TAG_LIGHT: Reply(201),
        "POST /images/reg.example/me/light/push": push,
    }
    code, out, _ = images_command(answers, "push", "reg.example/me/", "light")
    assert (code, out) == (0, "reg.example/me/light@sha256:1\n")


def test_a_push_that_the_docker_engine_refuses_is_said(images_command):
    answers = {
        **all_built(),
        TAG_LIGHT: refused(500, "invalid reference format"),
    }
    code, out, said = images_command(answers, "push", "reg.example", "light")
    assert (code, out) == (2, "")
    assert f"error: {image_name('light')} cannot be pushed to reg.example: the Docker" in said
    assert "says: invalid reference format" in said
    assert "fix: docker info" in said


def test_a_docker_engine_that_is_lost_amid_a_push_is_said(images_command):
    answers = {
        **all_built(),
        TAG_LIGHT: Reply(201),
        "POST /images/reg.example/light/push": lines({"status": "Pushing"}, cut=True),
    }
    code, _, said = images_command(answers, "push", "reg.example", "light")
    assert code == 2
    assert "cannot be pushed to reg.example: the Docker Engine at HOST answers no" in said
    assert "fix: start it" in said


def test_a_docker_engine_that_is_lost_amid_a_build_is_said(images_command):
    answers = {"POST /build": lines({"stream": "Step 1"}, cut=True)}
    code, _, said = images_command(answers, "build", "light")
    assert code == 2
    assert f"error: {image_name('light')} cannot be built: the Docker Engine at HOST" in said
    assert "fix: start it" in said


def test_what_a_build_prints_is_shown_as_it_is(images_command):
    """Square brackets mean colours to the library that draws the line."""
    answers = {**all_built(), "POST /build": lines({"stream": "[notice] see [/usr/bin]"})}
    code, out, said = images_command(answers, "build", "light")
    assert code == 0, said
    assert out.startswith(image_name("light"))


@pytest.mark.parametrize(
    ("bundle", "what"),
    [
        ("missing.pem", "is no file"),
        (".", "is no file"),
        ("/proc/self/mem", "cannot be read: Input/output error"),  # a file that no read succeeds on
    ],
)
def test_certificates_that_cannot_be_read_are_said(bundle, what, images_command, tmp_path):
    path = tmp_path / bundle
    code, _, said = images_command({}, "build", "light", "--ca-bundle", path)
    assert code == 2
    assert f"error: --ca-bundle {path} {what}" in said
    assert "fix: give the path of a PEM file" in said


def test_the_list_tells_what_is_missing_from_a_docker_engine_that_fails(images_command):
    light = f"GET /images/{image_name('light')}/json"
    answers = {light: all_built()[light], "GET /images/json": Reply.of([])}
    code, out, said = images_command(answers, "list")
    assert code == 2
    assert f"{image_name('train')}  missing: the image {image_name('train')} is not on" in out
    assert f"{image_name('light')}  300 MB  sha256:" in out
    assert said == "error: 2 of 3 images are missing\nfix: slimline images build\n"

    broken = {f"GET /images/{image_name('train')}/json": refused(500, "layer does not exist")}
    code, out, said = images_command(broken, "list")
    assert (code, out) == (2, "")
    assert "error: the images cannot be listed: the Docker Engine says: layer does not" in said
    assert "\nfix: " in said
