"""Second factors over HTTP, as outside a demonstration, on real engines; the passkey is one in software."""

import asyncio
from base64 import b32decode
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from kernel.access.actors import Actor, Role
from kernel.access.assurance import Assurance
from kernel.clock import ManualClock
from kernel.commit.by import By
from kernel.ids import uuid7
from kernel.runtime import Kernel
from portal.app import create_app
from registries.factors import service
from registries.factors.rules import STEP_S, code_at, step_of
from registries.members import service as members
from registries.users import service as users
from tests.builders.authenticator import PRESENT, VERIFIED, Authenticator, decoded, encoded
from tests.builders.registries import OPERATOR, PASSWORD, a_user, register

LOGIN = {"login": "zhang.san", "password": PASSWORD}


@pytest.fixture
async def kernel(make_kernel: Any, tmp_path: Path) -> Kernel:
    found: Kernel = await make_kernel(demo=False, data_dir=tmp_path)
    return found


@pytest.fixture
async def client(kernel: Kernel) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=create_app(kernel))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as found:
        yield found


@pytest.fixture
async def person(kernel: Kernel) -> Actor:
    return await a_user(kernel, "zhang.san", await register(kernel, 1))


def wait(kernel: Kernel, seconds: float) -> None:
    assert isinstance(kernel.clock, ManualClock)
    kernel.clock.advance(timedelta(seconds=seconds))


def code_of(kernel: Kernel, secret: str) -> str:
    return code_at(b32decode(secret), step_of(kernel.clock.now()))


async def enrolled(kernel: Kernel, client: httpx2.AsyncClient) -> str:
    """Log in and set up one-time codes; give the secret."""
    await client.post("/api/sessions", json=LOGIN)
    secret = str((await client.post("/api/account/totp")).json()["secret"])
    answer = await client.post("/api/account/totp/confirm", json={"code": code_of(kernel, secret)})
    assert answer.status_code == 200, answer.text
    return secret


async def keyed(client: httpx2.AsyncClient, key: Authenticator, **lies: Any) -> httpx2.Response:
    """Add a passkey to whoever is logged in."""
    options = (await client.post("/api/account/passkeys/options")).json()["options"]
    return await client.post("/api/account/passkeys", json={"name": "电脑", "credential": key.make(options, **lies)})


async def show(client: httpx2.AsyncClient, key: Authenticator, path: str, **lies: Any) -> httpx2.Response:
    """Show a passkey at ``path``."""
    options = (await client.post(f"{path}/options")).json()["options"]
    return await client.post(path, json={"credential": key.show(options, **lies)})


async def lost(kernel: Kernel, person: Actor) -> Actor:
    """Take the second factors of ``person`` away; give the administrator who did."""
    assert person.organisation_id
    assert person.user_id
    name = f"admin-{uuid7(kernel.clock.now())}"
    administrator = await a_user(kernel, name, person.organisation_id, Role.ADMINISTRATOR)
    await members.reset_factors(kernel, By(administrator, "192.0.2.1", kernel.clock.now()), person.user_id, "手机遗失")
    return administrator


async def test_after_a_reset_a_password_leads_to_another_factor_and_nowhere_else(
    kernel: Kernel, client: httpx2.AsyncClient, person: Actor, owner: asyncpg.Connection
) -> None:
    await enrolled(kernel, client)
    assert (await keyed(client, Authenticator())).status_code == 200
    codes = (await client.post("/api/account/recovery-codes")).json()["codes"]
    assert (await client.get("/api/orders")).status_code == 200

    await lost(kernel, person)
    assert (await client.get("/api/sessions/current")).json() == {"actor": None}
    for table in ("totp_seeds", "passkeys", "recovery_codes"):
        assert await owner.fetchval(f"select count(*) from {table}") == 0

    opened = (await client.post("/api/sessions", json=LOGIN)).json()["session"]
    assert (opened["pending"], opened["enrolling"], opened["methods"]) == (True, True, ["password"])
    asked = (await client.get("/api/orders")).json()
    assert (asked["enrol"], asked["methods"]) == (True, [])
    assert (await client.post("/api/sessions/current/code", json={"code": codes[0]})).status_code == 409
    told = (await client.get("/api/account/factors")).json()["reset"]
    assert (told["by"], told["reason"]) == ("测试员", "手机遗失")

    secret = (await client.post("/api/account/totp")).json()["secret"]
    await client.post("/api/account/totp/confirm", json={"code": code_of(kernel, secret)})
    assert (await client.get("/api/orders")).status_code == 200
    assert (await client.get("/api/account/factors")).json()["reset"]["reason"] == "手机遗失"


