"""What each kind of setting allows, in words for the operator as well."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta

_DAY_S: Final = 86_400


class TlsMode(StrEnum):
    """Whether the service speaks TLS itself."""

    AUTO = "auto"
    """Yes, unless only this machine reaches it or it is a demonstration."""
    ON = "on"
    OFF = "off"
    """For a proxy that ends TLS and reaches the service over a network that is trusted."""


def allowed(zh: str, en: str) -> Meta:
    return Meta(extra={"allowed": (zh, en)})


Port = Annotated[
    int, Meta(ge=0, le=65_535), allowed("0 至 65535，0 表示任意空闲端口", "0 to 65535, 0 for any free port")
]
Workers = Annotated[int, Meta(ge=1, le=64), allowed("1 至 64", "1 to 64")]
IdleSeconds = Annotated[int, Meta(ge=60, le=_DAY_S), allowed("60 至 86400 秒", "60 to 86400 seconds")]
SessionSeconds = Annotated[
    int,
    Meta(ge=300, le=7 * _DAY_S),
    allowed("300 至 604800 秒，且不小于 session_idle_s", "300 to 604800 seconds, not below session_idle_s"),
]
StepUpSeconds = Annotated[
    Annotated[int, Meta(ge=60, le=_DAY_S)] | None, allowed("60 至 86400 秒", "60 to 86400 seconds")
]
PerMinute = Annotated[
    int, Meta(ge=1, le=1_000_000_000), allowed("每分钟 1 至 1000000000 次", "1 to 1000000000 a minute")
]
BodyBytes = Annotated[int, Meta(ge=1024, le=1 << 30), allowed("1024 至 1073741824 字节", "1024 to 1073741824 bytes")]
BufferBytes = Annotated[int, Meta(ge=4096, le=1 << 26), allowed("4096 至 67108864 字节", "4096 to 67108864 bytes")]
QueueLength = Annotated[int, Meta(ge=16, le=1_000_000), allowed("16 至 1000000 条", "16 to 1000000 commands")]
BatchLength = Annotated[
    int,
    Meta(ge=1, le=4096),
    allowed("1 至 4096 条，且不大于 queue_len_max", "1 to 4096 commands, not above queue_len_max"),
]
QueueAge = Annotated[float, Meta(ge=0.05, le=60), allowed("0.05 至 60 秒", "0.05 to 60 seconds")]
DrainSeconds = Annotated[float, Meta(ge=0, le=10), allowed("0 至 10 秒", "0 to 10 seconds")]
FlushSeconds = Annotated[float, Meta(ge=0, le=1), allowed("0 至 1 秒", "0 to 1 second")]
LogReadyMb = Annotated[Annotated[int, Meta(ge=64, le=16_384)] | None, allowed("64 至 16384 兆字节", "64 to 16384 MB")]
PoolSize = Annotated[int, Meta(ge=2, le=100), allowed("2 至 100 个连接", "2 to 100 connections")]
Tls = Annotated[TlsMode, allowed("auto、on、off", "auto, on, off")]
CertificateFile = Annotated[
    Path | None,
    allowed("PEM 文件的路径，tls_cert 与 tls_key 须同时配置", "a PEM file; tls_cert and tls_key go together"),
]
Yes = Annotated[bool, allowed("true 或 false", "true or false")]
DatabaseUrl = Annotated[
    str | None,
    allowed(
        "postgresql://用户:口令@主机[:端口][,主机…]/库名，留空则使用内嵌数据库",
        "postgresql://user:password@host[:port][,host...]/database, empty for the embedded one",
    ),
]
RedisUrl = Annotated[
    str | None,
    allowed(
        "redis://、rediss:// 或 unix:// 地址，留空则使用内嵌服务",
        "a redis://, rediss:// or unix:// address, empty for the embedded one",
    ),
]
PublicUrl = Annotated[str | None, allowed("http(s)://主机[:端口]，不含路径", "http(s)://host[:port] without a path")]
Bind = Annotated[str, allowed("本机的一个 IP 地址或主机名", "an IP address or name of this machine")]
Directory = Annotated[Path, allowed("目录的路径", "the path of a directory")]
Program = Annotated[Path | None, allowed("路径", "a path")]
Networks = Annotated[
    tuple[str, ...], allowed("以逗号分隔的 IP 地址或网段", "IP addresses or networks, separated by commas")
]
Urls = Annotated[
    tuple[str, ...],
    allowed("以逗号分隔的 http(s):// 地址", "http(s):// addresses, separated by commas"),
]
Hosts = Annotated[
    tuple[str, ...],
    allowed(
        "以逗号分隔的主机名或 IP 地址，不带端口", "names of hosts or IP addresses without ports, separated by commas"
    ),
]
TrustFile = Annotated[
    Path | None, allowed("PEM 文件的路径，配置 tsa_url 时必填", "the path of a PEM file, needed with tsa_url")
]
TimeoutSeconds = Annotated[float, Meta(ge=0.1, le=60), allowed("0.1 至 60 秒", "0.1 to 60 seconds")]
WitnessList = Annotated[
    tuple[str, ...],
    allowed(
        "以逗号分隔的见证方，每个为 http(s) 地址、空格、公钥（name+id+key）",
        "witnesses separated by commas, each an http(s) address, a space and its key (name+id+key)",
    ),
]
WitnessCount = Annotated[
    int,
    Meta(ge=0, le=16),
    allowed("0 至 16，且不大于 witnesses 的个数", "0 to 16, not above the number of witnesses"),
]
Algorithms = Annotated[
    str,
    allowed(
        "以逗号分隔的 算法@日期，如 rsa-pkcs1v15-sha256@2031-01-01",
        "algorithm@date, separated by commas, such as rsa-pkcs1v15-sha256@2031-01-01",
    ),
]
