"""Configurations, code and environments are kept under the digests that records name."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.contract.closure import code_digest
from components.contract.errors import UserError
from components.contract.images import component_environment
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.images.building import image_environment, step_environment
from pipelines.runs.kept.kept_documents import (
    documents_of,
    put_documents,
    read_code,
    read_config,
    read_environment,
)
from pipelines.runs.verifying import verify_store
from pipelines.stores.layout import code_key, config_key, environment_key
from pipelines.stores.store import Store
from tests.pipelines.stores.damage import overwrite

TINY = Path(__file__).parents[3] / "data" / "tiny.yaml"


@pytest.mark.parametrize("installed", [True, False])
def test_what_records_name_by_digest_is_read_back(either_store: Store, *, installed: bool) -> None:
    config = load(TINY)
    graph = graph_of(config)
    put_documents(either_store, documents_of(config, graph, installed=installed))
    put_documents(either_store, documents_of(config, graph, installed=installed))
    assert read_config(either_store, config.digest) == config.content
    for step in graph.steps:
        code = read_code(either_store, code_digest(step.component))
        assert code
        assert f"{step.component}.py" in code
        environment = (
            component_environment(step.component)
            if installed
            else step_environment(step.component, image_environment(step.image))
        )
        found = read_environment(either_store, environment)
        assert found
        assert found["packages"]
    assert verify_store(either_store)[1] == []


def test_a_component_that_needs_more_has_the_environment_of_its_image_and_that(
    either_store: Store,
) -> None:
    base = {"packages": {"numpy": "1"}, "python": "3.11", "architecture": "x86_64"}
    from components.contract.digests import digest
    from components.contract.images import extras_content

    more = extras_content(digest("environment", base), {"optuna": "4"})
    put_documents(either_store, [("environment", base), ("environment", more)])
    found = read_environment(either_store, digest("environment", more))
    assert found == {**base, "extras": {"optuna": "4"}}
    assert read_environment(either_store, "0" * 64) is None


def test_what_was_edited_is_named_and_written_again(either_store: Store) -> None:
    config = load(TINY)
    documents = documents_of(config, graph_of(config), installed=False)
    put_documents(either_store, documents)
    code, environment = code_digest("ingest"), image_environment("train")
    for key, read, digest in (
        (config_key(config.digest), read_config, config.digest),
        (code_key(code), read_code, code),
        (environment_key(environment), read_environment, environment),
    ):
        for data in (b"{}", b"<html>", b"[]"):
            overwrite(either_store, key, data)
            with pytest.raises(UserError, match="is damaged"):
                read(either_store, digest)
            found = {one.place: one.state for one in verify_store(either_store)[1]}
            assert found == {key: "damaged"}
            put_documents(either_store, documents)
            assert read(either_store, digest)
