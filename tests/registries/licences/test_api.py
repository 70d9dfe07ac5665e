"""Copies of licences over HTTP: handed in, replaced with a history, seen by the own side and the reviewer alone."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

import asyncpg
import httpx2
import pytest

from kernel.access.actors import Actor, Role
from kernel.blobs.verify import BlobProgress, verify_blobs
from kernel.runtime import Kernel
from portal.app import BLOB_COLUMNS, create_app
from registries.licences import service
from registries.licences.rules import BYTES_MAX
from registries.organisations.rules import Kind
from tests.builders.pictures import a_picture
from tests.builders.registries import a_user, register

PDF = b"%PDF-1.7\n" + b"x" * 200


class Stage(NamedTuple):
    """An organisation in Hangzhou's Shangcheng with its administrator, and others who may or may not look."""

    kernel: Kernel
    client: httpx2.AsyncClient
    organisation_id: UUID
    own: Actor
    colleague: Actor
    stranger: Actor
    reviewer: Actor
    far: Actor
    auditor: Actor

    async def ask(self, actor: Actor, path: str, content: bytes | None = None, **headers: str) -> httpx2.Response:
        token, _ = await self.kernel.sessions.open(actor.user_id, origin="test", user_agent="test")  # type: ignore[arg-type]
        said = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k", **headers}
        method = "GET" if content is None else "POST"
        return await self.client.request(method, path, content=content, headers=said)

    async def file(self, content: bytes = PDF, media: str = "application/pdf", key: str = "k") -> httpx2.Response:
        return await self.ask(
            self.own, "/api/registration/licence", content, **{"Content-Type": media, "Idempotency-Key": key}
        )


@pytest.fixture
async def stage(kernel: Kernel) -> AsyncIterator[Stage]:
    organisation_id = await register(kernel, 1)
    people = [
        await a_user(kernel, "own", organisation_id, Role.ADMINISTRATOR),
        await a_user(kernel, "colleague", organisation_id),
        await a_user(kernel, "stranger", await register(kernel, 2), Role.ADMINISTRATOR),
    ]
    for number, (kind, role, region) in enumerate(
        (
            (Kind.SUPERVISOR, Role.SUPERVISOR, "330100"),
            (Kind.SUPERVISOR, Role.SUPERVISOR, "330200"),
            (Kind.AUDITOR, Role.AUDITOR, "330100"),
        ),
        3,
    ):
        people.append(await a_user(kernel, f"official{number}", await register(kernel, number, kind, region), role))
    transport = httpx2.ASGITransport(app=create_app(kernel))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Stage(kernel, client, organisation_id, *people)


async def test_a_copy_is_kept_as_it_came_and_its_digest_is_in_the_journal(
    stage: Stage, owner: asyncpg.Connection
) -> None:
    filed, again = [await stage.file() for _ in range(2)]  # with one key
    assert (filed.status_code, filed.json()) == (201, again.json())
    assert filed.json()["digest"] == sha256(PDF).hexdigest()

    rows = await owner.fetch("select actor, body from journal where kind = 'licence.filed'")
    assert [(row["actor"], json.loads(row["body"])["digest"]) for row in rows] == [
        (stage.own.journal, sha256(PDF).hexdigest())
    ]
    shown = await stage.ask(stage.own, f"/api/licences/{filed.json()['id']}")
    assert (shown.content, shown.headers["content-type"]) == (PDF, "application/pdf")
    assert shown.headers["content-disposition"].startswith("attachment")
    assert "public" not in shown.headers.get("cache-control", "")
    found = [one async for one in verify_blobs(owner, stage.kernel.blobs, BLOB_COLUMNS)]
    assert BlobProgress(1) in found
    assert not [one for one in found if not isinstance(one, BlobProgress)]


async def test_a_later_copy_comes_first_and_the_one_before_is_kept(stage: Stage) -> None:
    first = (await stage.file()).json()
    stage.kernel.clock.advance(timedelta(seconds=1))  # type: ignore[attr-defined]
    picture = a_picture("PNG")
    second = (await stage.file(picture, "image/png", key="k2")).json()

    listed = (await stage.ask(stage.reviewer, f"/api/organisations/{stage.organisation_id}/licences")).json()["items"]
    assert listed == [second, first]
    assert (await stage.ask(stage.reviewer, f"/api/licences/{first['id']}")).content == PDF
    assert (await stage.ask(stage.reviewer, f"/api/licences/{second['id']}")).content == picture


async def test_nobody_sees_it_but_the_own_administrators_and_the_reviewer(stage: Stage) -> None:
    licence_id = (await stage.file()).json()["id"]
    paths = (f"/api/licences/{licence_id}", f"/api/organisations/{stage.organisation_id}/licences")
    for path in paths:
        seen = {
            name: (await stage.ask(getattr(stage, name), path)).status_code
            for name in ("own", "reviewer", "stranger", "far", "colleague", "auditor")
        }
        expected = {"own": 200, "reviewer": 200, "stranger": 404, "far": 404, "colleague": 403, "auditor": 403}
        assert seen == expected
        assert (await stage.client.get(path)).status_code == 401
    assert (await stage.ask(stage.own, f"/api/licences/{UUID(int=1)}")).status_code == 404


@pytest.mark.parametrize(
    ("content", "media", "status", "reason"),
    [
        (b"<html>" + b"x" * 200, "application/pdf", 422, "licence-media"),
        (b"%PDF-", "application/pdf", 422, "licence-size"),
        (b"%PDF-" + b"x" * BYTES_MAX, "application/pdf", 413, None),
    ],
)
async def test_what_is_no_copy_is_refused(
    stage: Stage, owner: asyncpg.Connection, content: bytes, media: str, status: int, reason: str | None
) -> None:
    refused = await stage.file(content, media)
    assert (refused.status_code, refused.json().get("reason")) == (status, reason)
    assert await owner.fetchval("select count(*) from licences") == 0


async def test_who_is_not_an_administrator_hands_nothing_in(stage: Stage) -> None:
    headers = {"Content-Type": "application/pdf"}
    for actor in (stage.colleague, stage.reviewer):
        assert (await stage.ask(actor, "/api/registration/licence", PDF, **headers)).status_code == 403


async def test_an_organisation_hands_so_many_in_within_a_day(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "FILED_MAX", 2)
    answers = [(await stage.file(PDF + bytes([n]), key=f"k{n}")).status_code for n in range(3)]
    assert answers == [201, 201, 429]
