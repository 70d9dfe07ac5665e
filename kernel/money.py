"""
Money is whole fen (分, a hundredth of a yuan): no float reaches a price, a budget or a ranking.

Yuan exist only at the edge, in :func:`parse_yuan` and :func:`format_yuan`.
"""

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final, NewType

Fen = NewType("Fen", int)

FEN_MAX: Final = Fen(10**15)
"""Ten trillion yuan: above any procurement, and its sum over 9,000 rows still fits a BIGINT."""

_YUAN = re.compile(r"(?:[0-9]{1,14}|[0-9]{1,3}(?:,[0-9]{3}){1,4})(?:\.[0-9]{1,2})?")
_EXACT: Final = Context(prec=100, rounding=ROUND_HALF_UP)  # the default 28 digits would round twice


def parse_yuan(text: str) -> Fen:
    """
    Read an amount in yuan, with at most two decimals, thousands separators allowed where they belong.

    ``12,50`` is refused: whoever means twelve and a half must not be read as twelve hundred and fifty.

    Raises:
        ValueError: not a plain non-negative amount, more than two decimals, or above ``FEN_MAX``.
    """
    plain = text.strip().replace("\N{FULLWIDTH COMMA}", ",")
    if not _YUAN.fullmatch(plain):
        raise ValueError(f"not an amount in yuan with at most two decimals: {text!r}")
    fen = int(Decimal(plain.replace(",", "")) * 100)
    if fen > FEN_MAX:
        raise ValueError(f"amount above {format_yuan(FEN_MAX)} yuan: {text!r}")
    return Fen(fen)


def format_yuan(fen: Fen) -> str:
    """Write fen as yuan with two decimals and no separators: ``-5`` is ``-0.05``."""
    sign, whole = ("-", -fen) if fen < 0 else ("", fen)
    return f"{sign}{whole // 100}.{whole % 100:02d}"


def scaled(amount: Fen, ratio: Decimal) -> Fen:
    """Multiply by a ratio, rounded half up to the fen: the only way to multiply money by a fraction."""
    product = _EXACT.multiply(Decimal(amount), ratio)
    return Fen(int(product.quantize(Decimal(1), context=_EXACT)))


def split(amount: Fen, weights: Sequence[int]) -> list[Fen]:
    """
    Divide an amount in proportion to ``weights``; the parts always sum to the whole.

    The fen left over by rounding down go one each to the largest remainders, the earlier first.

    Raises:
        ValueError: no weights, a negative one, or all zero.
    """
    total = sum(weights)
    if total <= 0 or any(weight < 0 for weight in weights):
        raise ValueError("weights must be non-negative and not all zero")
    parts = [amount * weight // total for weight in weights]
    remainders = [(-(amount * weight % total), index) for index, weight in enumerate(weights)]
    for _, index in sorted(remainders)[: amount - sum(parts)]:
        parts[index] += 1
    return [Fen(part) for part in parts]
