"""What kinds of certificate the authority issues: what each may be used for, and for how long."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final


class Profile(StrEnum):
    """A kind of certificate."""

    ROOT = "root"
    ISSUING = "issuing"
    OFFICER = "officer"  # 开标、监督等职务
    SUPPLIER = "supplier"  # 供应商
    STAFF = "staff"  # 采购人、代理机构等单位的经办人员
    SERVICE = "service"  # 系统、设备
    TIME_STAMPING = "time-stamping"  # 时间戳服务
    SEAL = "seal"  # 平台电子印章


@dataclass(frozen=True)
class Terms:
    """``key_usage`` and ``extended`` by asn1crypto's names; ``path_length`` only for authorities."""

    days: int
    key_usage: frozenset[str]
    extended: tuple[str, ...] = ()
    path_length: int | None = None

    @property
    def authority(self) -> bool:
        return self.path_length is not None

    @property
    def validity(self) -> timedelta:
        return timedelta(days=self.days)


_SIGNS_CERTIFICATES: Final = frozenset({"key_cert_sign", "crl_sign"})
_SIGNS: Final = frozenset({"digital_signature", "non_repudiation"})
_PERSON: Final = ("client_auth", "email_protection")

TERMS: Final[dict[Profile, Terms]] = {
    Profile.ROOT: Terms(3652, _SIGNS_CERTIFICATES, path_length=1),
    Profile.ISSUING: Terms(1826, _SIGNS_CERTIFICATES, path_length=0),
    Profile.OFFICER: Terms(365, _SIGNS, _PERSON),
    Profile.SUPPLIER: Terms(365, _SIGNS, _PERSON),
    Profile.STAFF: Terms(365, _SIGNS, _PERSON),
    Profile.SERVICE: Terms(365, _SIGNS, ("server_auth", "client_auth")),
    Profile.TIME_STAMPING: Terms(1826, frozenset({"digital_signature"}), ("time_stamping",)),
    Profile.SEAL: Terms(1096, _SIGNS, ("email_protection",)),
}
"""Terms by profile; a person's certificate signs documents (PAdES asks for ``nonRepudiation``) and logs in."""
