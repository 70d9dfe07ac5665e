"""An auction that was awarded, and people of both parties with certificates who sign its record over HTTP."""

import asyncio
import base64
import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from crypto import signatures
from crypto.certificates.certificate import read_certificates
from crypto.certificates.validation import Trust
from crypto.documents.checking import Believed
from crypto.timestamps.trust import StampTrust
from kernel.access.actors import Actor, Role
from kernel.commit.command import Command, Decided, Happened, States
from kernel.runtime import Kernel
from kernel.timestamps.app import create_authority_app
from kernel.timestamps.client import StampClient
from kernel.timestamps.register import Register
from kernel.timestamps.rightness import Rightness
from kernel.vault.identities import Service, identities_of
from market.auctions import service as auctions
from market.signings.lifecycle import Asked, Signer, Turns
from market.signings.rules import signing_id
from market.signings.service import SIGNING
from portal.app import create_app
from tests.builders.certificates import a_key
from tests.builders.enrolled import Person
from tests.builders.market_auctions import World, a_world
from tests.builders.registries import a_credit_code, a_user
from tests.builders.stamps import AStampingHouse

ROLES = {"handler": Role.PURCHASER, "approver": Role.APPROVER, "signatory": Role.SIGNATORY}
PURCHASER, WINNER = UUID(int=1), UUID(int=2)
_TSA = "http://tsa.test/"


def tsa_settings(house: AStampingHouse, folder: Path, at: datetime) -> dict[str, Any]:
    """Settings of a site that believes the house about time and has its list of ``at``; see :func:`stamping`."""
    trust, lists = folder / "time.pem", folder / "trust"
    trust.write_bytes(house.root.certificate.public_bytes(Encoding.PEM))
    lists.mkdir()
    (lists / "time.crl").write_bytes(house.root.revocations(at=at).public_bytes(Encoding.DER))
    return {"tsa_url": (_TSA,), "tsa_trust": trust, "trust_dir": lists}


@asynccontextmanager
async def stamping(kernel: Kernel, house: AStampingHouse) -> AsyncIterator[Kernel]:
    """Give the site trial authorities for certificates, a seal, and the house's time stamp authority."""
    clock = kernel.clock
    await kernel.trust.create_trial()
    identities_of(kernel.settings).make_trial(
        clock.now() - timedelta(days=1), name="测试", hosts=("localhost",), services=(Service.SEAL,)
    )
    rightness = Rightness(clock)
    register = Register(kernel.settings.data_dir / "tsa" / "issued.jsonl", house.authority, rightness.now)
    register.open()
    working = asyncio.create_task(register.work())
    transport = httpx2.ASGITransport(app=create_authority_app(register, rightness, clock))
    async with httpx2.AsyncClient(mounts={"all://": None, "http://tsa.test": transport}) as http:
        yield dataclasses.replace(kernel, stamps=StampClient([_TSA], house.trust, http, clock, timeout_s=2.0))
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    register.close()


def believed(kernel: Kernel) -> Believed:
    """Whom a reader believes: the site's authority about people, the seal's, and the time stamp authority."""
    trust = kernel.trust.trust()
    seal_root = read_certificates(identities_of(kernel.settings).trial_root.read_bytes())
    assert kernel.settings.tsa_trust
    times = StampTrust(x509.load_pem_x509_certificates(kernel.settings.tsa_trust.read_bytes()))
    return Believed(Trust((*trust.roots, *seal_root), trust.intermediates), times)


def a_signer(number: int, **changes: Any) -> Signer:
    organisation_id, role = (WINNER, Role.SIGNATORY) if number == 3 else (PURCHASER, Role.PURCHASER)
    return Signer(
        **{
            "user_id": UUID(int=100 + number),
            "name": f"签署人{number}",
            "organisation_id": organisation_id,
            "organisation_name": "测试单位",
            "role": role,
            **changes,
        }
    )


def an_asked(**changes: Any) -> Asked:
    """Three people, the third the supplier's, asked one after another."""
    auction_id = UUID(int=7)
    fields = {
        "id": signing_id(auction_id, 1),
        "auction_id": auction_id,
        "number": "JJ20261123-00001-00001",
        "title": "台式计算机 200 台",
        "purchaser_id": PURCHASER,
        "purchaser_name": "采购中心",
        "region": "330102",
        "supplier_id": WINNER,
        "supplier_name": "成交公司",
        "turns": Turns.IN_ORDER,
        "signers": tuple(a_signer(number) for number in (1, 2, 3)),
        "document": "00" * 32,
        "size": 1000,
        "asked_by": "签署人1",
    }
    return Asked(**{**fields, **changes})


