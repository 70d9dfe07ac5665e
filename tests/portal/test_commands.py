"""The command line against a site whose database and Redis are elsewhere."""

import asyncio
import re
import socket
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import asyncpg
import msgspec
import pytest

from catalog.pictures.service import store_picture
from kernel.blobs.store import Blobs
from kernel.clock import SystemClock
from kernel.commit.by import By
from kernel.runtime import open_kernel
from kernel.settings import Settings
from portal.app import VERSION, load_actor
from portal.cli import COMMANDS, main, parser
from portal.migrate import newest_revision
from registries.organisations.rules import Kind
from tests.builders.certificates import a_pki
from tests.builders.databases import Databases
from tests.builders.pictures import a_picture
from tests.builders.registries import OPERATOR, register


class Site(NamedTuple):
    """A database with a few organisations, and the command line."""

    database_url: str
    capture: pytest.CaptureFixture[str]

    def says(self, *arguments: str) -> tuple[int, str]:
        """Run a command; give its status and all it said, on one line."""
        self.capture.readouterr()  # not what was said while the site was built
        try:
            status = main(arguments)
        except SystemExit as misuse:
            status = int(misuse.code or 0)
        out, err = self.capture.readouterr()
        return status, " ".join((out + err).split())

    def tamper(self, statement: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(self.database_url)
            await connection.execute(statement)
            await connection.close()

        asyncio.run(run())


@pytest.fixture(autouse=True)
def _logs_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """How a process logs is set up once: here it would be for all tests after these."""
    for module in ("portal.cli", "portal.commands.serve", "portal.commands.demo"):
        monkeypatch.setattr(f"{module}.configure_logging", lambda _level, _form: None)


@pytest.fixture
def site(
    databases: Databases,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Iterator[Site]:
    async def fill(url: str) -> None:
        settings = Settings(data_dir=tmp_path)
        async with open_kernel(
            settings, SystemClock(), database_url=url, redis_url=redis_url, load_actor=load_actor
        ) as kernel:
            for number in (1, 2, 3):
                await register(kernel, number, Kind.SUPPLIER)
            await store_picture(kernel, By(OPERATOR, "test", kernel.clock.now()), a_picture())
            await kernel.transparency.step()

    with asyncio.Runner() as runner:
        opened = AsyncExitStack()
        try:
            url = runner.run(opened.enter_async_context(databases.fresh()))
            runner.run(fill(url))
            monkeypatch.setenv("ZHECAI_DATABASE_URL", url)
            monkeypatch.setenv("ZHECAI_DATA_DIR", str(tmp_path))
            monkeypatch.setenv("ZHECAI_REDIS_URL", redis_url)
            monkeypatch.setenv("COLUMNS", "200")
            yield Site(url, capsys)
        finally:
            runner.run(opened.aclose())


def test_verify_is_clean_on_what_only_we_have_written(site: Site) -> None:
    status, said = site.says("verify")

    assert status == 0
    assert said.startswith(
        "✓ 4 streams with 4 entries: every state follows from the journal ✓ 2 files that are referred to"
    )
    assert "✓ 4 leaves" in said
    assert said.endswith("under 1 checkpoints: the log is the journal's")


def test_verify_finds_what_only_the_log_can_show(site: Site) -> None:
    last = "select stream from journal where stream like 'organisation/%' order by xid desc limit 1"
    site.tamper(f"delete from journal where stream = ({last})")
    site.tamper("delete from organisations where not exists (select from journal where stream = 'organisation/' || id)")

    status, said = site.says("verify")

    assert status == 1
    assert re.search(r"✗ organisation/[0-9a-f-]{36} at version 1: leaf 2 of the log is an entry that", said)
    assert "state" not in said


def test_verify_names_what_was_tampered_with_and_fails(site: Site) -> None:
    site.tamper("update organisations set name = '别的单位' where name = '测试单位2'")
    site.tamper("insert into journal values ('ghost/1', 1, default, 'x', now(), '', '', '{}', sha256(''))")

    status, said = site.says("verify")

    assert status == 1
    assert re.search(r"✗ organisation/[0-9a-f-]{36} at version 1: the state row differs: name is '别的单位'", said)
    assert "✗ ghost/1 at version 1: no kind of stream has this name" in said
    assert site.says("verify", "--kind", "order") == (
        0,
        "✓ 0 streams with 0 entries: every state follows from the journal",
    )


def blobs_of(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "blobs").rglob("*") if path.is_file())


def test_verify_finds_a_file_that_is_missing_and_one_that_was_changed(site: Site, tmp_path: Path) -> None:
    missing, changed = blobs_of(tmp_path)
    missing.unlink()
    changed.chmod(0o644)
    changed.write_bytes(changed.read_bytes() + b"!")

    status, said = site.says("verify")

    assert status == 1
    assert f"{missing.parent.name}{missing.name} has no file" in said
    assert f"{changed.parent.name}{changed.name} is not the hash of its file" in said
    assert re.search(r"✗ picture/[0-9a-f-]{36} at version 1: its (digest|thumbnail) ", said)
    assert site.says("verify", "--kind", "order")[0] == 0  # which has no files


def test_verify_remarks_on_files_that_nothing_refers_to(site: Site, tmp_path: Path) -> None:
    known = blobs_of(tmp_path)
    digest = Blobs(tmp_path / "blobs").put_now(b"nobody entered this")
    aside = tmp_path / "blobs" / "aside" / "killed"
    aside.write_bytes(b"half of")

    status, said = site.says("verify")

    assert status == 0
    assert "2 files that nothing refers to" in said
    assert f"{digest[:2]}/{digest[2:]}" in said
    assert str(aside) in said
    assert not any(str(file) in said for file in known)


def test_verify_shows_a_page_of_differences_and_counts_the_rest(site: Site) -> None:
    site.tamper(
        "insert into journal (stream, version, kind, at, actor, origin, body, leaf) "
        "select 'ghost/' || n, 1, 'x', now(), '', '', '{}', sha256('') from generate_series(1, 25) n"
    )

    status, said = site.says("verify")

    assert (status, said.count("✗")) == (1, 20)
    assert "… and 5 more" in said


def test_migrate_says_where_the_schema_is_and_goes_down_and_up_again(site: Site) -> None:
    newest = newest_revision()
    assert site.says("migrate", "--status") == (0, f"at {newest}, newest is {newest}")
    assert site.says("migrate", "--down", "0001") == (0, f"{newest} → 0001")
    assert site.says("migrate", "--status") == (1, f"at 0001, newest is {newest}")
    assert site.says("migrate", "--down", "base") == (0, "0001 → nothing")
    assert site.says("migrate") == (0, f"nothing → {newest}")
    assert site.says("migrate") == (0, f"{newest} → {newest}")


def test_migrate_explains_a_revision_that_does_not_exist(site: Site) -> None:
    status, said = site.says("migrate", "--down", "9999")

    assert status == 1
    assert "9999" in said
    assert "Traceback" not in said


def test_doctor_shows_every_setting_masks_secrets_and_says_where_they_come_from(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = site.database_url.partition("?")[2]
    user = site.database_url.partition("://")[2].partition("@")[0].partition(":")[0]
    database = site.database_url.partition("?")[0].rpartition("/")[2]
    monkeypatch.setenv("ZHECAI_DATABASE_URL", f"postgresql://{user}:hunter2@/{database}?{host}")

    status, said = site.says("doctor", "--port", "0")

    assert "hunter2" not in said
    assert f"postgresql://{user}:***@" in said
    assert "│ database_url" in said
    assert "environment" in said
    assert "command line" in said
    assert "✓ schema: " + newest_revision() in said
    assert "✓ database: PostgreSQL" in said
    assert "✓ revocation: 0 lists and answers of outside authorities in use, 0 out of date" in said
    assert "✓ clock: " in said
    assert status in {0, 1}  # whether the pages are built and the disk has room is this machine's business


def test_doctor_says_what_is_wrong(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHECAI_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, said = site.says("doctor", "--port", str(port))

    assert status == 1
    assert "✗ port:" in said
    assert str(port) in said
    assert "✗ engines:" in said


def test_doctor_looks_at_whom_certificates_are_believed_from(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "✓ certificates: no authority is trusted" in site.says("doctor", "--port", "0", "--data", str(tmp_path))[1]
    now, trust = SystemClock().now(), tmp_path / "trust"
    fresh, old = a_pki(at=now), a_pki(at=now - timedelta(days=8))
    trust.mkdir()
    monkeypatch.setenv("ZHECAI_TRUST_DIR", str(trust))
    for pki, said in ((fresh, "✓ certificates: 1 roots, 2 revocation lists, 0"), (old, "✗ certificates: 1 roots")):
        (trust / "one.pem").write_bytes(pki.root.certificate.pem())
        for number, one in enumerate(pki.lists):
            (trust / f"{number}.crl").write_bytes(one)
        assert said in site.says("doctor", "--port", "0", "--data", str(tmp_path))[1]
    (trust / "one.pem").write_bytes(fresh.root.certificate.pem())
    (trust / "0.crl").write_bytes(fresh.lists[0][:-9])
    status, said = site.says("doctor", "--port", "0", "--data", str(tmp_path))
    assert status == 1
    assert f"✗ certificates: {trust / '0.crl'} cannot be used: " in said
    assert "nobody logs in or signs by certificate (503): fetch the file anew" in said
    (trust / "0.crl").unlink()
    (trust / "one.pem").write_bytes(b"nothing")
    assert "✗ certificates:" in site.says("doctor", "--port", "0", "--data", str(tmp_path))[1]


def test_doctor_says_how_much_may_be_sent_and_that_behind_a_proxy_all_look_alike(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZHECAI_ACCOUNT_ACTS_PER_MIN", "77")
    said = site.says("doctor", "--port", "0")[1]
    assert "✓ rate limits: a minute for an account 3000 reads, 77 acts, 240 heavy, 6000 frames; for an address" in said

    for variable, value, mark in (
        ("PUBLIC_URL", "https://zc.example.cn", "✗"),
        ("TRUSTED_PROXIES", "127.0.0.1", "✓"),
    ):
        monkeypatch.setenv(f"ZHECAI_{variable}", value)
        assert f"{mark} rate limits:" in site.says("doctor", "--port", "0")[1]


def test_serve_explains_a_port_that_is_taken(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, said = site.says("serve", "--port", str(port))

    assert status == 1
    assert "✗" in said
    assert said.count(str(port)) >= 2  # in both languages
    assert "Traceback" not in said


def test_demo_does_not_empty_a_database_that_is_not_its_own(site: Site) -> None:
    status, said = site.says("demo", "--fresh", "--port", "0")

    assert status == 1
    assert "ZHECAI_DATABASE_URL" in said
    assert site.says("verify")[1].startswith("✓ 4 streams")


def test_the_api_is_described_on_the_terminal_and_in_a_file(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["openapi"]) == 0
    document = capfdbinary.readouterr().out
    assert msgspec.json.decode(document)["info"]["version"] == VERSION
    assert main(["openapi", "--out", str(tmp_path / "api.json")]) == 0
    assert (tmp_path / "api.json").read_bytes() == document


def test_a_setting_that_is_not_understood_is_misuse(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHECAI_DATABSE_URL", "x")

    status, said = site.says("verify")

    assert status == 2
    assert "did you mean ZHECAI_DATABASE_URL?" in said
    assert site.says("fly")[0] == 2
    assert site.says()[0] == 2


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__.rpartition(".")[2])
def test_every_command_has_help_and_examples(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    name = {"imports": "import"}.get(
        command.__name__.rpartition(".")[2],  # type: ignore[attr-defined]
        command.__name__.rpartition(".")[2],  # type: ignore[attr-defined]
    )
    with pytest.raises(SystemExit) as caught:
        parser().parse_args([name, "--help"])

    said = capsys.readouterr().out
    assert caught.value.code == 0
    assert f"zhecai {name}" in said.partition("examples:")[2]
    assert len(said.partition("\n\n")[2].split(".")[0]) > 10


def test_help_names_every_command_and_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["--version"]):
        with pytest.raises(SystemExit):
            main(arguments)
    said = capsys.readouterr().out

    assert f"zhecai {VERSION}" in said
    for word in ("demo", "serve", "worker", "migrate", "doctor", "verify", "import", "openapi"):
        assert f"\n    {word} " in said
    assert "serve-on" not in said


def test_ctrl_c_ends_a_command_as_the_shell_expects(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(work: Coroutine[object, object, int]) -> int:
        work.close()
        raise KeyboardInterrupt

    monkeypatch.setattr("portal.commands.verify.run_loop", interrupted)

    assert site.says("verify") == (130, "")


@pytest.mark.parametrize("what", ["classification", "goods"])
def test_a_file_that_is_not_there_or_cannot_be_read_is_explained(site: Site, tmp_path: Path, what: str) -> None:
    nonsense = tmp_path / "nonsense.csv"
    nonsense.write_bytes(b"\xff\xfe\x00nonsense")
    for file in (tmp_path / "gone.csv", tmp_path, nonsense):
        status, said = site.says("import", what, str(file))
        assert status == 1, said
        assert "✗" in said
        assert "Traceback" not in said


def an_entry(code: str, name: str, parent: str | None, level: int) -> dict[str, object]:
    return {
        "catalog_code": code,
        "catalog_name": name,
        "category_letter": code[0],
        "category_type": "goods",
        "level": level,
        "parent_code": parent,
        "description": "",
    }


def test_a_dirty_classification_is_reported_and_its_clean_rows_are_imported_when_wanted(
    site: Site, tmp_path: Path
) -> None:
    file = tmp_path / "gpc.json"
    entries = [
        an_entry("A", "货物", None, 0),
        an_entry("A02000000", "设备", "A", 1),
        an_entry("A98010000", "孤儿", "A9801", 3),
    ]
    file.write_bytes(msgspec.json.encode({"entry_count": len(entries), "entries": entries}))
    command = ("import", "classification", str(file), "--edition", "2099")

    status, said = site.says(*command)
    assert status == 1
    assert "row 3 A98010000" in said
    assert "nothing was imported" in said
    status, said = site.says(*command, "--accept-warnings", "--dry-run")
    assert status == 0
    assert said.endswith("dry run: nothing was written")
    status, said = site.says(*command, "--accept-warnings")
    assert status == 0
    assert "2 codes of edition 2099 imported" in said
    status, said = site.says(*command, "--accept-warnings", "--json")
    assert status == 0
    assert msgspec.json.decode(said)["edition"] == "2099"
    assert site.says("verify")[0] == 0


def test_goods_that_cannot_be_taken_are_reported_line_by_line(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "goods.csv"
    file.write_text("品目,名称,品牌,型号,计量单位,价格,颜色\nA02010105,台式机,,X1,台,abc,红\n", "utf-8")

    status, said = site.says("import", "goods", str(file), "--dry-run")

    assert status == 1
    assert "line 2" in said
    assert "1 rows: 0 imported" in said
    assert "(dry run)" in said
    status, said = site.says("import", "goods", str(file), "--dry-run", "--json")
    assert status == 1
    assert msgspec.json.decode(said)["rejected"] == 1
