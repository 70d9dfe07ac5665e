"""
What an operator may set (配置), read once at the start from the environment and a file.

Each field of :class:`Settings` is the variable ``ZHECAI_`` plus its name in capitals, and a key of that name in the
TOML file. The environment wins. What is not understood is refused, never passed over: a mistyped
``ZHECAI_DATABSE_URL`` must not start an empty embedded database.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from kernel.access.assurance import Assurance
from kernel.allowances import (
    Algorithms,
    BatchLength,
    Bind,
    BodyBytes,
    BufferBytes,
    CertificateFile,
    DatabaseUrl,
    Directory,
    DrainSeconds,
    FlushSeconds,
    Hosts,
    IdleSeconds,
    LogReadyMb,
    Networks,
    PerMinute,
    PoolSize,
    Port,
    Program,
    PublicUrl,
    QueueAge,
    QueueLength,
    RedisUrl,
    SessionSeconds,
    StepUpSeconds,
    TimeoutSeconds,
    Tls,
    TlsMode,
    TrustFile,
    Urls,
    WitnessCount,
    WitnessList,
    Workers,
    Yes,
    allowed,
)
from kernel.spelling import CHECKS, refuse

_PREFIX: Final = "ZHECAI_"
_OTHER_VARIABLES: Final = (f"{_PREFIX}CONFIG", f"{_PREFIX}TEST_", f"{_PREFIX}BENCH_", f"{_PREFIX}UI_")
_STEP_UP_S: Final = 15 * 60


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    JSON = "json"
    CONSOLE = "console"
    AUTO = "auto"
    """Console at a terminal, JSON otherwise."""


class Source(StrEnum):
    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    COMMAND = "command line"


class SettingsError(Exception):
    """
    A setting that cannot be used; ``detail`` holds the Chinese and the English sentence.

    Both name the variable, where it was set, what is wrong and what is allowed; never a secret's value.
    """

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh} {en}")
        self.detail: Final = (zh, en)


AssuranceLevel = Annotated[
    Assurance | None,
    allowed(
        "password（仅限演示环境）、second-factor、certificate",
        "password (in a demonstration only), second-factor, certificate",
    ),
]
Level = Annotated[LogLevel, allowed("debug、info、warning、error", "debug, info, warning, error")]
Format = Annotated[LogFormat, allowed("json、console、auto", "json, console, auto")]


class Settings(msgspec.Struct, frozen=True):
    """Every setting with its default; times in seconds, sizes in bytes."""

    database_url: DatabaseUrl = None
    """None: the embedded PostgreSQL."""
    redis_url: RedisUrl = None
    """None: the embedded Valkey."""
    data_dir: Directory = Path("var")
    """Where the embedded engines and the files live; see :func:`default_data_dir` for where that is."""
    blob_dir: Program = None
    """Where files that are never changed are kept, such as pictures; None: ``blobs`` in ``data_dir``. Several machines
    name a directory that they share."""
    pg_bindir: Program = None
    """Directory with ``postgres`` and ``initdb``; None: look for one."""
    pg_log_ready_mb: LogReadyMb = None
    """
    How many MB of the embedded PostgreSQL's log are made at the first start and kept, so that no commit waits for them;
    None: a fiftieth of the disk, 64 to 2048.
    """
    redis_bin: Program = None
    """Program of the embedded Redis; None: look for one."""
    vault_key_file: Program = None
    """Master keys of secrets at rest; None: ``vault.key`` in the data directory, made when it is first needed."""
    tsa_url: Urls = ()
    """Time stamp authorities (RFC 3161), asked in this order; none: nothing is stamped."""
    tsa_trust: TrustFile = None
    """PEM file of whom to believe about time: roots, or authorities themselves; needed with ``tsa_url``."""
    tsa_timeout_s: TimeoutSeconds = 5.0
    """How long one authority may take."""
    trust_dir: Program = None
    """Directory of outside authorities: ``*.pem`` (roots and those below) and ``*.crl`` (revocation lists)."""
    revocation_hosts: Hosts = ()
    """Hosts of outside authorities' lists and responders which their own certificates do not name, or inside ones."""
    revocation_timeout_s: TimeoutSeconds = 5.0
    """How long one fetch of a revocation list or an answer may take."""
    ca_passphrase_file: Program = None
    """First line: passphrase of the site's own authority; None: sealed in the vault."""
    denied_algorithms: Algorithms = ""
    """Algorithms that are refused for what is made from midnight UTC of a day on."""
    order_limits: Program = None
    """Table of the limits on direct orders; None: the unverified sample that ships."""
    bind: Bind = "127.0.0.1"
    port: Port = 8420
    tls: Tls = TlsMode.AUTO
    """Whether the service speaks TLS itself; ``auto``: unless bound to loopback, and not for a demonstration."""
    tls_cert: CertificateFile = None
    """Certificate of the web site, then those above it; None: that of ``zhecai keys``, made for a trial if need be."""
    tls_key: CertificateFile = None
    public_url: PublicUrl = None
    """How browsers reach the service, when through a proxy; None: as they ask."""
    trusted_proxies: Networks = ()
    """Whose ``X-Forwarded-For`` is believed."""
    workers: Workers = 1
    pool_size: PoolSize = 10
    """A process opens at most twice as many database connections, and six more."""
    demo: Yes = False
    """Shows the sample accounts on the login page: never on a real site."""
    log_level: Level = LogLevel.INFO
    log_format: Format = LogFormat.AUTO
    assurance: AssuranceLevel = None
    """
    The strongest proof that acts ask for: an act that the access table puts above it asks for this much. None: password
    in a demonstration, second-factor elsewhere. ``password`` is refused outside a demonstration.
    """
    step_up_s: StepUpSeconds = None
    """How old a proof may be for an act that binds. None: any age in a demonstration, 900 elsewhere."""
    session_idle_s: IdleSeconds = 30 * 60
    session_absolute_s: SessionSeconds = 12 * 3600
    body_bytes_max: BodyBytes = 1 << 20
    account_reads_per_min: PerMinute = 3_000
    """Requests of one account in a minute that only read; who sends more is told when to go on (429)."""
    account_acts_per_min: PerMinute = 1_800
    """Requests of one account that write, offers in an auction among them."""
    account_heavy_per_min: PerMinute = 240
    """Requests of one account for what takes long: documents, exports, uploads, searches."""
    account_frames_per_min: PerMinute = 6_000
    """Messages of one account to live halls; who sends more is cut off."""
    address_reads_per_min: PerMinute = 60_000
    """The same of one address, behind which a whole office may be; of IPv6, one network of 64 bits."""
    address_acts_per_min: PerMinute = 36_000
    address_heavy_per_min: PerMinute = 4_800
    address_public_per_min: PerMinute = 60_000
    """Pages, pictures and what everybody may keep: counted by address alone."""
    address_frames_per_min: PerMinute = 120_000
    queue_len_max: QueueLength = 20_000
    """Commands that wait for a commit; a longer queue is refused with 503."""
    batch_len_max: BatchLength = 256
    """Commands that share one commit."""
    queue_age_max_s: QueueAge = 5.0
    """A command that has waited longer is refused with 503, undone."""
    drain_s: DrainSeconds = 0.3
    """How long the close of an auction waits for punctual offers that are still being decided."""
    flush_min_s: FlushSeconds = 0.1
    """The shortest time between two messages to the viewers of one hall."""
    viewer_buffer_bytes_max: BufferBytes = 1 << 18
    """A viewer who lags by more is cut off with a hint to come back."""

    log_key: Program = None
    """Private key of the transparency log (PEM, Ed25519); None: sealed in the vault."""
    witnesses: WitnessList = ()
    """Who cosigns the transparency log's checkpoints."""
    witnesses_required: WitnessCount = 0
    """Cosignatures without which an award is refused; 0 on a trial."""

    sources: dict[str, Source] = {}
    """Where each value that is not a default comes from; filled in by :func:`load_settings`."""

    @property
    def blobs_path(self) -> Path:
        """Say where files that are never changed are kept."""
        return self.blob_dir or self.data_dir / "blobs"

    @property
    def proof_max(self) -> Assurance:
        """The strongest proof that this site asks for."""
        return self.assurance or (Assurance.PASSWORD if self.demo else Assurance.SECOND_FACTOR)

    @property
    def proof_age_max_s(self) -> int | None:
        """How old a proof may be for an act that binds; ``None`` for any age."""
        return self.step_up_s or (None if self.demo else _STEP_UP_S)

    def describe(self) -> Iterator[tuple[str, str, Source]]:
        """Yield each setting: its name, its value with passwords masked, and where it comes from."""
        for name in NAMES:
            yield name, _shown(getattr(self, name)), self.sources.get(name, Source.DEFAULT)


