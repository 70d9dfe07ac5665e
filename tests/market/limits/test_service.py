"""A site's own table of limits, and what is wrong with it in words."""

from pathlib import Path

import pytest

from kernel.settings import Settings, SettingsError
from market.limits.rules import LIMITS
from market.limits.service import table_of

HEAD = "region\tlevel\tcategory\tgroup_length\teffective_from\torder_max_fen\tyear_max_fen\tverified\tsource"


def test_without_a_file_the_sample_holds() -> None:
    assert table_of(Settings()).limits == LIMITS


def test_a_sites_own_file_takes_the_place_of_the_sample(tmp_path: Path) -> None:
    file = tmp_path / "limits.tsv"
    file.write_text(f"{HEAD}\n330000\t\t\t5\t2026-01-01\t1\t2\tyes\t浙财〔2026〕1号\n", "utf-8")

    table = table_of(Settings(order_limits=str(file)))

    assert [(limit.order_max_fen, limit.verified) for limit in table.limits] == [(1, True)]


@pytest.mark.parametrize("content", ["region\n330000\n", f"{HEAD}\n330000\tcounty\n", None])
def test_a_file_that_cannot_be_used_is_named_in_both_languages(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "limits.tsv"
    if content is not None:
        file.write_text(content, "utf-8")

    with pytest.raises(SettingsError) as error:
        table_of(Settings(order_limits=str(file)))

    assert all(str(file) in text for text in error.value.detail)
