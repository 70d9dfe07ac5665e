"""As whom an engine runs: PostgreSQL refuses root, and root is who runs a container."""

import functools
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from kernel.engines.errors import EngineError, Fault
from kernel.engines.launch import UID

_LAUNCH: Final = str(Path(__file__).with_name("launch.py"))
_PROBE_LIMIT_S: Final = 10.0


class Identity(StrEnum):
    """How an engine is started; the words are those of ``launch.py``."""

    SAME = "same"
    """As whoever runs the service."""

    NAMESPACE = "namespace"
    """As root seen as another user: files stay root's, nothing on disk changes hands."""

    SWITCH = "switch"
    """As ``nobody``, who owns the data from then on: for containers that forbid user namespaces."""

    @property
    def owner(self) -> int:
        """The user whom the engine's files belong to."""
        return UID if self is Identity.SWITCH else os.geteuid()


@functools.cache
def unprivileged() -> Identity:
    """
    Choose how to run a program that refuses root. Costs two or three short processes, once.

    Raises:
        EngineError: We are root and may neither make a user namespace nor change the user.
    """
    if os.geteuid() != 0:
        return Identity.SAME
    for identity in (Identity.NAMESPACE, Identity.SWITCH):
        probe = launched([sys.executable, "-I", "-S", "-c", ""], identity=identity, death_signal=9)
        if subprocess.run(probe, capture_output=True, check=False, timeout=_PROBE_LIMIT_S).returncode == 0:  # noqa: S603
            return identity
    raise EngineError(
        Fault.NOT_PERMITTED,
        "PostgreSQL 不能以 root 身份运行，而本机既不允许用户命名空间也不允许切换用户；请以普通用户启动，"
        "或用 ZHECAI_DATABASE_URL 指定已有的数据库。",
        "PostgreSQL does not run as root, and neither user namespaces nor changing the user are allowed here; start "
        "as an ordinary user, or name an existing database in ZHECAI_DATABASE_URL.",
    )


def launched(
    command: Sequence[str | Path], *, identity: Identity, death_signal: int, needed: Sequence[Path] = ()
) -> list[str]:
    """
    Wrap ``command`` so that it runs as ``identity`` and gets ``death_signal`` when its parent dies.

    The parent is the **thread** that starts it (Linux), so start from one that outlives the engine.
    ``needed`` are the directories it must be able to enter.
    """
    paths = os.pathsep.join(map(str, needed))
    wrapper = [sys.executable, "-I", "-S", _LAUNCH, str(os.getpid()), str(death_signal), identity, paths]
    return [*wrapper, *map(str, command)]


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """
    Keep the few variables that an engine needs: ``PGDATA`` or ``LC_ALL`` of a shell must not change what it does.

    Messages are in English, because :mod:`kernel.engines.postgres` reads them to explain a failure.
    """
    kept = {name: environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "HOME") if name in environ}
    return {"LC_ALL": "C", "TZ": "UTC", **kept}
