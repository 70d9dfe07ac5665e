"""``zhecai ca`` through the command line, with ``openssl`` as the one who looks at the result."""

import asyncio
import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from crypto.certificates import keyfiles
from kernel.clock import SystemClock
from kernel.settings import Settings
from kernel.trust.store import TrustStore
from portal.cli import main
from tests.builders.openssl import openssl

CREDIT_CODE = "91330106MA9901012G"


@pytest.fixture(autouse=True)
def _fewer_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyfiles, "ITERATIONS", 1000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An authority in ``tmp_path/ca``; beside it two files with passphrases."""
    (tmp_path / "secret").write_text("correct horse\n", "utf-8")
    (tmp_path / "wrong").write_text("incorrect horse\n", "utf-8")
    assert ca(tmp_path / "ca", "init", "--organisation", "浙江省财政厅") == 0
    return tmp_path / "ca"


def ca(folder: Path, what: str, *arguments: object, keyfile: str = "secret") -> int:
    options = ("--dir", str(folder), "--passphrase-file", str(folder.parent / keyfile))
    return main(["ca", what, *map(str, arguments), *options])


def _request(folder: Path) -> Path:
    made = folder.parent / "request.pem"
    files = ("-keyout", folder.parent / "key.pem", "-out", made)
    found = openssl(
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=whatever they like",
        *files,
    )
    assert found.returncode == 0, found.stderr
    return made


def _issued(folder: Path, *options: object) -> Path:
    out = folder.parent / "supplier.pem"
    named = ("--name", "张三", "--organisation", "杭州云桥科技有限公司", "--credit-code", CREDIT_CODE)
    assert ca(folder, "issue", "supplier", *named, "--csr", _request(folder), "--out", out, *options) == 0
    return out


def _listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert ca(folder, "list", "--json") == 0
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return rows


def _verify(folder: Path, certificate: Path) -> CompletedProcess[str]:
    lists = folder.parent / "lists.pem"
    texts = [openssl("crl", "-inform", "DER", "-in", folder / f"{part}.crl").stdout for part in ("root", "issuing")]
    lists.write_text("".join(texts), "utf-8")
    options = ("-x509_strict", "-crl_check_all", "-CRLfile", lists, "-CAfile", folder / "root.pem")
    return openssl("verify", *options, "-untrusted", folder / "issuing.pem", certificate)


def test_a_request_becomes_a_certificate_that_openssl_accepts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    issued = _issued(folder)

    assert _verify(folder, issued).stdout.endswith("supplier.pem: OK\n")
    (row,) = _listed(folder, capsys)
    assert (row["name"], row["credit_code"], row["profile"], row["state"]) == ("张三", CREDIT_CODE, "supplier", "valid")


def test_a_revoked_certificate_is_on_the_list(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    issued = _issued(folder)
    serial = _listed(folder, capsys)[0]["serial"]

    assert ca(folder, "revoke", serial, "--reason", "key_compromise") == 0

    assert "certificate revoked" in _verify(folder, issued).stderr
    assert _listed(folder, capsys)[0]["state"] == "revoked"
    assert ca(folder, "revoke", serial) == 1
    assert "revoked already" in capsys.readouterr().err
    assert ca(folder, "renew", serial) == 1
    assert ca(folder, "crl") == 0
    assert "certificate revoked" in _verify(folder, issued).stderr


def test_a_renewed_certificate_is_for_the_same_key_and_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    issued = _issued(folder, "--days", 30)
    serial, renewed = _listed(folder, capsys)[0]["serial"], folder.parent / "renewed.pem"

    assert ca(folder, "renew", serial, "--out", renewed) == 0

    keys = [openssl("x509", "-in", one, "-noout", "-pubkey", "-subject").stdout for one in (issued, renewed)]
    assert keys[0] == keys[1]
    rows = _listed(folder, capsys)
    assert rows[0]["not_after"] < rows[1]["not_after"]
    assert _verify(folder, renewed).returncode == 0


def test_a_new_key_comes_as_pkcs12(folder: Path) -> None:
    made = folder.parent / "officer.p12"
    named = ("--name", "李四", "--organisation", "浙江省财政厅", "--p12", made)

    assert ca(folder, "issue", "officer", *named, "--p12-passphrase-file", folder.parent / "secret") == 0

    found = openssl("pkcs12", "-in", made, "-passin", "pass:correct horse", "-nodes")
    assert (found.stdout.count("BEGIN CERTIFICATE"), found.stdout.count("BEGIN PRIVATE KEY")) == (3, 1)
    assert made.stat().st_mode & 0o077 == 0


def test_a_service_has_host_names_and_keeps_them_when_renewed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made, renewed = folder.parent / "tls.pem", folder.parent / "tls2.pem"
    options = (
        "--name",
        "zc.example.cn",
        "--dns",
        "zc.example.cn",
        "--dns",
        "www.example.cn",
        "--csr",
        _request(folder),
    )

    assert ca(folder, "issue", "service", *options, "--out", made) == 0
    assert ca(folder, "renew", _listed(folder, capsys)[0]["serial"], "--out", renewed) == 0
    for one in (made, renewed):
        said = openssl("x509", "-in", one, "-noout", "-ext", "subjectAltName").stdout
        assert "DNS:zc.example.cn, DNS:www.example.cn" in said
    assert ca(folder, "issue", "staff", *options) == 1


def test_keys_are_encrypted_at_rest_and_for_nobody_else(folder: Path) -> None:
    for part in ("root", "issuing"):
        key = folder / f"{part}.key"
        assert key.stat().st_mode & 0o077 == 0
        assert b"ENCRYPTED PRIVATE KEY" in key.read_bytes()


def test_issuing_does_not_need_the_root_s_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "root.key").unlink()

    assert _verify(folder, _issued(folder)).returncode == 0
    assert ca(folder, "crl") == 0
    assert "The root's key is not here" in capsys.readouterr().out


def test_without_out_the_certificate_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert ca(folder, "issue", "staff", "--name", "王五", "--csr", _request(folder)) == 0
    assert capsys.readouterr().out.startswith("-----BEGIN CERTIFICATE-----")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("init", "--organisation", "x"), "never overwritten"),
        (("issue", "staff", "--name", "王五"), "say for which key"),
        (("issue", "staff", "--name", "王五", "--credit-code", "123", "--csr", "x"), "credit code"),
        (("issue", "staff", "--name", "王五", "--csr", "/nowhere"), "No such file"),
        (("issue", "staff", "--name", "王五", "--csr", __file__), "not a certification request"),
        (("issue", "staff", "--name", "长" * 65, "--p12", "/nowhere/x"), "nobody to ask"),
        (("renew", "00FF"), "no certificate '00FF'"),
        (("revoke", "zz"), "no certificate 'zz'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    folder: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert ca(folder, *arguments) == 1
    found = " ".join(capsys.readouterr().err.split())
    assert said in found
    assert "Traceback" not in found


def test_the_site_s_own_authority_is_opened_with_the_service_s_passphrase(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data_dir=tmp_path)
    asyncio.run(TrustStore(settings, SystemClock()).create_trial())

    assert main(["ca", "crl", "--data", str(tmp_path)]) == 0
    assert "issuing.crl, good for 7 days" in capsys.readouterr().out
    (tmp_path / "secrets" / "ca-passphrase.sealed").unlink()
    assert main(["ca", "crl", "--data", str(tmp_path)]) == 1
    assert "nobody to ask for the passphrase" in capsys.readouterr().err


def test_a_wrong_passphrase_and_an_empty_folder_are_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ca(folder, "crl", keyfile="wrong") == 1
    assert "the passphrase is wrong" in capsys.readouterr().err
    assert ca(folder / "elsewhere", "list") == 1
    assert "zhecai ca init" in " ".join(capsys.readouterr().err.split())


def test_a_damaged_register_is_said_and_not_passed_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _issued(folder)
    register = folder / "register.jsonl"
    register.write_bytes(register.read_bytes()[:-20])
    assert ca(folder, "list") == 1
    assert "line 2" in capsys.readouterr().err


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["ca", "--help"])
    assert "zhecai ca revoke" in capsys.readouterr().out