NAMES: Final = tuple(name for name in Settings.__struct_fields__ if name != "sources")
"""The settings that may be given, in the order that they are shown in."""

_TYPES: Final = get_type_hints(Settings, include_extras=True)


def load_settings(
    environ: Mapping[str, str], file: Path | None = None, given: Mapping[str, str] | None = None
) -> Settings:
    """
    Read the settings: ``given`` (from the command line) wins over ``environ``, that over the file.

    ``file`` defaults to ``ZHECAI_CONFIG``. An empty variable counts as not set.

    Raises:
        SettingsError: A value is not allowed, a name unknown, or the file cannot be read.
    """
    if file is None and environ.get(f"{_PREFIX}CONFIG"):
        file = Path(environ[f"{_PREFIX}CONFIG"])
    values: dict[str, Any] = {"data_dir": default_data_dir(environ)}
    sources: dict[str, Source] = {}
    for source, found in (
        (Source.FILE, _from_file(file) if file is not None else {}),
        (Source.ENVIRONMENT, _from_environment(environ)),
        (Source.COMMAND, dict(given or {})),
    ):
        for name, value in found.items():
            place = _Place(name, source, file)
            if name not in NAMES:
                raise _unknown(place)
            values[name] = _checked(place, value)
            sources[name] = source
    settings = Settings(**values, sources=sources)
    _check_together(settings, file)
    return settings


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """
    Choose where the data lives when nobody says: the same place wherever the service is started from.

    A relative ``./var`` would be another, empty database in every directory, which looks like lost data. So:
    the directory that systemd made (``STATE_DIRECTORY``), else the user's data directory.

    Source: systemd.exec(5); XDG Base Directory Specification 0.8.
    """
    if state := environ.get("STATE_DIRECTORY"):
        return Path(state.split(":", 1)[0])
    if (base := environ.get("XDG_DATA_HOME")) and Path(base).is_absolute():
        return Path(base) / "zhecai"
    if home := environ.get("HOME"):
        return Path(home) / ".local" / "share" / "zhecai"
    return Path("/var/lib/zhecai")


