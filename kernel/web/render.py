"""Problems as documents (RFC 9457), in the language that was asked for."""

from typing import Any, Final

import msgspec
from starlette.requests import HTTPConnection
from starlette.responses import Response

from kernel.problems import Problem

MEDIA_TYPE: Final = "application/problem+json"


def english(connection: HTTPConnection) -> bool:
    """Tell whether the caller prefers English; Chinese is the default."""
    return connection.headers.get("accept-language", "").strip().lower().startswith("en")


def problem_document(problem: Problem, *, instance: str, in_english: bool) -> dict[str, Any]:
    """Write a problem as the members of its document."""
    language = 1 if in_english else 0
    return {
        "type": f"/problems/{problem.code}",
        "title": problem.title[language],
        "status": problem.status,
        "detail": problem.detail[language],
        "instance": instance,
        **problem.members,
    }


def problem_response(problem: Problem, connection: HTTPConnection) -> Response:
    """Answer with a problem; ``instance`` is the request's id, to be named to the help line."""
    instance = connection.scope.get("state", {}).get("request_id", "")
    document = problem_document(problem, instance=f"urn:uuid:{instance}", in_english=english(connection))
    return Response(msgspec.json.encode(document), problem.status, dict(problem.headers), MEDIA_TYPE)
