"""
Distinguished names: whom a certificate is for.

The unified social credit code stands in ``organizationIdentifier`` (X.520, 2.5.4.97) as ``NTRCN-<code>``, the form that
ETSI EN 319 412-1, 5.1.4, gives to numbers of national registers. Outside authorities also put the bare code there, in
``OU`` or in ``serialNumber``; :func:`credit_codes` finds it in each of these places, and who asks checks it.
"""

import re
from dataclasses import dataclass
from typing import Final

from asn1crypto import x509

from crypto.errors import CryptoError

_PREFIX: Final = "NTRCN-"
_CREDIT_CODE: Final = re.compile(r"(?<![0-9A-Z])[0-9A-HJ-NPQRTUW-Y]{2}[0-9]{6}[0-9A-HJ-NPQRTUW-Y]{10}(?![0-9A-Z])")
_PLACES: Final = ("organization_identifier", "organizational_unit_name", "serial_number")
FIELD_LEN_MAX: Final = 64
"""Characters of one field (X.520, upper bounds)."""


@dataclass(frozen=True)
class Subject:
    """Who: ``common_name`` is a person, a post or a host; ``credit_code`` and ``organisation`` are the unit's."""

    common_name: str
    organisation: str = ""
    credit_code: str = ""
    unit: str = ""
    number: str = ""

    def name(self) -> x509.Name:
        """Write the name; raises ``CryptoError`` when a field is empty that must not be, or too long."""
        fields = {
            "country_name": "CN",
            "organization_name": self.organisation,
            "organization_identifier": _PREFIX + self.credit_code if self.credit_code else "",
            "organizational_unit_name": self.unit,
            "common_name": self.common_name,
            "serial_number": self.number,
        }
        if not self.common_name.strip():
            raise CryptoError("the common name of a certificate must not be empty")
        for field, value in fields.items():
            if len(value) > FIELD_LEN_MAX or any(ord(one) < ord(" ") for one in value):
                raise CryptoError(f"{field} has at most {FIELD_LEN_MAX} characters, none of them a control character")
        return x509.Name(
            name="",
            value=x509.RDNSequence(
                [x509.RelativeDistinguishedName([_attribute(field, value)]) for field, value in fields.items() if value]
            ),
        )


def _attribute(field: str, value: str) -> x509.NameTypeAndValue:
    kind = "printable_string" if field in ("country_name", "serial_number") else "utf8_string"
    return x509.NameTypeAndValue({"type": field, "value": x509.DirectoryString(name=kind, value=value)})


def subject_of(name: x509.Name) -> Subject:
    """Read a name back; of a field that comes more than once the first counts."""
    values = _values(name)

    def first(field: str) -> str:
        return values.get(field, [""])[0]

    found = sorted(credit_codes(name))
    return Subject(
        first("common_name"),
        first("organization_name"),
        found[0] if len(found) == 1 else "",
        first("organizational_unit_name"),
        first("serial_number"),
    )


def credit_codes(name: x509.Name) -> frozenset[str]:
    """Find what looks like a unified social credit code; its check characters are not looked at."""
    values = _values(name)
    text = " ".join(value for place in _PLACES for value in values.get(place, []))
    return frozenset(_CREDIT_CODE.findall(text))


def _values(name: x509.Name) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for relative in name.chosen:
        for attribute in relative:
            values.setdefault(attribute["type"].native, []).append(str(attribute["value"].native))
    return values
