"""OpenAPI 3.1 from the routes' signatures."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec
from starlette.routing import BaseRoute

from kernel.access.actors import Role
from kernel.access.table import ACCESS
from kernel.problems import Problem, Unauthenticated, Unavailable
from kernel.web.render import MEDIA_TYPE
from kernel.web.routes import Asset, Download, Operation, TypedRoute

_FILES: Final = (Download, Asset)
"""Answers that are not JSON."""
_WAIT: Final = {
    "Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 1}},
    "RateLimit-Policy": {"description": "The budget that is spent (IETF draft)", "schema": {"type": "string"}},
    "RateLimit": {"description": "What is left of it", "schema": {"type": "string"}},
}
"""Headers of a refusal for coming too often; those of the draft only where a minute's budget is spent."""
_HERE: Final = "#/components/schemas/"
_REF: Final = _HERE + "{name}"


class ProblemDocument(msgspec.Struct):
    """What went wrong and what to do about it (RFC 9457); further members depend on the type."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    reason: str | None = None
    field: str | None = None


def document(
    routes: Iterable[BaseRoute],
    *,
    title: str,
    version: str,
    frames: Sequence[Any] = (),
    names: Mapping[type, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """
    Describe all typed routes; ``frames`` are WebSocket messages that clients also want types for.

    A type is called in the document what its class is called; ``names`` says otherwise for classes of one name in
    several areas. Two of one name are a mistake of ours that stops every start: clients would get types under names
    that change with whatever is added elsewhere.
    """
    operations = [route.operation for route in routes if isinstance(route, TypedRoute)]
    types: list[Any] = [ProblemDocument, *frames]
    for operation in operations:
        types += [operation.body] if operation.body is not None and not operation.uploads else []
        types += [] if operation.returns in _FILES else [operation.returns]
        types += [parameter.type for parameter in operation.parameters]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    called = _called(components, names)
    schemas, components = (
        _renamed(schemas, called),
        {called[name]: _renamed(it, called) for name, it in components.items()},
    )
    schema_of = {id(type_): schema for type_, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "cookie": {"type": "apiKey", "in": "cookie", "name": "zhecai_session"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _called(components: Iterable[str], names: Mapping[type, str]) -> dict[str, str]:
    """Map msgspec's names, which are those of classes and where two are the same those of modules too, to ours."""
    given = {f"{one.__module__}.{one.__qualname__}": name for one, name in names.items()}
    called = {name: given.pop(name, name) for name in components}
    same = sorted(name for name in called.values() if "." in name)
    assert not same, f"several types of one name, to be renamed, or named in `names`: {', '.join(same)}"
    assert not given, f"named, and the only ones of their name, or in no route: {', '.join(sorted(given))}"
    twice = sorted(name for name, count in Counter(called.values()).items() if count > 1)
    assert not twice, f"one name for several types: {', '.join(twice)}"
    return called


def _renamed(schema: Any, called: Mapping[str, str]) -> Any:
    """Write a schema, or a part of one, with the names that types are called by."""
    match schema:
        case str() if schema.startswith(_HERE):
            return _HERE + called[schema.removeprefix(_HERE)]
        case dict():
            return {key: _renamed(value, called) for key, value in schema.items()}
        case list() | tuple():
            return [_renamed(one, called) for one in schema]
        case _:
            return schema


def _operation(operation: Operation, schema_of: dict[int, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.endpoint.__name__,
        "tags": [operation.tag],
        "summary": operation.summary,
        "responses": _responses(operation, schema_of),
    }
    described["x-pace"] = operation.pace.value
    if operation.endpoint.__doc__:
        described["description"] = operation.endpoint.__doc__.strip()
    parameters = [
        {
            "name": parameter.name,
            "in": "path" if parameter.in_path else "query",
            "required": parameter.in_path or parameter.required,
            "schema": schema_of[id(parameter.type)],
        }
        for parameter in operation.parameters
    ]
    if operation.keyed:
        schema = {"type": "string", "minLength": 1, "maxLength": 100}
        parameters.append({"name": "Idempotency-Key", "in": "header", "required": True, "schema": schema})
    if parameters:
        described["parameters"] = parameters
    if operation.uploads:
        described["requestBody"] = {"required": True, "content": {media_type: {} for media_type in operation.takes}}
    elif operation.body is not None:
        content = {"application/json": {"schema": schema_of[id(operation.body)]}}
        described["requestBody"] = {"required": True, "content": content}
    if Role.PUBLIC not in ACCESS[operation.action]:
        described["security"] = [{"cookie": []}, {"bearer": []}]
    return described


def _responses(operation: Operation, schema_of: dict[int, Any]) -> dict[str, Any]:
    if operation.returns in _FILES:
        content: dict[str, Any] = {"application/octet-stream": {}}
    else:
        content = {"application/json": {"schema": schema_of[id(operation.returns)]}}
    responses: dict[str, Any] = {str(operation.status): {"description": operation.summary, "content": content}}
    statuses: dict[int, list[str]] = {}
    expected: list[type[Problem]] = [*operation.problems, Unavailable]
    if Role.PUBLIC not in ACCESS[operation.action]:
        expected.append(Unauthenticated)
    statuses.setdefault(403, []).extend(["forbidden", "step-up-needed"])
    for problem in expected:
        statuses.setdefault(problem.status, []).append(problem.code)
    schema = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(name="ProblemDocument")}}}
    for status, codes in sorted(statuses.items()):
        responses[str(status)] = {"description": ", ".join(sorted(set(codes))), "content": schema}
    responses["429"]["headers"] = _WAIT
    return responses
