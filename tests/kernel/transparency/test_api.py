"""The log over HTTP: what everybody may check, and what only some may see."""

import asyncio
import csv
import dataclasses
import hashlib
import io
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.log.checkpoints import read_checkpoint, read_proof_file, verify_proof_file
from crypto.log.merkle import leaf_hash, root_of
from crypto.log.notes import NoteKey, read_note, verify_note
from crypto.log.proofs import verify_consistency
from crypto.log.receipts import Receipt, verify_receipt
from crypto.log.tiles import Place, Tile, Tiles
from crypto.timestamps.request import imprint_of, read_request
from crypto.timestamps.response import granted
from crypto.timestamps.token import BadToken
from crypto.timestamps.verify import verify_stamp
from kernel.access.actors import Role
from kernel.clock import ManualClock
from kernel.commit.command import Command, Decided, Happened
from kernel.ids import uuid7
from kernel.runtime import Kernel
from kernel.timestamps.client import REPLY, StampClient
from kernel.transparency import search
from kernel.transparency.receipts import receipt_of
from portal.app import create_app
from registries.organisations.rules import Kind
from tests.builders.registries import a_user, register
from tests.builders.stamps import ALWAYS, AStampingHouse
from tests.builders.stamps import NOON as STAMPED_AT
from tests.builders.stock import DDL, ID, STOCK, Filled, Taken
from tests.conftest import NOON

STREAM = f"stock/{ID}"
ENTRY = f"stock.{ID}"
ENTRIES = 300


class Reader:
    """Somebody who asks over HTTP."""

    def __init__(self, client: httpx2.AsyncClient, token: str = "", actor: str = "") -> None:
        self.client = client
        self.actor = actor
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def ask(self, path: str, status: int = 200) -> httpx2.Response:
        answer = await self.client.get(path, headers=self.headers)
        assert answer.status_code == status, answer.text
        return answer

    async def get(self, path: str, status: int = 200) -> Any:
        return (await self.ask(path, status)).json()


@pytest.fixture
async def people(kernel: Kernel, owner: asyncpg.Connection) -> AsyncIterator[dict[str, Reader]]:
    """An auditor, two suppliers and the public, and a log of 300 entries and a few."""
    await owner.execute(DDL)
    transport = httpx2.ASGITransport(app=create_app(kernel))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        found = {"public": Reader(client)}
        for number, (login, kind, role) in enumerate(
            (
                ("auditor", Kind.AUDITOR, Role.AUDITOR),
                ("seller", Kind.SUPPLIER, Role.SUPPLIER),
                ("other", Kind.SUPPLIER, Role.SUPPLIER),
            ),
            1,
        ):
            actor = await a_user(kernel, login, await register(kernel, number, kind), role)
            assert actor.user_id
            token, _ = await kernel.sessions.open(actor.user_id, origin="test", user_agent="test")
            found[login] = Reader(client, token, actor.journal)
        await do(kernel, "system/test", *(Filled(ENTRIES + 9), *(Taken(str(number)) for number in range(ENTRIES - 1))))
        while await kernel.transparency.step():
            pass
        await do(kernel, found["seller"].actor, Taken("seller"))
        await kernel.transparency.step()
        yield found


async def do(kernel: Kernel, actor: str, *events: msgspec.Struct) -> None:
    ref = STOCK.ref(ID)
    happened = [Happened(ref, event) for event in events]
    await kernel.committer.submit(Command([ref], lambda _: Decided(None, happened), actor, "192.0.2.7", NOON))


async def test_the_checkpoint_is_text_that_the_log_signed_and_is_not_kept_long(people: dict[str, Reader]) -> None:
    answer = await people["public"].ask("/checkpoint")
    site = await people["public"].get("/api/log")

    note = read_note(answer.text)
    (signature,) = verify_note(note, [NoteKey.read(key) for key in site["keys"]])
    assert read_checkpoint(note.text).origin == signature.key.name
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=1"
    assert site["checkpoint"] == answer.text


