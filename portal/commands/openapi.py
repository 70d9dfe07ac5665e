"""``zhecai openapi``: the API's description, for clients and for the web pages' types."""

import argparse
import sys
from pathlib import Path

import msgspec

from portal.app import api_document
from portal.commands.options import Parsers, command


def add(parsers: Parsers) -> None:
    found = command(parsers, "openapi", "Print the API as OpenAPI 3.1.", "zhecai openapi > openapi.json")
    found.add_argument("--out", type=Path, metavar="FILE", help="write to a file instead")
    found.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    document = msgspec.json.format(msgspec.json.encode(api_document()), indent=2) + b"\n"
    if arguments.out:
        arguments.out.write_bytes(document)
    else:
        sys.stdout.buffer.write(document)
    return 0