def masked(url: str) -> str:
    """Write ``url`` without its password, whether it stands before the host or in the query."""
    url = re.sub(r"(?i)([?&](?:ssl)?password=)[^&]*", r"\1***", url)
    scheme, slashes, rest = url.partition("://")
    secret, at, place = rest.rpartition("@")  # the last one: a password may hold an unescaped @, / or ?
    user, colon, _password = secret.partition(":")
    return f"{scheme}{slashes}{user}{colon}{'***' if colon else ''}{at}{place}"


class _Place(msgspec.Struct, frozen=True):
    """Which setting, and where it was given."""

    name: str
    source: Source
    file: Path | None = None

    @property
    def variable(self) -> str:
        match self.source:
            case Source.COMMAND:
                return f"--{self.name.replace('_', '-')}"
            case Source.FILE:
                return self.name
            case Source.ENVIRONMENT | Source.DEFAULT:
                return f"{_PREFIX}{self.name.upper()}"

    @property
    def words(self) -> tuple[str, str]:
        match self.source:
            case Source.COMMAND:
                return f"命令行选项 {self.variable}", f"the option {self.variable} of the command line"
            case Source.FILE:
                return f"配置文件 {self.file} 中的 {self.variable}", f"{self.variable} in the file {self.file}"
            case Source.ENVIRONMENT | Source.DEFAULT:
                return f"环境变量 {self.variable}", f"the environment variable {self.variable}"


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(_PREFIX).lower(): value
        for name, value in environ.items()
        if name.startswith(_PREFIX) and not name.startswith(_OTHER_VARIABLES) and value.strip()
    }