async def test_deleting_what_was_reset_again_leaves_what_was_set_up_since(
    kernel: Kernel, client: httpx2.AsyncClient, person: Actor
) -> None:
    assert person.user_id
    await enrolled(kernel, client)
    await lost(kernel, person)
    wait(kernel, STEP_S)
    await enrolled(kernel, client)
    await client.post("/api/account/recovery-codes")

    await service.drop_reset(kernel, person.user_id)

    left = (await client.get("/api/account/factors")).json()
    assert (left["totp"], left["recovery_left"]) == (True, 10)


async def test_a_reset_whose_deleting_was_lost_is_finished_by_asking_again(
    kernel: Kernel, client: httpx2.AsyncClient, person: Actor, owner: asyncpg.Connection
) -> None:
    """The entry is there, the process died before it deleted: who has the phone may set up another factor meanwhile."""
    assert person.user_id
    await enrolled(kernel, client)
    await client.post("/api/account/recovery-codes")
    administrator = await lost(kernel, person)
    await owner.execute(
        "insert into totp_seeds (user_id, seed, last_step, made_at, confirmed_at) values ($1, $2, 0, $3, $3)",
        person.user_id,
        b"seed",
        kernel.clock.now() - timedelta(hours=1),
    )
    opened = (await client.post("/api/sessions", json=LOGIN)).json()["session"]
    assert opened["enrolling"]

    await members.reset_factors(kernel, By(administrator, "192.0.2.1", kernel.clock.now()), person.user_id, "再次重置")
    assert await owner.fetchval("select count(*) from totp_seeds") == 0


@pytest.mark.parametrize("demo", [False, True])
async def test_a_session_that_is_open_in_another_process_is_over_with_a_reset(
    make_kernel: Any, tmp_path: Path, *, demo: bool
) -> None:
    here: Kernel = await make_kernel(demo=demo, data_dir=tmp_path)
    there: Kernel = await make_kernel(here.clock, demo=demo, data_dir=tmp_path)
    person = await a_user(here, "zhang.san", await register(here, 1))
    assert person.user_id
    token, _ = await there.sessions.open(person.user_id, origin="x", user_agent="x", level=Assurance.SECOND_FACTOR)
    assert await there.sessions.actor_of(token) is not None

    await lost(here, person)
    async with asyncio.timeout(20):  # the clock stands still: only the hint can do it
        while await there.sessions.actor_of(token) is not None:  # noqa: ASYNC110 - a hint sets no event
            await asyncio.sleep(0.01)
    again = await users.log_in(here, login="zhang.san", password=PASSWORD, origin="x", user_agent="x")
    assert again.session.enrolling


CURRENT = "/api/sessions/current/passkey"
LOGIN_KEY = "/api/sessions/passkey"


@pytest.mark.usefixtures("person")
async def test_the_first_login_leads_to_one_time_codes_and_nowhere_else(
    kernel: Kernel, client: httpx2.AsyncClient
) -> None:
    opened = (await client.post("/api/sessions", json=LOGIN)).json()
    assert opened["session"]["pending"]
    assert (await client.get("/api/orders")).json()["enrol"] is True
    secret = (await client.post("/api/account/totp")).json()["secret"]
    wrong = await client.post("/api/account/totp/confirm", json={"code": "000000"})
    assert (wrong.status_code, wrong.json()["reason"]) == (409, "code-wrong")
    assert (await client.get("/api/account/factors")).json()["totp"] is False

    raised = (await client.post("/api/account/totp/confirm", json={"code": code_of(kernel, secret)})).json()

    assert raised["session"] | {"expires_at": ""} == {
        "session_id": opened["session"]["session_id"],
        "level": "second-factor",
        "pending": False,
        "enrolling": False,
        "methods": ["password", "totp"],
        "expires_at": "",
    }
    assert raised["token"] != opened["token"]
    assert (await client.get("/api/orders")).status_code == 200
    assert (await client.post("/api/account/totp")).json()["reason"] == "factor-exists"


@pytest.mark.usefixtures("person")
async def test_later_the_password_alone_opens_nothing_and_adds_no_factor(
    kernel: Kernel, client: httpx2.AsyncClient
) -> None:
    secret = await enrolled(kernel, client)
    wait(kernel, STEP_S)

    await client.post("/api/sessions", json=LOGIN)

    for method, path in (
        ("GET", "/api/orders"),
        ("POST", "/api/account/totp"),
        ("DELETE", "/api/account/totp"),
        ("POST", "/api/account/passkeys/options"),
        ("POST", "/api/account/recovery-codes"),
        ("GET", "/api/sessions"),
    ):
        answer = await client.request(method, path)
        assert (answer.status_code, answer.json()["methods"]) == (403, ["totp"]), path
    shown = await client.post("/api/sessions/current/code", json={"code": f" {code_of(kernel, secret)} "})
    assert shown.json()["session"]["pending"] is False
    assert (await client.get("/api/orders")).status_code == 200