async def test_the_tree_can_be_rebuilt_from_the_tiles_and_the_entries(people: dict[str, Reader]) -> None:
    public = people["public"]
    checkpoint = read_checkpoint(read_note((await public.ask("/checkpoint")).text).text)
    width = checkpoint.size - 256
    full = await public.ask("/tile/0/000")
    rest = await public.ask(f"/tile/0/001.p/{width}")
    above = await public.ask("/tile/1/000.p/1")
    bundles = [(await public.ask(f"/tile/entries/{path}")).content for path in ("000", f"001.p/{width}")]

    tiles = Tiles({Place(0, 0): Tile(full.content), Place(0, 1): Tile(rest.content), Place(1, 0): Tile(above.content)})
    assert root_of(checkpoint.size, tiles.hash) == checkpoint.root
    assert full.headers["content-type"] == "application/octet-stream"
    assert "immutable" in full.headers["cache-control"]
    data = b"".join(bundles)
    leaves = [data[at + 2 : at + 34] for at in range(0, len(data), 34)]
    assert {data[at : at + 2] for at in range(0, len(data), 34)} == {b"\x00\x20"}
    assert b"".join(map(leaf_hash, leaves)) == full.content + rest.content


async def test_a_partial_tile_of_an_older_tree_is_still_served(people: dict[str, Reader]) -> None:
    full = await people["public"].ask("/tile/0/000")
    part = await people["public"].ask("/tile/0/000.p/9")

    assert part.content == full.content[: 9 * 32]


@pytest.mark.parametrize(
    "path",
    [
        "/tile/0/001", "/tile/0/002", "/tile/1/000", "/tile/1/000.p/2", "/tile/2/000.p/1", "/tile/0/000.p/0",
        "/tile/0/0", "/tile/x", "/tile/entries/001", "/tile/entries/x", "/tile/9/000",
    ],
)  # fmt: skip
async def test_a_tile_that_the_tree_does_not_have_is_absent(people: dict[str, Reader], path: str) -> None:
    problem = await people["public"].get(path, 404)

    assert problem["title"]


async def test_a_log_in_which_nothing_stands_says_so(client: httpx2.AsyncClient) -> None:
    for path in ("/checkpoint", "/tile/0/000", "/tile/entries/000", "/api/log/consistency?old=0&new=0"):
        assert (await client.get(path)).status_code == 404
    site = (await client.get("/api/log")).json()
    assert (site["keys"], site["checkpoint"], site["witnesses_required"]) == ([], None, 0)


async def test_who_made_an_entry_gets_a_receipt_that_verifies_offline(people: dict[str, Reader]) -> None:
    raw = (await people["seller"].ask(f"/api/log/receipts/{ENTRY}.{ENTRIES + 1}")).content
    site = await people["public"].get("/api/log")

    receipt = msgspec.json.decode(raw, type=Receipt)
    checked = verify_receipt(
        receipt, log=NoteKey.read(site["keys"][0]), receipts=[NoteKey.read(key) for key in site["receipt_keys"]]
    )

    statement = checked.statement
    assert (statement.stream, statement.version, statement.kind) == (STREAM, ENTRIES + 1, "stock.taken")
    assert (statement.at, statement.issued_at, statement.salt) == (NOON, NOON, None)
    assert checked.checkpoint.size == statement.number + 1


async def test_a_receipt_of_somebody_elses_entry_is_the_auditors_only(people: dict[str, Reader]) -> None:
    path = f"/api/log/receipts/{ENTRY}.{ENTRIES + 1}"

    await people["other"].get(path, 404)
    await people["public"].get(path, 401)
    await people["auditor"].get(path, 404)
    await people["auditor"].get(f"/api/log/entries/{ENTRY}.{ENTRIES + 1}/receipt")
    await people["seller"].get(f"/api/log/entries/{ENTRY}.{ENTRIES + 1}/receipt", 403)
    for missing in (f"{ENTRY}.999", f"{ENTRY}.0", f"{ENTRY}.{'9' * 19}", ENTRY, f"stock.{UUID(int=1)}.1", "x"):
        await people["auditor"].get(f"/api/log/entries/{missing}/receipt", 404)


