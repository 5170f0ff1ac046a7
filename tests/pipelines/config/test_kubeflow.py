"""The section kubeflow: every wrong value is told with its place and the way out."""

import pytest

from components.contract.errors import UserError
from pipelines.config.loading import load
from tests.pipelines.engines.kubeflow.graphs import (
    EVERYTHING,
    ON_GPU,
    REFERENCES,
    SETTINGS,
    TINY,
    config_of,
)


def test_what_was_written_is_what_is_loaded(tmp_path):
    settings = config_of(tmp_path, kubeflow=EVERYTHING, limits=ON_GPU).kubeflow
    assert settings.model_dump(mode="json", exclude_defaults=True) == EVERYTHING
    assert settings.resources["train"].tolerations[0].operator == "Exists"


def test_it_is_no_part_of_what_a_run_is_known_by(tmp_path):
    without = config_of(tmp_path, kubeflow=None, limits=ON_GPU)
    assert config_of(tmp_path, kubeflow=EVERYTHING, limits=ON_GPU).digest == without.digest
    assert load(TINY).kubeflow is None


@pytest.mark.parametrize(
    ("changes", "what", "fix"),
    [
        ({"pipeline_root": "./runs"}, "kubeflow.pipeline_root: './runs' is no place", "gs://"),
        ({"pipeline_root": "oci://b/p"}, "expected gs://bucket/prefix, s3://", "gs://"),
        ({"pipeline_root": "gs://"}, "no place that pods can write to", "gs://"),
        ({"pipeline_root": "gs://b/p?region=x"}, "no place that pods can write to", "gs://"),
        ({"images": "my images"}, "kubeflow.images: 'my images' is no registry", "push REGISTRY"),
        ({"images": "R.io/me"}, "kubeflow.images: 'R.io/me' is no registry", "push REGISTRY"),
        ({"images": REFERENCES | {"train": "r.io/train:1"}}, "images.train: .* has no digest", "push"),
        ({"images": {"train": REFERENCES["train"]}}, "there is no image 'device'", "push"),
        ({"retries": -1}, "kubeflow.retries", "correct kubeflow.retries"),
        ({"resources": {"trian": {}}}, "there is no component 'trian'", "did you mean 'train'"),
        ({"resources": {"train": {"gpu": 1}}}, "there is no key 'gpu'", "valid here: accelerator"),
        ({"resources": {"train": {"tolerations": [{"operator": "Equal"}]}}}, "needs value", "goes"),
        ({"resources": {"train": {"tolerations": [{"value": "a"}]}}}, "takes no value", "goes"),
        ({"secrets": [{"name": "tokens"}]}, "nothing says how pods see", "add variables"),
        ({"secrets": [{"name": "Tokens", "path": "/t"}]}, "no name of a Kubernetes", "kubectl"),
        ({"secrets": [{"name": "t", "path": "t"}]}, "'t' is no absolute path", "write /t"),
        ({"secrets": [{"name": "t", "variables": {"a": "1A"}}]}, "no name of an env", "digit"),
        ({"environment": {"a-b": "c"}}, "'a-b' is no name of an environment variable", "digit"),
        ({"secrets": [{"name": "a.b", "path": "/t"}]}, "'a.b' cannot be mounted", "kubectl get"),
        ({"secrets": [{"name": "gcs-scratch", "path": "/t"}]}, "cannot be mounted", "kubectl get"),
        ({"secrets": [{"name": "t", "path": "/gcs"}]}, "'/gcs' would hide what pods need", "/etc/"),
        ({"secrets": [{"name": "t", "path": "/s3/x/"}]}, "would hide what pods need", "/etc/"),
        ({"secrets": [{"name": "t", "path": "/"}]}, "would hide what pods need", "/etc/"),
        ({"secrets": [{"name": "t", "path": p} for p in ("/a", "/b")]}, "'t' is mounted twice", "once"),
        ({"devices": {"host": "lab"}}, "secret", "add"),
        ({"devices": {"host": "-oProxy=x", "secret": "k"}}, "'-oProxy=x'", ""),
        ({"devices": {"host": "lab", "secret": "a.b"}}, "'a.b' cannot be mounted", "kubectl create"),
        ({"devices": {"host": "lab", "secret": "ca-secret"}}, "volume of Kubeflow's own", "another"),
        (
            {
                "devices": {"host": "lab", "secret": "k"},
                "secrets": [{"name": "k", "path": "/k"}],
            },
            "'k' is mounted twice",
            "once",
        ),
        ({"secrets": [{"name": n, "path": "/a"} for n in "ab"]}, "'/a' is mounted twice", "once"),
        ({"secrets": [{"name": n, "variables": {"k": "V"}} for n in "ab"]}, "'V' is given twice", "once"),
        ({"workflow_bytes": 1000}, "equal to 1048576", "workflow_bytes"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_said_with_its_place(changes, what, fix, tmp_path):
    with pytest.raises(UserError, match=what) as caught:
        config_of(tmp_path, kubeflow=SETTINGS | changes)
    assert str(tmp_path / "config.yaml:") in caught.value.what
    assert fix in caught.value.fix


def test_a_secret_with_a_dot_may_be_seen_as_variables_and_files_below_system_folders(tmp_path):
    secrets = [
        {"name": "a.b", "variables": {"k": "V"}},
        {"name": "files", "path": "/etc/files", "variables": {"k": "W"}},
    ]
    settings = config_of(tmp_path, kubeflow=SETTINGS | {"secrets": secrets}).kubeflow
    assert [one.name for one in settings.secrets] == ["a.b", "files"]
