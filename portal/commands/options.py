"""Options that several commands share, and how they become settings."""

import argparse
import os
from pathlib import Path
from typing import Any

from kernel.settings import Settings, load_settings

Parsers = Any  # argparse's own type for add_subparsers is private


def command(parsers: Parsers, name: str, help_: str, *examples: str) -> argparse.ArgumentParser:
    """Declare a command with its examples, and the options that every command takes."""
    epilog = "examples:\n" + "\n".join(f"  {example}" for example in examples)
    found: argparse.ArgumentParser = parsers.add_parser(
        name, help=help_, description=help_, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    common(found)
    return found


def common(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command takes."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings as TOML")
    parser.add_argument("--data", metavar="DIR", help="data directory of the embedded engines")


def serving(parser: argparse.ArgumentParser) -> None:
    """Add the options of commands that listen on a port."""
    parser.add_argument("--bind", metavar="ADDRESS", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", metavar="PORT", help="port to listen on, 0 for a free one")


def settings_of(arguments: argparse.Namespace, **given: str) -> Settings:
    """
    Read the settings: options win over the environment, that over the file.

    Raises:
        SettingsError: something is not understood or not allowed.
    """
    for option, name in (("data", "data_dir"), ("bind", "bind"), ("port", "port"), ("workers", "workers")):
        value = getattr(arguments, option, None)
        if value is not None:
            given[name] = str(value)
    return load_settings(os.environ, arguments.config, given)