async def test_a_receipt_of_what_is_not_logged_yet_can_be_had_in_a_moment(
    kernel: Kernel, people: dict[str, Reader]
) -> None:
    await do(kernel, people["seller"].actor, Taken("late"))
    path = f"/api/log/receipts/{ENTRY}.{ENTRIES + 2}"

    early = await people["seller"].ask(path, 503)
    await kernel.transparency.step()

    assert early.headers["retry-after"] == "1"
    await people["seller"].get(path)


async def test_a_leaf_is_proved_to_whoever_knows_it(people: dict[str, Reader], owner: asyncpg.Connection) -> None:
    leaf = await owner.fetchval("select leaf from journal where stream = $1 and version = 7", STREAM)

    answer = await people["public"].get(f"/api/log/proofs/{leaf.hex()}")

    file = read_proof_file(answer["proof"])
    verify_note(file.checkpoint, [NoteKey.read(answer["key"])])
    assert verify_proof_file(file, leaf=leaf_hash(leaf)).size > 7
    await people["public"].get(f"/api/log/proofs/{hashlib.sha256(b'x').hexdigest()}", 404)
    await people["public"].get("/api/log/proofs/short", 404)


async def test_two_checkpoints_are_proved_to_be_of_one_log(
    people: dict[str, Reader], owner: asyncpg.Connection
) -> None:
    old, new = await owner.fetch("select size, root from log_checkpoints order by size")

    answer = await people["public"].get(f"/api/log/consistency?old={old['size']}&new={new['size']}")

    verify_consistency(
        old=old["size"],
        new=new["size"],
        old_root=old["root"],
        new_root=new["root"],
        proof=[bytes.fromhex(hash_) for hash_ in answer["proof"]],
    )
    for asked in ("old=5&new=4", f"old=0&new={new['size'] + 1}"):
        await people["public"].get(f"/api/log/consistency?{asked}", 404)


async def found(reader: Reader, **wanted: str) -> list[dict[str, Any]]:
    """Everything that a search finds, page by page."""
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        query = str(httpx2.QueryParams({**wanted, "cursor": cursor}))
        page = await reader.get(f"/api/log/entries?{query}")
        rows += page["items"]
        cursor = page["next"]
        if cursor is None:
            return rows


async def test_an_auditor_finds_entries_by_stream_kind_person_and_time(
    kernel: Kernel, people: dict[str, Reader]
) -> None:
    kernel.clock.advance(timedelta(minutes=10))  # type: ignore[attr-defined]
    auditor = people["auditor"]
    everything = await found(auditor, limit="200")

    numbers = [row["number"] for row in everything]
    assert numbers == list(range(len(numbers)))[::-1]
    assert [row["version"] for row in await found(auditor, stream=STREAM)] == list(range(ENTRIES + 1, 0, -1))
    assert len(await found(auditor, stream="stock", limit="200")) == ENTRIES + 1
    assert [row["kind"] for row in await found(auditor, kind="stock.filled")] == ["stock.filled"]
    assert {row["kind"].partition(".")[0] for row in await found(auditor, kind="user")} == {"user"}
    own = await found(auditor, actor=people["seller"].actor)
    assert [(row["version"], row["origin"]) for row in own] == [(ENTRIES + 1, "192.0.2.7")]
    assert await found(auditor, since="2026-11-23T01:00:01Z") == []
    assert len(await found(auditor, since="2026-11-23T09:00:00+08:00", limit="200")) == len(everything)
    assert await found(auditor, before="2026-11-23T01:00:00Z") == []
    assert await found(auditor, kind="stoc", stream="st") == []


