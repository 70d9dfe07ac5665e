"""
Become an engine: run as ``python -I -S launch.py PARENT SIGNAL IDENTITY NEEDED PROGRAM ARGUMENT...``.

A small program of its own, because what it does must happen between fork and exec, where a process
with threads may do nearly nothing. It
1. gives up being root, as IDENTITY says (PostgreSQL refuses to run as root): ``same`` changes nothing,
   ``namespace`` makes a user namespace in which root is seen as another user, ``switch`` changes to it;
2. asks the kernel for SIGNAL when PARENT dies, so that no kill of the service leaves an engine behind;
   after step 1, because a change of credentials forgets the request;
3. becomes PROGRAM.

Imports nothing of ours and little of Python's: it runs before every start.
"""

import ctypes
import os
import sys

UID = 65534
"""The user ``nobody``; a user namespace shows it instead of root."""

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION = 0x20080522


def _checked(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def _enter_namespace(libc: ctypes.CDLL) -> None:
    """See root as ``UID``; files on disk stay root's."""
    uid, gid = os.geteuid(), os.getegid()
    _checked(libc.unshare(_CLONE_NEWUSER), "unshare")
    for name, line in (("setgroups", "deny"), ("uid_map", f"{UID} {uid} 1"), ("gid_map", f"{UID} {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib costs 5 ms to import
            file.write(line)


def _switch_user(libc: ctypes.CDLL, needed: list[str]) -> None:
    """Become ``UID`` for good; keep the right to pass closed directories only where one is in the way."""
    _checked(libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0), "keep capabilities")
    os.setgroups([])
    os.setresgid(UID, UID, UID)
    os.setresuid(UID, UID, UID)
    if all(os.access(path, os.R_OK | os.X_OK) for path in needed):
        return
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    one = 1 << _CAP_DAC_OVERRIDE
    sets = (ctypes.c_uint32 * 6)(one, one, one, 0, 0, 0)  # effective, permitted, inheritable; low words, then high
    _checked(libc.capset(header, sets), "capset")
    _checked(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0), "ambient capability")


def main(arguments: list[str]) -> None:
    """Do what the heading says; ends as PROGRAM or with a message on standard error and status 126."""
    parent, signal, identity, needed, *command = arguments
    try:
        if sys.platform == "linux":
            libc = ctypes.CDLL(None, use_errno=True)
            if identity == "namespace":
                _enter_namespace(libc)
            elif identity == "switch":
                _switch_user(libc, [command[0], *filter(None, needed.split(os.pathsep))])
            _checked(libc.prctl(_PR_SET_PDEATHSIG, int(signal), 0, 0, 0), "parent death signal")
            if os.getppid() != int(parent):  # it died before the request was made
                sys.exit(125)
        os.execv(command[0], command)  # noqa: S606 - to become it is the point
    except OSError as error:
        sys.stderr.write(f"launch: {error}\n")
        sys.exit(126)


if __name__ == "__main__":
    main(sys.argv[1:])
