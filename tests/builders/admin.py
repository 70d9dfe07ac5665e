"""What an operator does from the command line."""

from kernel.runtime import Kernel
from portal.cli import parser


async def act(kernel: Kernel, *arguments: str) -> None:
    """Do what a command line asks for, on this kernel."""
    asked = parser().parse_args(["admin", *arguments])
    await asked.act(kernel, asked.whom, asked.why)
