from pathlib import Path

import pytest

from kernel.allowances import TlsMode
from kernel.settings import (
    NAMES,
    LogFormat,
    LogLevel,
    Settings,
    SettingsError,
    Source,
    default_data_dir,
    load_settings,
    masked,
)
from tests.builders.trees import a_signer, a_witness

HOME = {"HOME": "/home/wang"}
LOG_KEY, WITNESS = str(a_signer().key), str(a_witness().key)


def a_file(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def refusal(environ: dict[str, str], file: Path | None = None, given: dict[str, str] | None = None) -> tuple[str, str]:
    with pytest.raises(SettingsError) as refused:
        load_settings(HOME | environ, file, given)
    zh, en = refused.value.detail
    return zh, en


def test_without_anything_set_the_engines_are_embedded_and_only_this_machine_is_served() -> None:
    settings = load_settings(HOME)
    assert settings.database_url is settings.redis_url is None
    assert (settings.bind, settings.port, settings.workers, settings.demo) == ("127.0.0.1", 8420, 1, False)
    assert settings.data_dir == Path("/home/wang/.local/share/zhecai")
    assert {source for _, _, source in settings.describe()} == {Source.DEFAULT}


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = a_file(tmp_path / "zhecai.toml", 'port = 1\nworkers = 2\nbind = "::1"\n')
    settings = load_settings(HOME | {"ZHECAI_PORT": "2", "ZHECAI_WORKERS": "3"}, file, {"port": "4"})
    assert (settings.port, settings.workers, settings.bind) == (4, 3, "::1")
    sources = {name: source for name, _, source in settings.describe()}
    assert (sources["port"], sources["workers"], sources["bind"]) == (Source.COMMAND, Source.ENVIRONMENT, Source.FILE)
    assert sources["demo"] is Source.DEFAULT


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    file = a_file(tmp_path / "zhecai.toml", "port = 7")
    assert load_settings(HOME | {"ZHECAI_CONFIG": str(file)}).port == 7


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    file = a_file(tmp_path / "zhecai.toml", "port = 7")
    assert load_settings(HOME | {"ZHECAI_PORT": " ", "ZHECAI_DATABASE_URL": ""}, file).port == 7


def test_every_kind_of_value_is_read_from_words(tmp_path: Path) -> None:
    settings = load_settings(
        {
            "ZHECAI_DATABASE_URL": "postgresql://zhecai:secret@db1,db2:5433/zhecai?target_session_attrs=primary",
            "ZHECAI_REDIS_URL": "rediss://:secret@cache:6380/0",
            "ZHECAI_DATA_DIR": str(tmp_path),
            "ZHECAI_PG_BINDIR": "~/bin",
            "ZHECAI_DEMO": "Yes",
            "ZHECAI_LOG_LEVEL": "WARNING",
            "ZHECAI_LOG_FORMAT": "json",
            "ZHECAI_DRAIN_S": " 1 ",
            "ZHECAI_TRUSTED_PROXIES": "10.0.0.1, 192.168.0.0/16,fd00::/8",
            "ZHECAI_PUBLIC_URL": "https://zfcg.example.cn/",
        }
    )
    assert settings.data_dir == tmp_path
    assert settings.pg_bindir == Path("~/bin").expanduser()
    assert settings.demo is True
    assert settings.log_level is LogLevel.WARNING
    assert settings.log_format is LogFormat.JSON
    assert settings.drain_s == 1.0
    assert settings.trusted_proxies == ("10.0.0.1/32", "192.168.0.0/16", "fd00::/8")
    assert settings.public_url == "https://zfcg.example.cn"


def test_every_kind_of_value_is_read_from_a_file(tmp_path: Path) -> None:
    text = 'demo = true\ndrain_s = 1\ntrusted_proxies = ["10.0.0.1"]\nlog_level = "error"\ndata_dir = "/srv/浙采"\n'
    settings = load_settings(HOME, a_file(tmp_path / "zhecai.toml", text))
    assert settings.demo is True
    assert settings.drain_s == 1
    assert settings.trusted_proxies == ("10.0.0.1/32",)
    assert settings.log_level is LogLevel.ERROR
    assert settings.data_dir == Path("/srv/浙采")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("port", ["0", "65535"], ["-1", "65536", "x", "80.5", "0x50"]),
        ("workers", ["1", "64"], ["0", "65"]),
        ("pool_size", ["2", "100"], ["1", "101"]),
        ("session_idle_s", ["60", "43200"], ["59", "86401"]),
        ("session_absolute_s", ["1800", "604800"], ["299", "604801"]),
        ("body_bytes_max", ["1024", str(1 << 30)], ["1023", str((1 << 30) + 1)]),
        ("account_acts_per_min", ["1", "1000000000"], ["0", "1000000001", "x"]),
        ("viewer_buffer_bytes_max", ["4096", str(1 << 26)], ["4095", str((1 << 26) + 1)]),
        ("queue_len_max", ["256", "1000000"], ["15", "1000001"]),
        ("batch_len_max", ["1", "4096"], ["0", "4097"]),
        ("queue_age_max_s", ["0.05", "60"], ["0.04", "61", "nan"]),
        ("drain_s", ["0", "10"], ["-0.1", "10.1"]),
        ("flush_min_s", ["0", "1"], ["-0.1", "1.1"]),
        ("demo", ["true", "0", "on", "OFF"], ["maybe", "2"]),
        ("log_level", ["debug", "Info"], ["loud"]),
        ("log_format", ["console"], ["xml"]),
        ("bind", ["0.0.0.0", "::", "localhost", "zc-1.example.cn"], ["256.0.0.1", "a b", "http://x", "-x"]),  # noqa: S104 - allowed
        ("database_url", ["postgres:///d?host=/run/pg"], ["mysql://h/d", "postgresql://h", "postgresql:///d", "h/d"]),
        ("redis_url", ["unix:///run/valkey.sock", "redis://h"], ["http://h", "unix://", "redis://"]),
        ("public_url", ["http://h:8420"], ["h", "ftp://h", "https://h/path", "https://h?x=1", "https://u@h"]),
        ("trusted_proxies", ["10.0.0.0/8"], ["10.0.0.0/33", "proxy"]),
        (
            "witnesses",
            [f"https://witness.example {WITNESS}", f"http://127.0.0.1:8421 {WITNESS},https://w2.example/x {WITNESS}"],
            [WITNESS, "https://witness.example", f"ftp://witness.example {WITNESS}", f"https://w.example {LOG_KEY}"],
        ),
        ("witnesses_required", ["0"], ["-1", "17", "x"]),
        ("data_dir", ["/srv"], []),
    ],
)
def test_each_edge_is_kept_and_what_is_beyond_is_refused_by_name(name: str, good: list[str], bad: list[str]) -> None:
    variable = f"ZHECAI_{name.upper()}"
    for value in good:
        load_settings(HOME | {variable: value})
    for value in bad:
        zh, en = refusal({variable: value})
        assert f"环境变量 {variable} " in zh
        assert "允许" in zh
        assert f"environment variable {variable} " in en
        assert "allowed" in en
        assert repr(value) in en