async def a_signing_of(kernel: Kernel, *, purchaser: Actor, supplier: Actor) -> UUID:
    """Enter a signing of two organisations in the journal whose one signer is neither of these actors."""
    assert purchaser.organisation_id
    asked = an_asked(
        purchaser_id=purchaser.organisation_id,
        supplier_id=supplier.organisation_id,
        region=purchaser.region,
        signers=(a_signer(1),),
        document=await kernel.blobs.put(b"%PDF-1.7"),
    )
    ref = SIGNING.ref(asked.id)

    def decide(_: States) -> Decided[UUID]:
        return Decided(ref.id, [Happened(ref, asked)])

    return await kernel.committer.submit(Command([ref], decide, "system/test", "local", kernel.clock.now()))


@dataclass
class Table:
    """A kernel, an awarded auction, and who sits at the table; each person's client keeps their cookies."""

    kernel: Kernel
    world: World
    auction_id: UUID
    people: dict[str, Person]

    def person(self, name: str) -> Person:
        return self.people[name]

    async def ask(self, *names: str, turns: str = "in-order", by: str = "handler", key: str = "") -> httpx2.Response:
        signers = [str(self.people[name].actor.user_id) for name in names]
        body = {"signers": signers, "turns": turns}
        return await self.people[by].post(f"/api/auctions/{self.auction_id}/signings", body, key)

    async def asked(self, *names: str, turns: str = "in-order") -> str:
        answer = await self.ask(*(names or ROLES), turns=turns)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["signing_id"])

    async def prepare(self, name: str, signing: str, *, certificate: bytes = b"") -> httpx2.Response:
        der = base64.b64encode(certificate or self.people[name].certificate).decode()
        return await self.people[name].client.post(f"/api/signings/{signing}/preparation", json={"certificate": der})

    def signature(self, name: str, prepared: dict[str, Any]) -> dict[str, Any]:
        """What the browser does with what was prepared."""
        made = signatures.sign(prepared["algorithm"], self.people[name].key, base64.b64decode(prepared["to_sign"]))
        return {"preparation_id": prepared["preparation_id"], "signature": base64.b64encode(made).decode()}

    async def send(self, name: str, signing: str, body: dict[str, Any], key: str = "") -> httpx2.Response:
        return await self.people[name].post(f"/api/signings/{signing}/signature", body, key)

    async def sign(self, name: str, signing: str) -> httpx2.Response:
        prepared = await self.prepare(name, signing)
        assert prepared.status_code == 201, prepared.text
        return await self.send(name, signing, self.signature(name, prepared.json()))

    async def read(self, signing: str, name: str = "handler") -> dict[str, Any]:
        answer = await self.people[name].client.get(f"/api/signings/{signing}")
        assert answer.status_code == 200, answer.text
        out: dict[str, Any] = answer.json()
        return out

    async def file(self, signing: str, name: str = "handler") -> bytes:
        answer = await self.people[name].client.get(f"/api/signings/{signing}/document.pdf")
        assert answer.status_code == 200, answer.text
        return answer.content

    async def shown(self, name: str, query: str = "") -> Sequence[str]:
        answer = await self.people[name].client.get(f"/api/signings{query}")
        return [row["signing_id"] for row in answer.json()["items"]]


async def a_table(kernel: Kernel) -> Table:
    """Award an auction to the second bidder; a handler, an approver and the winner's signatory have certificates."""
    world = await a_world(kernel, suppliers=5)
    auction_id = await world.closed()
    await auctions.award(kernel, world.by(), auction_id, "最低价成交")
    people: dict[str, Person] = {}
    app = create_app(kernel)
    for number, (name, role) in enumerate(ROLES.items()):
        of = world.suppliers[1] if role is Role.SIGNATORY else world.purchaser
        assert of.organisation_id
        actor = await a_user(kernel, name, of.organisation_id, role)
        client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test")
        code = a_credit_code(3 if role is Role.SIGNATORY else 1)
        people[name] = Person(client, actor, code, a_key(number=60 + number))
        await people[name].log_in()
        await people[name].enrol()
    return Table(kernel, world, auction_id, people)