@pytest.mark.usefixtures("person")
async def test_a_code_is_taken_once(kernel: Kernel, client: httpx2.AsyncClient) -> None:
    secret = await enrolled(kernel, client)
    replayed = await client.post("/api/sessions/current/code", json={"code": code_of(kernel, secret)})
    wait(kernel, STEP_S)
    code = code_of(kernel, secret)
    statuses = [(await client.post("/api/sessions/current/code", json={"code": code})).status_code for _ in range(2)]

    assert (replayed.status_code, replayed.json()["reason"]) == (409, "code-wrong")
    assert statuses == [200, 409]


@pytest.mark.usefixtures("person")
async def test_codes_are_guessed_at_ten_times_and_no_more(kernel: Kernel, client: httpx2.AsyncClient) -> None:
    secret = await enrolled(kernel, client)
    wait(kernel, STEP_S)
    path = "/api/sessions/current/code"
    statuses = [(await client.post(path, json={"code": "000000"})).status_code for _ in range(10)]
    assert statuses == [409] * 10
    assert (await client.post(path, json={"code": code_of(kernel, secret)})).status_code == 429
    wait(kernel, 301)


async def test_the_seed_is_sealed_and_opens_for_its_account_alone(
    kernel: Kernel, client: httpx2.AsyncClient, owner: asyncpg.Connection, person: Actor
) -> None:
    secret = await enrolled(kernel, client)
    sealed = await owner.fetchval("select seed from totp_seeds where user_id = $1", person.user_id)

    assert b32decode(secret) not in sealed
    other = await a_user(kernel, "li.si", await register(kernel, 2))
    await owner.execute(
        "insert into totp_seeds select $1, seed, 0, made_at, confirmed_at from totp_seeds", other.user_id
    )
    wait(kernel, STEP_S)
    await client.post("/api/sessions", json=LOGIN | {"login": "li.si"})
    stolen = await client.post("/api/sessions/current/code", json={"code": code_of(kernel, secret)})
    assert (stolen.status_code, stolen.json()["reason"]) == (409, "code-wrong")


@pytest.mark.usefixtures("person")
async def test_a_recovery_code_is_good_once_and_new_ones_replace_the_old(
    kernel: Kernel, client: httpx2.AsyncClient
) -> None:
    await client.post("/api/sessions", json=LOGIN)
    assert (await client.post("/api/account/recovery-codes")).json()["reason"] == "factor-unknown"
    await enrolled(kernel, client)
    old = (await client.post("/api/account/recovery-codes")).json()["codes"]
    codes = (await client.post("/api/account/recovery-codes")).json()["codes"]
    path = "/api/sessions/current/code"

    assert len(set(codes)) == 10
    assert (await client.post(path, json={"code": old[0]})).status_code == 409
    await client.post("/api/sessions", json=LOGIN)
    assert (await client.post(path, json={"code": codes[0].lower()})).json()["session"]["pending"] is False
    assert (await client.post(path, json={"code": codes[0]})).status_code == 409
    assert (await client.get("/api/account/factors")).json()["recovery_left"] == 9


@pytest.mark.usefixtures("person")
async def test_the_last_second_factor_stays(kernel: Kernel, client: httpx2.AsyncClient) -> None:
    await enrolled(kernel, client)
    assert (await client.delete("/api/account/totp")).json()["reason"] == "last-factor"
    assert (await keyed(client, Authenticator())).status_code == 200
    (key,) = (await client.get("/api/account/factors")).json()["passkeys"]
    left = (await client.delete("/api/account/totp")).json()
    assert left == {"totp": False, "passkeys": [key], "recovery_left": 0, "reset": None}
    path = f"/api/account/passkeys/{key['passkey_id']}"
    assert (await client.delete(path)).json()["reason"] == "last-factor"
    assert (await client.delete("/api/account/totp")).json()["reason"] == "factor-unknown"


@pytest.mark.usefixtures("person")
async def test_changing_factors_needs_a_proof_of_now(kernel: Kernel, client: httpx2.AsyncClient) -> None:
    secret = await enrolled(kernel, client)
    wait(kernel, 901)
    refused = await client.post("/api/account/recovery-codes")
    assert (refused.json()["type"], refused.json()["methods"]) == ("/problems/step-up-needed", ["totp"])
    await client.post("/api/sessions/current/code", json={"code": code_of(kernel, secret)})
    assert (await client.post("/api/account/recovery-codes")).status_code == 200


