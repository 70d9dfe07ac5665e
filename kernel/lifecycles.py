"""Pictures of lifecycles: the pages under ``docs/lifecycles`` are drawn from the tables that decide."""

from collections.abc import Iterable


def drawn(title: str, module: str, *, ways: Iterable[str], ends: Iterable[str], note: str = "") -> str:
    """
    Draw a lifecycle as a Markdown page with a Mermaid state diagram.

    ``module`` is where its table stands, ``ways`` are its transitions as ``from --> to: step``, those from ``[*]``
    first, ``ends`` the stages that nothing follows.
    """
    return "\n".join(
        [
            f"# {title}",
            "",
            f"Drawn from `{module.replace('.', '/')}.py`; do not edit. To draw it again: `make docs`.",
            "",
            "```mermaid",
            "stateDiagram-v2",
            *(f"    {way}" for way in ways),
            *(f"    {end} --> [*]" for end in ends),
            "```",
            "",
            *([note, ""] if note else []),
        ]
    )