def test_a_refusal_names_the_file_and_the_option(tmp_path: Path) -> None:
    file = a_file(tmp_path / "zhecai.toml", 'port = "8420"')
    zh, en = refusal({}, file)
    assert f"配置文件 {file} 中的 port" in zh
    assert f"Port in the file {file}" in en or f"port in the file {file}" in en
    zh, en = refusal({}, given={"data_dir": ""})
    assert "命令行选项 --data-dir" in zh
    assert "option --data-dir" in en


def test_values_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    zh, en = refusal({"ZHECAI_SESSION_IDLE_S": "86400"})
    assert "ZHECAI_SESSION_IDLE_S" in zh
    assert "session_absolute_s" in en
    _, en = refusal({"ZHECAI_BATCH_LEN_MAX": "200"}, a_file(tmp_path / "zhecai.toml", "queue_len_max = 199"))
    assert "ZHECAI_BATCH_LEN_MAX" in en
    load_settings(HOME | {"ZHECAI_BATCH_LEN_MAX": "199", "ZHECAI_QUEUE_LEN_MAX": "199"})
    one = f"https://witness.example {WITNESS}"
    load_settings(HOME | {"ZHECAI_WITNESSES": one, "ZHECAI_WITNESSES_REQUIRED": "1"})
    _, en = refusal({"ZHECAI_WITNESSES": one, "ZHECAI_WITNESSES_REQUIRED": "2"})
    assert "ZHECAI_WITNESSES_REQUIRED" in en


