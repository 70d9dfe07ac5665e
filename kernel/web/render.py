"""Problems as documents (RFC 9457), in the language that was asked for."""

from typing import Any, Final

import msgspec
from starlette.requests import HTTPConnection
from starlette.responses import Response

from kernel.problems import Problem

MEDIA_TYPE: Final = "application/problem+json"


def english(connection: HTTPConnection) -> bool:
    """Tell whether the caller prefers English to Chinese, which is the default (RFC 9110 section 12.5.4)."""
    weights = {"zh": 0.0, "en": 0.0}
    for part in connection.headers.get("accept-language", "").split(","):
        range_, _, parameter = part.partition(";")
        language = range_.strip().lower().partition("-")[0]
        if language in weights:
            weights[language] = max(weights[language], _weight(parameter))
    return weights["en"] > weights["zh"]


def _weight(parameter: str) -> float:
    """Read ``q=0.8``; whatever is not a weight counts as the greatest."""
    name, _, value = parameter.strip().partition("=")
    try:
        return min(max(float(value), 0.0), 1.0) if name == "q" else 1.0
    except ValueError:
        return 1.0


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
