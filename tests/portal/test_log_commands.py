"""Checking a receipt on the terminal, without any database."""

from pathlib import Path

import msgspec
import pytest

from crypto.log.receipts import Receipt
from portal.cli import main
from tests.builders.trees import a_signer, a_witness
from tests.crypto.log.test_receipts import LEAF, a_receipt, a_statement, signer


@pytest.fixture(autouse=True)
def _logs_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.cli.configure_logging", lambda _level, _form: None)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("ZHECAI_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")  # nobody asks it


def said(capsys: pytest.CaptureFixture[str], path: Path, receipt: Receipt | bytes, *options: str) -> tuple[int, str]:
    file = path / "receipt.json"
    file.write_bytes(receipt if isinstance(receipt, bytes) else msgspec.json.encode(receipt))
    status = main(["verify", "receipt", str(file), *options])
    return status, " ".join(capsys.readouterr().out.split())


def test_a_good_receipt_is_told_in_full(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    keys = ("--log-key", str(a_signer().key), "--receipt-key", str(signer().key), "--witness", str(a_witness().key))

    status, text = said(capsys, tmp_path, a_receipt(), *keys)

    assert status == 0
    assert text.count("✓") == 4
    assert f"order.accepted, {a_statement().stream} version 2" in text
    assert f"hash {LEAF.hex()}" in text
    assert "✓ leaf 6 of the 13" in text
    assert "cosigned by witness.example/w1" in text
    assert "compare" not in text


def test_who_gives_no_keys_is_told_to_compare_them(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, text = said(capsys, tmp_path, a_receipt())

    assert status == 0
    assert "compare them with the site's" in text


@pytest.mark.parametrize(
    ("receipt", "what"),
    [
        (b"no receipt", "not a receipt"),
        (a_receipt(a_statement(leaf="11" * 31 + "12")), "the proof leads to another root"),
        (a_receipt(receipt=a_receipt().receipt.replace("order.accepted", "order.refused")), "is wrong"),
    ],
)
def test_a_bad_receipt_is_refused_and_why_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, receipt: Receipt | bytes, what: str
) -> None:
    status, text = said(capsys, tmp_path, receipt)

    assert status == 1
    assert text.startswith("✗")
    assert what in text


def test_a_witness_that_is_asked_for_must_have_cosigned(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, text = said(capsys, tmp_path, a_receipt(), "--witness", str(a_witness(2).key))

    assert status == 1
    assert "✗ witness.example/w2 has not cosigned" in text


def test_a_file_or_a_key_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["verify", "receipt", str(tmp_path / "none.json")]) == 1
    assert "none.json" in " ".join(capsys.readouterr().out.split())
    status, text = said(capsys, tmp_path, a_receipt(), "--log-key", "nonsense")
    assert (status, "name+id+key" in text) == (1, True)
