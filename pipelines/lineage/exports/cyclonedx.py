"""A release as a CycloneDX 1.6 bill of materials of a machine-learning model.

References:
    https://cyclonedx.org/docs/1.6/json/ and ECMA-424: components, dependencies, model cards.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib import import_module
from types import SimpleNamespace
from typing import Any, TypeAlias

from components.artifacts.released_files import files_in, name_in
from components.contract.errors import UserError
from pipelines import __version__
from pipelines.lineage.exports.extra import check_installed
from pipelines.lineage.exports.run_facts import RunFacts

# The decorators of the package hide its types from a type checker.
_Bom: TypeAlias = Any
_Component: TypeAlias = Any

_CLASSES: Mapping[str, Sequence[str]] = {
    "cyclonedx.model": ("HashAlgorithm", "HashType", "Property"),
    "cyclonedx.model.bom": ("Bom", "BomMetaData"),
    "cyclonedx.model.component": ("Component", "ComponentType"),
    "cyclonedx.model.contact": ("OrganizationalContact", "OrganizationalEntity"),
    "cyclonedx.model.license": ("DisjunctiveLicense",),
    "packageurl": ("PackageURL",),
}

_UNITS = {"train", "import_model", "import_answers"}
"""Components that make the teacher."""


def cyclonedx_of(facts: RunFacts) -> bytes:
    """Return the bill of materials of a release; equal releases give equal bytes.

    Args:
        facts: Of its run.

    Raises:
        UserError: The package is not installed, or what it wrote is refused by its own validator.
    """
    check_installed("cyclonedx")
    from cyclonedx.output.json import JsonV1Dot6

    written = json.loads(JsonV1Dot6(_bom(_package(), facts)).output_as_string())
    # The package knows no model cards, which the specification has: this one is added to what it
    # wrote, and its validator sees the whole.
    written["metadata"]["component"]["modelCard"] = model_card(facts)
    text = json.dumps(written, indent=2, sort_keys=True) + "\n"
    _validate(text)
    return text.encode()


def _package() -> Any:
    """Return the classes that a bill is made of."""
    found = {
        name: getattr(import_module(module), name)
        for module, names in _CLASSES.items()
        for name in names
    }
    return SimpleNamespace(**found)


def _validate(text: str) -> None:
    """Hold a document against the published schema, as the package carries it.

    Raises:
        UserError: The packages for that are not installed, or it does not fit, which is a bug.
    """
    from cyclonedx.exception import MissingOptionalDependencyException
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    try:
        fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    except MissingOptionalDependencyException as error:
        raise UserError(
            f"export --format cyclonedx: {error}",
            "pip install 'cyclonedx-python-lib[json-validation]'",
        ) from error
    assert fault is None, f"the bill of materials does not fit its schema: {str(fault)[:500]}"


def _bom(cdx: Any, facts: RunFacts) -> _Bom:

    record = facts.record
    tool = cdx.Component(
        name="slimline", type=cdx.ComponentType.APPLICATION, version=__version__, bom_ref="slimline"
    )
    model, teacher = _model(cdx, facts), _teacher(cdx, facts)
    data, packages = list(_data(cdx, facts)), list(_packages(cdx, facts))
    metadata = cdx.BomMetaData(
        component=model,
        supplier=_owner(cdx, facts),
        timestamp=datetime.fromisoformat(record.finished or record.started),
    )
    metadata.tools.components.add(tool)
    bom = cdx.Bom(
        components=[*data, *teacher, *packages],
        metadata=metadata,
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"urn:slimline:release:{facts.release}"),
    )
    bom.register_dependency(model, [*data, *teacher, *packages])
    for one in teacher:
        bom.register_dependency(one, data)
    return bom


def _model(cdx: Any, facts: RunFacts) -> _Component:

    manifest, record = facts.manifest, facts.record
    told = {
        "run": record.run,
        "release": facts.release,
        "variant": manifest.get("variant"),
        "engine": record.engine,
        "qualified": manifest.get("qualified"),
        **{f"sha256:{name_in(one)}": one["sha256"] for one in files_in(manifest)[1:]},
        "config_digest": record.config_digest,
        "graph_digest": record.graph_digest,
        **{f"about:{key}": value for key, value in sorted(facts.about.items())},
    }
    return cdx.Component(
        name=record.name,
        version=record.run,
        type=cdx.ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"release:{facts.release}",
        supplier=_owner(cdx, facts),
        description=str(facts.about["purpose"]) if "purpose" in facts.about else None,
        hashes=[cdx.HashType(alg=cdx.HashAlgorithm.SHA_256, content=str(manifest["sha256"]))],
        properties=list(_properties(cdx, told)),
    )


def _teacher(cdx: Any, facts: RunFacts) -> list[_Component]:
    """Return the model that everything was compared with; none where answers took its place."""
    for name, execution in facts.executions.items():
        tree = execution.outputs.get("model")
        if tree and execution.component in _UNITS and name != "train-linear-baseline":
            told = {"component": execution.component, "step_key": execution.key}
            return [
                cdx.Component(
                    name=f"{facts.record.name}-teacher",
                    version=tree[:12],
                    type=cdx.ComponentType.MACHINE_LEARNING_MODEL,
                    bom_ref=f"artifact:{tree}",
                    properties=list(_properties(cdx, told)),
                )
            ]
    return []


def _data(cdx: Any, facts: RunFacts) -> Iterator[_Component]:
    """Yield the user's sources. Their digests are over lists of files, and so no hashes here."""
    licence = facts.about.get("data_licence")
    for name, digest in facts.record.sources.items():
        own = [cdx.DisjunctiveLicense(name=str(licence))] if licence and name == "data" else []
        yield cdx.Component(
            name=f"{facts.record.name}-{name}",
            version=digest[:12],
            type=cdx.ComponentType.DATA,
            bom_ref=f"source:{digest}",
            licenses=own,
            properties=list(_properties(cdx, {"source_digest": digest})),
        )


