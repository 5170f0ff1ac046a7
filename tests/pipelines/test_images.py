"""Images: what is in them, and that none of other sources than the code at hand is used."""

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest

from components.environment import environment_digest
from components.errors import UserError
from pipelines import images
from pipelines.daemon import connect
from pipelines.images import ENVIRONMENT_LABEL, IMAGES, SOURCE_LABEL, find, image_name

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "tiny.yaml"
LARGEST_BYTES = {"light": 300e6, "device": 400e6}


@pytest.fixture(scope="module")
def client():
    return connect()


def built(client, image):
    return find(client, image), client.images.get(image_name(image)).attrs["Config"]


def test_an_image_and_this_environment_have_one_digest():
    for image in IMAGES:
        assert images.image_environment(image) == environment_digest(image)


def test_whatever_an_image_is_built_from_changes_its_name(tmp_path, monkeypatch):
    for folder in ("components/__pycache__", "Dockerfiles"):
        (tmp_path / folder).mkdir(parents=True)
    module, dockerfile = tmp_path / "components/one.py", tmp_path / "Dockerfiles/light.Dockerfile"
    pins = tmp_path / "constraints.txt"
    monkeypatch.setattr(images, "_ROOT", tmp_path)
    monkeypatch.setattr(images, "_COMPONENTS", module.parent)

    def name():
        images.source_digest.cache_clear()
        return image_name("light")

    try:
        module.write_text("1")
        dockerfile.write_text("FROM scratch")
        pins.write_text("numpy==1\n")
        before = name()
        (tmp_path / "components/__pycache__/one.pyc").write_text("")
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
        images.source_digest.cache_clear()


@pytest.mark.containers
@pytest.mark.parametrize("image", IMAGES)
def test_an_image_is_what_it_should_be(client, image):
    found, settings = built(client, image)
    assert found.size_bytes < LARGEST_BYTES.get(image, 3e9)
    assert settings["User"] == "65532:65532"
    assert settings["Healthcheck"]["Test"] == ["CMD", "python", "-m", "components", "doctor"]
    assert settings["Labels"]["org.opencontainers.image.version"] == "0.1.0"
    program = (
        "import importlib.util, json, os; from components.environment import environment_digest;"
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
    monkeypatch.setattr(images, "image_name", lambda image: name)
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
            images.build(client, "light", base="localhost:1/no:such", network=None, ca_bundle=None)
        )
    assert "--base" in caught.value.fix
