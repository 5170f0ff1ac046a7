"""Request bodies held against the models of kfp-server-api, as strictly as the API server is.

The server reads a body with jsonpb, which refuses unknown fields and values of another type:
backend/src/apiserver/main.go, ``runtime.JSONPb`` of grpc-gateway.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import kfp_server_api.models as models

_LIST = re.compile(r"list\[(.*)\]")
_MAP = re.compile(r"dict\(str, (.*)\)")
_PLAIN: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "bool": bool,
    "int": int,
    "float": (int, float),
    "object": object,
}


def fault(value: Any, kind: str, place: str = "") -> str | None:
    """Return what makes ``value`` no ``kind`` of kfp-server-api, or None."""
    if value is None:
        return None
    if kind == "datetime":
        return None if _is_time(value) else f"{place}: {value!r} is no RFC 3339 time"
    if kind in _PLAIN:
        # An int64 is a string in JSON; protobuf takes a number as well.
        integral = kind == "str" and isinstance(value, int) and not isinstance(value, bool)
        fits = integral or isinstance(value, _PLAIN[kind])
        return None if fits else f"{place}: {value!r} is no {kind}"
    if found := _LIST.fullmatch(kind):
        if not isinstance(value, list):
            return f"{place}: no list"
        return _first(fault(item, found[1], f"{place}[{i}]") for i, item in enumerate(value))
    if found := _MAP.fullmatch(kind):
        if not isinstance(value, dict):
            return f"{place}: no map"
        return _first(fault(item, found[1], f"{place}.{key}") for key, item in value.items())
    model = getattr(models, kind)
    if hasattr(model, "allowable_values"):
        return None if value in model.allowable_values else f"{place}: {value!r} is no {kind}"
    if not isinstance(value, dict):
        return f"{place}: no message"
    names = {json: name for name, json in model.attribute_map.items()}
    for key in value:
        if key not in names:
            return f'unknown field "{key}" in {kind}'
    return _first(
        fault(item, model.openapi_types[names[key]], f"{place}.{key}")
        for key, item in value.items()
    )


def _first(faults: Any) -> str | None:
    return next((found for found in faults if found), None)


def _is_time(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False
