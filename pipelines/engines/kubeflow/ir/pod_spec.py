"""What only Kubernetes understands of a step: the second document of a compiled pipeline."""

from __future__ import annotations

from collections.abc import Mapping

from components.devices.remote.jump import HOST_VARIABLE, KEYS_VARIABLE
from pipelines.config.kubeflow import Kubeflow, Resources, Secret, Toleration
from pipelines.config.kubeflow_devices import KEYS, DevicesHost
from pipelines.engines.kubeflow.ir.component_spec import Json
from pipelines.runs.graph import Step

_AROUND_S = 600
"""What a pod may need besides its step: to pull the image, to fetch inputs, to upload outputs."""


def pod(step: Step, settings: Kubeflow) -> Json:
    """Return the Kubernetes configuration of the pods of a step."""
    resources = settings.resources.get(step.component, Resources())
    config: Json = {"activeDeadlineSeconds": str(round(life_s(step, settings)))}
    if resources.node_selector:
        config["nodeSelector"] = {"labels": dict(resources.node_selector)}
    if resources.tolerations:
        config["tolerations"] = [_toleration(item) for item in resources.tolerations]
    config |= surroundings(settings)
    if step.elsewhere and settings.devices:
        own = _mounted(settings.devices.secret, _keys(settings.devices))
        config["secretAsVolume"] = [*config.get("secretAsVolume", ()), own]
    return config


def way_to_devices(step: Step, settings: Kubeflow) -> Mapping[str, str]:
    """Return the variables that say how a step reaches the device that it measures on."""
    if not (step.elsewhere and settings.devices):
        return {}
    return {HOST_VARIABLE: settings.devices.host, KEYS_VARIABLE: _keys(settings.devices)}


def _keys(devices: DevicesHost) -> str:
    return f"{KEYS}/{devices.secret}"


def surroundings(settings: Kubeflow) -> Json:
    """Return what every pod has, whatever runs in it: secrets."""
    config: Json = {}
    if settings.image_pull_secrets:
        config["imagePullSecret"] = [_named(name) for name in settings.image_pull_secrets]
    variables = [secret for secret in settings.secrets if secret.variables]
    if variables:
        config["secretAsEnv"] = [_variables(secret) for secret in variables]
    mounted = [(secret.name, secret.path) for secret in settings.secrets if secret.path]
    if mounted:
        config["secretAsVolume"] = [_mounted(*one) for one in mounted]
    return config


def life_s(step: Step, settings: Kubeflow) -> float:
    """Return how long a pod of a step may live."""
    minutes = settings.resources.get(step.component, Resources()).minutes
    return 60 * minutes if minutes else step.time_limit_s + _AROUND_S


def _toleration(toleration: Toleration) -> Json:
    return {
        key: value
        for key, value in {
            "key": toleration.key,
            "operator": toleration.operator,
            "value": toleration.value,
            "effect": toleration.effect,
        }.items()
        if value is not None
    }


def _mounted(secret: str, path: str) -> Json:
    return {**_named(secret), "mountPath": path, "optional": False}


def _variables(secret: Secret) -> Json:
    pairs = [
        {"secretKey": key, "envVar": variable} for key, variable in sorted(secret.variables.items())
    ]
    return {**_named(secret.name), "keyToEnv": pairs, "optional": False}


def _named(name: str) -> Json:
    """Name a secret in the old and in the new way: servers of both kinds are about."""
    return {
        "secretName": name,
        "secretNameParameter": {"runtimeValue": {"constant": name}},
    }