def _packages(cdx: Any, facts: RunFacts) -> Iterator[_Component]:
    for name, version in sorted(facts.packages.items()):
        interpreter = name == "python"
        yield cdx.Component(
            name=name,
            version=version,
            type=cdx.ComponentType.PLATFORM if interpreter else cdx.ComponentType.LIBRARY,
            bom_ref=f"package:{name}@{version}",
            purl=None if interpreter else cdx.PackageURL("pypi", None, name, version),
        )


def _owner(cdx: Any, facts: RunFacts) -> Any:

    owner, contact = facts.about.get("owner"), facts.about.get("contact")
    if not owner and not contact:
        return None
    contacts = []
    if contact:
        mail = str(contact) if "@" in str(contact) else None
        contacts = [cdx.OrganizationalContact(name=None if mail else str(contact), email=mail)]
    return cdx.OrganizationalEntity(name=str(owner) if owner else None, contacts=contacts)


def _properties(cdx: Any, told: Mapping[str, object]) -> Iterator[Any]:

    for name, value in told.items():
        if value is not None:
            text = value if isinstance(value, str) else json.dumps(value)
            yield cdx.Property(name=f"slimline:{name}", value=text)


def model_card(facts: RunFacts) -> dict[str, Any]:
    """Return the model card as the specification has it, out of the release's manifest."""
    manifest, about = facts.manifest, facts.about
    sealed = manifest.get("sealed", {})
    card: dict[str, Any] = {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": str(manifest.get("task", "")),
            "datasets": [{"ref": f"source:{digest}"} for digest in facts.record.sources.values()],
            "inputs": [{"format": _tensor(manifest.get("input", {}))}],
            "outputs": [{"format": _tensor(manifest.get("output", {}))}],
        },
        "quantitativeAnalysis": {
            "performanceMetrics": list(_metrics(sealed.get("metrics", {}), "sealed"))
        },
    }
    considered: dict[str, Any] = {}
    if "purpose" in about:
        considered["useCases"] = [str(about["purpose"])]
    limits = [str(reason) for reason in manifest.get("reasons", ())]
    if not manifest.get("qualified") and limits:
        considered["technicalLimitations"] = limits
    if considered:
        card["considerations"] = considered
    return card


def _tensor(tensor: Mapping[str, Any]) -> str:
    shape = " x ".join(str(side) for side in tensor.get("shape", ()))
    return f"{shape} {tensor.get('dtype', '')}".strip() or "unknown"


def _metrics(metrics: Mapping[str, Any], part: str) -> Iterator[dict[str, Any]]:
    for name, interval in metrics.items():
        yield {
            "type": name,
            "value": repr(interval["value"]),
            "slice": part,
            "confidenceInterval": {
                "lowerBound": repr(interval["low"]),
                "upperBound": repr(interval["high"]),
            },
        }
