"""
Setting a document as PDF, with typst and the Chinese fonts of a package (ADR 0048).

Cost: 50 ms for a few pages, 0.3 s the first time in a process, when the fonts are read; in a thread.
"""

from pathlib import Path
from typing import Final

import msgspec

from kernel.documents.document import Document
from kernel.problems import Unavailable

_LAYOUT: Final = Path(__file__).with_name("layout.typ")


def typeset(document: Document) -> bytes:
    """
    Set ``document`` as PDF; the same document gives the same bytes.

    Raises:
        Unavailable: the packages for it are not installed.
    """
    try:
        import pylopdf_fonts_zh_cn as fonts  # noqa: PLC0415 - only the process that sets documents needs them
        import typst  # noqa: PLC0415 - the same
    except ImportError as error:
        raise Unavailable(
            "服务器未安装文书排版所需的软件包，请联系运维人员。",
            "The server lacks the packages that set documents; its operator has to install them.",
            reason="no-typesetting",
        ) from error
    assert fonts.__file__ is not None
    pdf: bytes = typst.compile(
        _LAYOUT,
        root=_LAYOUT.parent,
        font_paths=[Path(fonts.__file__).parent],
        ignore_system_fonts=True,
        sys_inputs={"document": msgspec.json.encode(document).decode()},
    )
    return pdf