def _from_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(
            f"无法读取配置文件 {file}：{error.strerror}。",
            f"The configuration file {file} cannot be read: {error.strerror}.",
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(
            f"配置文件 {file} 不是有效的 UTF-8 编码 TOML：{error}。",
            f"The configuration file {file} is not TOML in UTF-8: {error}.",
        ) from error


def _unknown(place: _Place) -> SettingsError:
    near = difflib.get_close_matches(place.name, NAMES, n=1)
    suggestion = _Place(near[0], place.source).variable if near else ""
    zh, en = place.words
    return SettingsError(
        f"{zh} 不是已知的配置项" + (f"，是否应为 {suggestion}？" if near else "。"),
        f"{_sentence(en)} is not a known setting" + (f"; did you mean {suggestion}?" if near else "."),
    )


def _checked(place: _Place, value: object) -> object:
    """Return ``value`` as the type that the setting has."""
    try:
        return _converted(place, value)
    except (msgspec.ValidationError, ValueError) as error:
        zh, en = place.words
        shown = _shown(value)
        allowed_zh, allowed_en = _allowance(place.name)
        raise SettingsError(
            f"{zh} 的值 {shown!r} 无效；允许：{allowed_zh}。",
            f"{_sentence(en)} has the value {shown!r}, which is not valid; allowed: {allowed_en}.",
        ) from error


def _converted(place: _Place, value: object) -> object:
    typed = _TYPES[place.name]
    text = place.source is not Source.FILE
    if isinstance(value, str):
        value = value.strip()
    kind = typed.__origin__
    if text and kind is bool:
        return _YES_AND_NO[str(value).lower()] if str(value).lower() in _YES_AND_NO else refuse(value)
    if text and get_origin(kind) is tuple:
        value = [part.strip() for part in str(value).split(",") if part.strip()]
    if text and kind in (LogLevel, LogFormat, TlsMode):
        value = str(value).lower()
    if kind in (Path, Path | None):
        return Path(msgspec.convert(value, Annotated[str, Meta(min_length=1)])).expanduser()
    converted = msgspec.convert(value, typed, strict=not text)
    check = CHECKS.get(place.name)
    return check(converted) if check is not None and converted is not None else converted


def _allowance(name: str) -> tuple[str, str]:
    for note in _TYPES[name].__metadata__:
        if note.extra:
            zh, en = note.extra["allowed"]
            return str(zh), str(en)
    raise AssertionError(name)


_YES_AND_NO: Final = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}

_GOES_WITH: Final = {
    "session_absolute_s": "session_idle_s",
    "batch_len_max": "queue_len_max",
    "witnesses_required": "witnesses",
    "assurance": "demo",
    "tsa_trust": "tsa_url",
    "tls_key": "tls_cert",
}
"""Settings that are checked against another one."""


def _check_together(settings: Settings, file: Path | None) -> None:
    for name, good in (
        ("session_absolute_s", settings.session_absolute_s >= settings.session_idle_s),
        ("batch_len_max", settings.batch_len_max <= settings.queue_len_max),
        ("assurance", settings.demo or settings.assurance is not Assurance.PASSWORD),
        ("witnesses_required", settings.witnesses_required <= len(settings.witnesses)),
        ("tls_key", (settings.tls_key is None) == (settings.tls_cert is None)),
        ("tsa_trust", settings.tsa_trust is not None or not settings.tsa_url),
    ):
        if not good:
            other = _GOES_WITH[name]
            blamed = name if name in settings.sources else other
            place = _Place(blamed, settings.sources[blamed], file)
            allowed_zh, allowed_en = _allowance(name)
            zh, en = place.words
            raise SettingsError(
                f"{zh} 的值 {getattr(settings, blamed)} 与另一配置项不符；{name} 允许：{allowed_zh}。",
                f"{_sentence(en)} has the value {getattr(settings, blamed)}, which does not go with another setting; "
                f"allowed for {name}: {allowed_en}.",
            )


def _shown(value: object) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(_shown, value))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else masked(str(value))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] if words.startswith("the ") else words
