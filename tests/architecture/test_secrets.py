"""Nothing that lets somebody in is ever written into the log, whatever happens."""

import json
import re
from base64 import b32decode
from pathlib import Path
from typing import Any

import httpx2
import pytest

from kernel.log import configure_logging
from portal.app import create_app
from registries.factors.rules import code_at, step_of
from tests.builders.authenticator import Authenticator
from tests.builders.registries import PASSWORD, a_user, register

NEW_PASSWORD = "another long password"


async def test_the_log_of_everything_an_account_does_holds_no_secret(
    make_kernel: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure_logging("debug", "json")
    kernel = await make_kernel(demo=False, data_dir=tmp_path)
    await a_user(kernel, "zhang.san", await register(kernel, 1))
    transport = httpx2.ASGITransport(app=create_app(kernel))
    secrets: set[str] = {PASSWORD, NEW_PASSWORD, "wrong password"}

    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:

        async def post(path: str, body: Any = None, method: str = "POST") -> Any:
            answer = await client.request(method, path, json=body)
            found = answer.json()
            secrets.update(value for value in (found.get("token"), found.get("secret"), found.get("uri")) if value)
            secrets.update(found.get("codes", ()))
            secrets.update(client.cookies.values())
            if "options" in found:
                secrets.add(found["options"]["challenge"])
            return found

        await post("/api/sessions", {"login": "zhang.san", "password": "wrong password"})
        await post("/api/sessions", {"login": "zhang.san", "password": PASSWORD})
        secret = (await post("/api/account/totp"))["secret"]
        await post("/api/account/totp/confirm", {"code": "000000"})
        code = code_at(b32decode(secret), step_of(kernel.clock.now()))
        await post("/api/account/totp/confirm", {"code": code})
        recovery = (await post("/api/account/recovery-codes"))["codes"][0]
        key = Authenticator()
        made = key.make((await post("/api/account/passkeys/options"))["options"])
        await post("/api/account/passkeys", {"credential": made, "name": "电脑"})
        await post("/api/sessions/current/code", {"code": recovery})
        options = (await post("/api/sessions/current/passkey/options"))["options"]
        lied = key.show(options, origin="http://evil.example")
        await post("/api/sessions/current/passkey", {"credential": lied})
        shown = key.show((await post("/api/sessions/passkey/options"))["options"])
        await post("/api/sessions/passkey", {"credential": shown})
        await post("/api/account/password", {"old": PASSWORD, "new": NEW_PASSWORD})
        await client.get("/api/orders?token=in-the-query", headers={"Authorization": "Bearer in-the-header"})
        monkeypatch.setattr(type(kernel.sessions), "raise_to", _broken)
        await post("/api/sessions/current/password", {"password": NEW_PASSWORD})
        await post("/api/sessions/current", method="DELETE")

    secrets |= {code, made["response"]["attestationObject"], shown["response"]["signature"]}
    secrets |= {"in-the-query", "in-the-header"}
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    events = [json.loads(line)["event"] for line in lines]
    assert events.count("request") == 17
    assert "request.failed" in events  # with its trace
    text = "\n".join(lines)
    assert [one for one in secrets if one and re.search(rf"(?<!\w){re.escape(one)}(?!\w)", text)] == []


async def _broken(*_: object) -> None:
    raise ZeroDivisionError