@pytest.mark.usefixtures("person")
async def test_a_passkey_is_made_shown_and_logs_in(client: httpx2.AsyncClient) -> None:
    key = Authenticator()
    await client.post("/api/sessions", json=LOGIN)
    made = await keyed(client, key)
    assert made.json()["session"]["methods"] == ["password", "passkey"]

    await client.post("/api/sessions", json=LOGIN)
    assert (await client.get("/api/orders")).status_code == 403
    assert (await show(client, key, CURRENT)).json()["session"]["pending"] is False
    client.cookies.clear()
    opened = await show(client, key, LOGIN_KEY)
    assert (opened.status_code, opened.json()["session"]["level"]) == (201, "second-factor")
    assert (await client.get("/api/orders")).status_code == 200
    (listed,) = (await client.get("/api/account/factors")).json()["passkeys"]
    assert (listed["name"], listed["used_at"] is None) == ("电脑", False)


def swapped(credential: dict[str, Any], part: str) -> dict[str, Any]:
    """Flip the last bit of one part of an answer."""
    raw = bytearray(decoded(credential["response"][part]))
    raw[-1] ^= 1
    credential["response"][part] = encoded(bytes(raw))
    return credential


OTHER_KEY = Authenticator().key


def named(lie: dict[str, Any]) -> str:
    return ", ".join(f"{name} {'of another' if name == 'signer' else value}" for name, value in lie.items())


LIES: list[dict[str, Any]] = [
    {"origin": "http://evil.example"},
    {"rp_id": "evil.example"},
    {"challenge": encoded(bytes(32))},
    {"type": "webauthn.other"},
    {"seen": PRESENT},
    {"seen": VERIFIED},
]


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize("lie", LIES, ids=str)
async def test_a_passkey_that_lies_is_not_taken_in(client: httpx2.AsyncClient, lie: dict[str, Any]) -> None:
    await client.post("/api/sessions", json=LOGIN)
    refused = await keyed(client, Authenticator(), **lie)
    assert (refused.status_code, refused.json()["reason"]) == (409, "passkey-wrong")
    assert (await client.get("/api/account/factors")).json()["passkeys"] == []


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize("lie", [*LIES, {"signer": OTHER_KEY}, {"count": 0}, {"count": 1}], ids=named)
async def test_a_passkey_that_lies_proves_nothing(client: httpx2.AsyncClient, lie: dict[str, Any]) -> None:
    """A count that has not moved on is that of a copy."""
    key = Authenticator()
    await client.post("/api/sessions", json=LOGIN)
    await keyed(client, key)
    assert (await show(client, key, LOGIN_KEY)).status_code == 201

    assert (await show(client, key, CURRENT, **lie)).json()["reason"] == "passkey-wrong"
    refused = await show(client, key, LOGIN_KEY, **lie)
    assert (refused.status_code, refused.json()["reason"]) == (401, "passkey-wrong")


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize("part", ["authenticatorData", "signature", "clientDataJSON"])
async def test_no_part_of_an_assertion_can_be_changed(client: httpx2.AsyncClient, part: str) -> None:
    key = Authenticator()
    await client.post("/api/sessions", json=LOGIN)
    await keyed(client, key)
    options = (await client.post(f"{CURRENT}/options")).json()["options"]
    answer = await client.post(CURRENT, json={"credential": swapped(key.show(options), part)})
    assert (answer.status_code, answer.json()["reason"]) == (409, "passkey-wrong")


@pytest.mark.usefixtures("person")
async def test_a_challenge_is_good_once_for_five_minutes_and_for_its_purpose(
    kernel: Kernel, client: httpx2.AsyncClient
) -> None:
    key = Authenticator()
    await client.post("/api/sessions", json=LOGIN)
    await keyed(client, key)

    async def ask(path: str) -> Any:
        return (await client.post(f"{path}/options")).json()["options"]

    async def answer(path: str, options: Any) -> int:
        return (await client.post(path, json={"credential": key.show(options)})).status_code

    options = await ask(CURRENT)
    assert [await answer(CURRENT, options), await answer(CURRENT, options)] == [200, 409]
    assert await answer(CURRENT, await ask(LOGIN_KEY)) == 409
    assert await answer(LOGIN_KEY, await ask(CURRENT)) == 401
    on_time, late = await ask(CURRENT), await ask(CURRENT)
    wait(kernel, 299.999)
    assert await answer(CURRENT, on_time) == 200
    wait(kernel, 0.001)
    assert await answer(CURRENT, late) == 409