async def test_a_rare_entry_is_found_though_one_request_looks_through_some_only(
    people: dict[str, Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "SCANNED_MAX", 50)

    first = await people["auditor"].get("/api/log/entries?kind=organisation")
    everything = await found(people["auditor"], kind="organisation")

    assert (first["items"], first["next"] is None) == ([], False)
    assert len(everything) == 3


async def test_the_search_is_exported_as_a_table(people: dict[str, Reader]) -> None:
    answer = await people["auditor"].ask("/api/log/entries.csv?kind=stock")

    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 1 + ENTRIES + 1
    assert rows[1][1:5] == [STREAM, str(ENTRIES + 1), "stock.taken", "2026-11-23T09:00:00.000000+08:00"]
    assert answer.headers["content-disposition"].endswith("log.csv")


async def test_nobody_but_an_auditor_searches(people: dict[str, Reader]) -> None:
    for path in ("/api/log/entries", "/api/log/entries.csv"):
        await people["seller"].get(path, 403)
        await people["public"].get(path, 401)


async def test_a_time_without_a_zone_is_refused(people: dict[str, Reader]) -> None:
    problem = await people["auditor"].get("/api/log/entries?since=2026-11-23T09:00:00", 422)

    assert problem["field"] == "since"


async def test_who_offered_is_hidden_until_the_award_and_then_the_commitments_open(
    kernel: Kernel, people: dict[str, Reader], owner: asyncpg.Connection
) -> None:
    id_ = uuid7(NOON)
    insert = (
        "insert into journal (stream, version, kind, at, actor, origin, body, leaf) "
        "values ($1, $2, $3, $4, 'user/secret', '', '{}', sha256($5))"
    )
    await owner.execute(insert, f"auction/{id_}", 1, "auction.offered", NOON, b"1")
    await kernel.transparency.step()
    path = f"/api/log/commitments/auction.{id_}"

    (before,) = await found(people["auditor"], stream=f"auction/{id_}")
    assert (before["actor"], before["committed"]) == ("", True)
    assert await found(people["auditor"], actor="user/secret") == []
    assert await people["public"].get(path) == []
    await people["public"].get(f"/api/log/proofs/{hashlib.sha256(b'1').hexdigest()}", 404)

    await owner.execute(insert, f"auction/{id_}", 2, "auction.awarded", NOON, b"2")
    await kernel.transparency.step()

    _, after = await found(people["auditor"], stream=f"auction/{id_}")
    assert after["actor"] == "user/secret"
    (opened,) = await people["public"].get(path)
    assert opened["leaf"] == hashlib.sha256(b"1").hexdigest()
    stored = await owner.fetchval("select hash from log_entries where number = $1", opened["number"])
    committed = hashlib.sha256(
        b"zhecai/commitment/1" + bytes.fromhex(opened["salt"]) + bytes.fromhex(opened["leaf"])
    ).digest()
    assert leaf_hash(committed) == stored


async def test_a_receipt_is_time_stamped_where_an_authority_is_named(
    kernel: Kernel, people: dict[str, Reader], tmp_path: Path
) -> None:
    house = AStampingHouse(valid=ALWAYS)

    def handle(request: httpx2.Request) -> httpx2.Response:
        token = house.authority.token(read_request(request.content), serial=1, at=STAMPED_AT)
        return httpx2.Response(200, content=granted(token), headers={"Content-Type": REPLY})

    def stamping(answer: Callable[[httpx2.Request], httpx2.Response]) -> Kernel:
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
        clock = ManualClock(STAMPED_AT)
        client = StampClient(["http://tsa.example/"], house.trust, http, clock, timeout_s=2.0)
        return dataclasses.replace(kernel, stamps=client)

    place = (people["seller"].actor, STREAM, ENTRIES + 1)
    receipt = await receipt_of(stamping(handle), *place, at=NOON)
    without = await receipt_of(stamping(lambda _: httpx2.Response(503)), *place, at=NOON)

    assert without.token is None
    assert receipt.token
    token = b64decode(receipt.token, validate=True)
    assert verify_stamp(token, imprint_of(receipt.receipt.encode()), house.trust).at == STAMPED_AT
    with pytest.raises(BadToken):
        verify_stamp(token, imprint_of(without.receipt.encode() + b"x"), house.trust)
    files = {
        "note": receipt.receipt.encode(),
        "token": token,
        "ca.pem": house.root.certificate.public_bytes(Encoding.PEM),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    command = ("ts", "-verify", "-token_in", "-in", "token", "-data", "note", "-CAfile", "ca.pem")
    done = await asyncio.create_subprocess_exec(
        "openssl", *command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await done.communicate()
    assert done.returncode == 0, said
    assert b"Verification: OK" in said
