"""Getting a time stamp from an authority, ours or another's: several by address, in order, each answer verified."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx2
import structlog
from cryptography import x509

from crypto.timestamps.request import Imprint, StampRefused, StampRequest
from crypto.timestamps.response import RESPONSE_BYTES_MAX, token_of
from crypto.timestamps.token import BadToken, Stamp
from crypto.timestamps.trust import StampTrust
from crypto.timestamps.verify import verify_answer
from kernel.clock import Clock
from kernel.problems import Unavailable
from kernel.settings import Settings, SettingsError

QUERY: Final = "application/timestamp-query"
REPLY: Final = "application/timestamp-reply"
NONCE_BITS: Final = 64
OFF_MAX: Final = timedelta(minutes=5)
"""A stamp further from our own clock is not used: one of the two clocks is wrong, and somebody has to look."""
_CONNECTIONS_MAX: Final = 20

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Stamped:
    """A token that was verified, with what it says and whose it is."""

    token: bytes
    stamp: Stamp
    url: str


class StampClient:
    """
    Asks authorities for time stamps, in their order.

    The next is asked where one cannot be reached, refuses, or answers with what does not verify.
    """

    def __init__(
        self, urls: Sequence[str], trust: StampTrust, http: httpx2.AsyncClient, clock: Clock, *, timeout_s: float
    ) -> None:
        assert urls
        self.urls: Final = tuple(urls)
        self.trust: Final = trust
        self._http: Final = http
        self._clock: Final = clock
        self._timeout_s: Final = timeout_s

    async def stamp(self, imprint: Imprint) -> Stamped:
        """
        Get a verified token for ``imprint``. Asking again gives another token, as good.

        Raises:
            Unavailable: no authority gave one; the log says for each why.
        """
        for url in self.urls:
            request = StampRequest(imprint, nonce=secrets.randbits(NONCE_BITS))
            try:
                return await self._ask(url, request)
            except (httpx2.HTTPError, StampRefused, BadToken) as error:
                log.warning("stamp.refused", url=url, error=repr(error))
        raise Unavailable(
            "时间戳服务暂不可用，请稍后重试。",
            "No time stamp authority can be used at the moment; try again later.",
            reason="no-time-stamp",
            headers={"Retry-After": "30"},
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def _ask(self, url: str, request: StampRequest) -> Stamped:
        answer = await fetch(self._http, url, request.encode(), timeout_s=self._timeout_s)
        token = token_of(answer)
        stamp = verify_answer(token, request, self.trust)
        off = abs(stamp.at - self._clock.now())
        if off > OFF_MAX:
            raise BadToken(f"the stamped time is {off} off our own clock")
        return Stamped(token, stamp, url)


async def fetch(http: httpx2.AsyncClient, url: str, query: bytes, *, timeout_s: float) -> bytes:
    """
    Send a request to an authority and return its answer (RFC 3161 section 3.4).

    Raises:
        httpx2.HTTPError: it cannot be reached in time, or answers with another status.
        BadToken: the answer is not a time stamp response, or too long for one.
    """
    async with http.stream(
        "POST", url, content=query, headers={"Content-Type": QUERY, "Accept": REPLY}, timeout=timeout_s
    ) as response:
        response.raise_for_status()
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != REPLY:
            raise BadToken(f"the answer is {kind or 'of no type'}, not {REPLY}")
        answer = b""
        async for chunk in response.aiter_bytes():
            answer += chunk
            if len(answer) > RESPONSE_BYTES_MAX:
                raise BadToken(f"the answer has more than {RESPONSE_BYTES_MAX} bytes")
        return answer


def client_of(settings: Settings, clock: Clock) -> StampClient | None:
    """
    Make the client that the settings describe; None when they name no authority.

    Raises:
        SettingsError: the trusted certificates cannot be read.
    """
    if not settings.tsa_url:
        return None
    assert settings.tsa_trust is not None, "settings are checked together"
    http = httpx2.AsyncClient(limits=httpx2.Limits(max_connections=_CONNECTIONS_MAX), follow_redirects=False)
    return StampClient(settings.tsa_url, read_trust(settings.tsa_trust), http, clock, timeout_s=settings.tsa_timeout_s)


def read_trust(path: Path) -> StampTrust:
    """
    Read the certificates of trusted authorities, as PEM: roots, or authorities themselves.

    Raises:
        SettingsError: there are none, or they cannot be read.
    """
    try:
        return StampTrust(x509.load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"无法读取时间戳信任证书 {path}：{error}。",
            f"The trusted certificates for time stamps {path} cannot be read: {error}.",
        ) from error
