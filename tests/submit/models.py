"""Requests to AWS held against the SDK's own description of its services."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.session
from botocore.validate import ParamValidator


@cache
def _service(name: str) -> Any:
    return botocore.session.get_session().get_service_model(name)


def validate(service: str, operation: str, request: dict[str, Any]) -> None:
    """Every key is known, every required one is there, every value has its type: what the SDK would check, and more."""
    shape = _service(service).operation_model(operation).input_shape
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()
    unknown = sorted(_unknown(request, shape))
    assert not unknown, f"{operation} has no {unknown}"


def _unknown(value: Any, shape: Any, path: str = "") -> set[str]:
    if shape.type_name == "structure" and isinstance(value, dict):
        here = {f"{path}{key}" for key in value if key not in shape.members}
        inner = [_unknown(v, shape.members[k], f"{path}{k}.") for k, v in value.items() if k in shape.members]
        return here.union(*inner)
    if shape.type_name == "list":
        return set().union(*(_unknown(item, shape.member, f"{path}[].") for item in value))
    if shape.type_name == "map":
        return set().union(*(_unknown(item, shape.value, f"{path}{key}.") for key, item in value.items()))
    enum = getattr(shape, "enum", None)
    return {f"{path}={value}"} if enum and value not in enum else set()
