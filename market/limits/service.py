"""What the orders need of the limits: the kind of the spending streams, and the table that holds here."""

from functools import cache
from pathlib import Path
from typing import Final

from kernel.settings import Settings, SettingsError
from market.limits.queries import SPENDING
from market.limits.rules import LIMITS, LimitTable, read_table

__all__ = ["SPENDING", "table_of"]

_SHIPPED: Final = LimitTable(LIMITS)


def table_of(settings: Settings) -> LimitTable:
    """
    Return the limits of this site: those of the file that ``order_limits`` names, or the sample that ships.

    The file is read once; a new one takes a restart, like every setting.

    Raises:
        SettingsError: the file cannot be read or makes no sense; ask before serving.
    """
    return _SHIPPED if settings.order_limits is None else _read(settings.order_limits)


@cache
def _read(path: str) -> LimitTable:
    try:
        return LimitTable(read_table(Path(path).read_text("utf-8")))
    except (OSError, ValueError, KeyError) as error:
        raise SettingsError(
            f"ZHECAI_ORDER_LIMITS 所指文件 {path} 无法使用：{error}。列名与格式见 market/limits/limits.tsv。",
            f"The file {path} that ZHECAI_ORDER_LIMITS names cannot be used: {error}. "
            "Columns and form are those of market/limits/limits.tsv.",
        ) from error
