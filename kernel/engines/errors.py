"""Why an engine cannot be had: one sentence that says what to do, in Chinese and English."""

import errno
from enum import StrEnum
from pathlib import Path
from typing import Final


class Fault(StrEnum):
    """What went wrong, for programs; the sentence is for people."""

    ABSENT = "absent"
    IN_USE = "in-use"
    PORT_TAKEN = "port-taken"
    DISK_FULL = "disk-full"
    NOT_PERMITTED = "not-permitted"
    OTHER_VERSION = "other-version"
    DAMAGED = "damaged"
    CROWDED = "crowded"
    FAILED = "failed"


class EngineError(Exception):
    """
    An engine that cannot start, or did not.

    Not a ``Problem``: it is told to whoever runs the service, not to a caller over the network.
    ``detail`` holds the Chinese and the English sentence; ``log`` the engine's own last lines, maybe none.
    """

    def __init__(self, fault: Fault, zh: str, en: str, *, log: str = "") -> None:
        super().__init__(f"{zh} {en}" + (f"\n{log}" if log else ""))
        self.fault: Final = fault
        self.detail: Final = (zh, en)
        self.log: Final = log


def disk_full(path: Path) -> EngineError:
    return EngineError(
        Fault.DISK_FULL,
        f"磁盘已满：{path} 所在的分区没有可用空间（或超出配额），请清理后重新启动；已确认的数据不受影响。",
        f"The disk is full: no space (or quota) left where {path} lies; free some and start again, nothing is lost.",
    )


def not_permitted(path: Path, reason: str) -> EngineError:
    return EngineError(
        Fault.NOT_PERMITTED,
        f"无法写入 {path}（{reason}），请更改该目录的权限，或用 ZHECAI_DATA_DIR 指定另一目录。",
        f"Cannot write to {path} ({reason}); change its permissions or name another directory in ZHECAI_DATA_DIR.",
    )


def in_use(path: Path, pid: str) -> EngineError:
    return EngineError(
        Fault.IN_USE,
        f"数据目录 {path} 正被进程 {pid} 使用，请先停止该进程，或用 ZHECAI_DATA_DIR 指定另一目录。",
        f"The data directory {path} is in use by process {pid}; stop it, or name another one in ZHECAI_DATA_DIR.",
    )


def port_taken(host: str, port: int) -> EngineError:
    return EngineError(
        Fault.PORT_TAKEN,
        f"端口 {host}:{port} 已被其他程序占用，请停止该程序或改用其他端口。",
        f"The port {host}:{port} is taken by another program; stop that program or choose another port.",
    )


def crowded(*, needed: int, room: int) -> EngineError:
    return EngineError(
        Fault.CROWDED,
        f"数据库最多允许 {room} 个连接，而本服务最多需要 {needed} 个；"
        "请调大 PostgreSQL 的 max_connections（或该库、该用户的连接上限），或减小 ZHECAI_WORKERS 或 ZHECAI_POOL_SIZE。",
        f"The database allows {room} connections, the service may need {needed}; raise PostgreSQL's max_connections "
        "(or the limit of the database or the login), or lower ZHECAI_WORKERS or ZHECAI_POOL_SIZE.",
    )


def explain(error: OSError, path: Path) -> EngineError:
    """Turn what the operating system said about ``path`` into a sentence."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return disk_full(path)
    return not_permitted(path, error.strerror or type(error).__name__)
