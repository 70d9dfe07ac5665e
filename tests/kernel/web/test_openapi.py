"""What the API's description calls types, and that two of one name never get into it."""

from enum import StrEnum
from typing import Any

import msgspec
import pytest

from kernel.access.table import Action
from kernel.web.context import Context
from kernel.web.openapi import document
from kernel.web.routes import op
from portal.app import api_document

HOW: dict[str, Any] = {"action": Action.SYSTEM_READ, "tag": "test", "summary": "test"}


class Stage(StrEnum):
    """Another one than that of :class:`Elsewhere`."""

    OPEN = "open"


class Elsewhere:
    class Stage(StrEnum):
        SHUT = "shut"


class Alone(msgspec.Struct):
    name: str


class Told(msgspec.Struct):
    stage: Stage
    others: dict[str, list[Elsewhere.Stage | None]]
    alone: Alone


@op("GET", "/api/told", **HOW)
async def told(_ctx: Context, stage: Stage = Stage.OPEN) -> Told:
    return Told(stage, {}, Alone(""))


def described(**more: Any) -> dict[str, Any]:
    return document([told], title="t", version="1", **more)


NAMES = {Stage: "OpenStage", Elsewhere.Stage: "ShutStage"}


def test_types_of_one_name_are_refused_and_all_of_them_named() -> None:
    with pytest.raises(AssertionError, match=r"Elsewhere\.Stage.*Stage"):
        described()
    with pytest.raises(AssertionError, match=r"one name, to be renamed.*test_openapi\.Stage$"):
        described(names={Elsewhere.Stage: "ShutStage"})


def test_types_of_one_name_go_by_the_names_that_they_are_given() -> None:
    found = described(names=NAMES)
    schemas = found["components"]["schemas"]
    (parameter,) = found["paths"]["/api/told"]["get"]["parameters"]

    assert sorted(schemas) == ["Alone", "OpenStage", "ProblemDocument", "ShutStage", "Told"]
    assert (schemas["OpenStage"]["enum"], schemas["ShutStage"]["enum"]) == (["open"], ["shut"])
    assert "OpenStage" in repr(parameter["schema"])
    fields = repr(schemas["Told"]["properties"])
    assert {name for name in schemas if f"#/components/schemas/{name}'" in fields} == {
        "OpenStage",
        "ShutStage",
        "Alone",
    }


@pytest.mark.parametrize("names", [{**NAMES, Stage: "ShutStage"}, {**NAMES, Stage: "Alone"}])
def test_a_name_is_given_once(names: dict[type, str]) -> None:
    with pytest.raises(AssertionError, match="one name for several types"):
        described(names=names)


@pytest.mark.parametrize("more", [Alone, StrEnum])
def test_a_name_that_nothing_needs_is_refused(more: type) -> None:
    with pytest.raises(AssertionError, match="only ones of their name, or in no route"):
        described(names={**NAMES, more: "More"})


def test_every_type_of_the_api_has_a_name_of_its_own_and_every_reference_leads_to_one() -> None:
    found = api_document()
    schemas, named = found["components"]["schemas"], repr(found)

    assert [name for name in schemas if not name.replace("_", "").isalnum()] == []
    assert {one.partition("'")[0] for one in named.split("#/components/schemas/")[1:]} <= set(schemas)