async def test_a_passkey_proves_its_own_account_only(kernel: Kernel, client: httpx2.AsyncClient, person: Actor) -> None:
    key, other = Authenticator(), Authenticator(number=2)
    await client.post("/api/sessions", json=LOGIN)
    await keyed(client, key)
    assert person.organisation_id
    await a_user(kernel, "li.si", person.organisation_id)
    await client.post("/api/sessions", json=LOGIN | {"login": "li.si"})
    assert (await keyed(client, key)).json()["reason"] == "passkey-wrong"  # known already
    assert (await keyed(client, other)).status_code == 200
    options = (await client.post(f"{CURRENT}/options")).json()["options"]
    stranger = await client.post(CURRENT, json={"credential": key.show(options)})
    assert stranger.json()["reason"] == "passkey-wrong"


async def test_a_disabled_account_does_not_log_in_with_its_passkey(
    kernel: Kernel, client: httpx2.AsyncClient, person: Actor
) -> None:
    key = Authenticator()
    await client.post("/api/sessions", json=LOGIN)
    await keyed(client, key)
    assert person.user_id
    await users.disable_user(kernel, OPERATOR, person.user_id, "离职")
    client.cookies.clear()
    assert (await show(client, key, LOGIN_KEY)).status_code == 401


@pytest.mark.usefixtures("person")
async def test_an_account_has_so_many_passkeys_and_no_more(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PASSKEYS_MAX", 1)
    await client.post("/api/sessions", json=LOGIN)
    await keyed(client, Authenticator())
    assert (await client.post("/api/account/passkeys/options")).json()["reason"] == "too-many-passkeys"


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize("host", ["127.0.0.1:8420", "[::1]:8420"])
async def test_at_an_ip_address_there_are_no_passkeys(client: httpx2.AsyncClient, host: str) -> None:
    answer = await client.post(f"http://{host}/api/sessions/passkey/options")
    assert (answer.status_code, answer.json()["reason"]) == (409, "no-domain")


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize("said", ["e30", "_", "bnVsbA", "W10"])
async def test_nonsense_is_no_passkey(client: httpx2.AsyncClient, said: str) -> None:
    credential = {"id": "AA", "rawId": "AA", "type": "public-key", "response": {"clientDataJSON": said}}
    await client.post("/api/sessions", json=LOGIN)
    assert (await client.post(LOGIN_KEY, json={"credential": credential})).status_code == 401
    answer = await client.post("/api/account/passkeys", json={"credential": credential, "name": "x"})
    assert answer.status_code == 409


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize("credential", [{}, {"response": 1}, {"response": {"clientDataJSON": "e30"}}, {"rawId": []}])
async def test_what_is_not_even_shaped_like_a_passkey_says_which_field_is_wrong(
    client: httpx2.AsyncClient, credential: dict[str, Any]
) -> None:
    answer = await client.post(LOGIN_KEY, json={"credential": credential})
    assert 400 <= answer.status_code < 423
    assert "credential" in answer.text


async def test_the_journal_says_which_factors_and_never_what_they_hold(
    kernel: Kernel, client: httpx2.AsyncClient, owner: asyncpg.Connection, person: Actor
) -> None:
    secret = await enrolled(kernel, client)
    await keyed(client, Authenticator())
    codes = (await client.post("/api/account/recovery-codes")).json()["codes"]
    await client.delete("/api/account/totp")

    statement = "select kind, body from journal where stream = $1 order by version"
    rows = await owner.fetch(statement, f"user/{person.user_id}")
    assert [row["kind"] for row in rows] == ["user.registered", *["user.factor_added"] * 3, "user.factor_removed"]
    text = b"".join(row["body"] for row in rows).decode()
    assert all(each not in text for each in (secret, *codes))


async def test_in_a_demonstration_a_second_factor_is_asked_for_once_it_is_there(
    make_kernel: Any, tmp_path: Path
) -> None:
    kernel = await make_kernel(data_dir=tmp_path)
    await a_user(kernel, "zhang.san", await register(kernel, 1))
    transport = httpx2.ASGITransport(app=create_app(kernel))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        opened = await client.post("/api/sessions", json=LOGIN)
        assert opened.json()["session"]["pending"] is False
        await enrolled(kernel, client)
        assert (await client.post("/api/sessions", json=LOGIN)).json()["session"]["pending"] is True
        assert (await client.delete("/api/account/totp")).status_code == 403