def test_a_name_that_is_not_known_is_refused_with_the_nearest(tmp_path: Path) -> None:
    zh, en = refusal({"ZHECAI_DATABSE_URL": "postgresql://h/d"})
    assert "ZHECAI_DATABASE_URL" in zh
    assert "ZHECAI_DATABASE_URL" in en
    _, en = refusal({}, a_file(tmp_path / "zhecai.toml", "xyzzy = 1"))
    assert "xyzzy" in en
    assert "did you mean" not in en
    refusal({}, a_file(tmp_path / "zhecai.toml", "[sources]\nport = 'file'"))


def test_variables_of_the_tests_are_not_settings() -> None:
    load_settings(HOME | {"ZHECAI_TEST_DATABASE_URL": "postgresql://h/d", "PORT": "x"})


@pytest.mark.parametrize("text", [b"port = ", b"port = '\xff'", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: bytes | None) -> None:
    file = tmp_path / "zhecai.toml"
    if text is not None:
        file.write_bytes(text)
    zh, en = refusal({"ZHECAI_CONFIG": str(file)})
    assert str(file) in zh
    assert str(file) in en


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:secret@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:se@cr/et@h1,h2:5433/d?a=b", "postgresql://u:***@h1,h2:5433/d?a=b"),
        (
            "postgresql://u@/d?host=/x&password=secret&sslpassword=secret",
            "postgresql://u@/d?host=/x&password=***&sslpassword=***",
        ),
        ("redis://:secret@h/0", "redis://:***@h/0"),
        ("redis://h/0", "redis://h/0"),
        ("unix:///run/valkey.sock", "unix:///run/valkey.sock"),
        ("/srv/data", "/srv/data"),
    ],
)
def test_passwords_are_masked_wherever_they_stand(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_no_secret_is_shown_by_the_description_or_a_refusal(tmp_path: Path) -> None:
    for _, value, _ in load_settings(HOME | {"ZHECAI_REDIS_URL": "redis://:s%40ecret@h"}).describe():
        assert "ecret" not in value
    for sentence in refusal({"ZHECAI_DATABASE_URL": "mysql://u:se?cret@h/d"}):
        assert "cret" not in sentence
    for sentence in refusal({}, a_file(tmp_path / "zhecai.toml", 'redis_url = ["redis://:hush@h"]')):
        assert "hush" not in sentence


def test_the_data_is_found_again_from_wherever_the_service_is_started() -> None:
    assert default_data_dir({"STATE_DIRECTORY": "/var/lib/zhecai:/x", "HOME": "/h"}) == Path("/var/lib/zhecai")
    assert default_data_dir({"XDG_DATA_HOME": "/data", "HOME": "/h"}) == Path("/data/zhecai")
    assert default_data_dir({"XDG_DATA_HOME": "relative", "HOME": "/h"}) == Path("/h/.local/share/zhecai")
    assert default_data_dir({}).is_absolute()


def test_authorities_of_time_go_with_a_trust(tmp_path: Path) -> None:
    urls = {"ZHECAI_TSA_URL": "https://tsa.example.org/, http://127.0.0.1:8421"}
    assert "tsa_trust" in refusal(urls)[1]
    settings = load_settings(HOME | urls | {"ZHECAI_TSA_TRUST": str(tmp_path)})
    assert settings.tsa_url == ("https://tsa.example.org/", "http://127.0.0.1:8421")
    assert "ZHECAI_TSA_URL" in refusal({"ZHECAI_TSA_URL": "ftp://tsa.example.org"})[1]


def test_a_certificate_of_the_site_goes_with_its_key(tmp_path: Path) -> None:
    path = str(tmp_path)
    assert "tls_key" in refusal({"ZHECAI_TLS_CERT": path})[1]
    assert "tls_key" in refusal({"ZHECAI_TLS_KEY": path})[1]
    assert load_settings(HOME | {"ZHECAI_TLS_CERT": path, "ZHECAI_TLS_KEY": path}).tls is TlsMode.AUTO
    assert load_settings(HOME | {"ZHECAI_TLS": "OFF"}).tls is TlsMode.OFF


def test_every_setting_says_what_it_allows() -> None:
    assert set(NAMES) == set(Settings.__struct_fields__) - {"sources"}
    # any word is a path
    paths = {"data_dir", "pg_bindir", "redis_bin", "order_limits", "log_key", "blob_dir", "vault_key_file"}
    paths |= {"tsa_trust", "tls_cert", "tls_key", "trust_dir", "ca_passphrase_file"}
    for name in set(NAMES) - paths:
        _, en = refusal({}, given={name: "\x00 nonsense \x00"})
        assert "allowed" in en
