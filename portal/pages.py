"""
The web pages: what ``hatch_build.py`` put into ``portal/static``, served from memory.

Everything that is no other route comes here. Hashed assets never change and are cached for a year; the index is
asked for again each time, and stands for every address that the pages themselves know (/orders/…, /auctions/…).
Compressed copies are made at build time, so serving costs one lookup.
"""

import hashlib
import mimetypes
from pathlib import Path
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kernel.problems import NotFound, WrongMethod
from kernel.web.render import problem_response

STATIC: Final = Path(__file__).parent / "static"

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "worker-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""Nothing inline and nothing from elsewhere: what a page shows cannot become a program."""

_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
_ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))  # in order of preference
_TYPES: Final = {".js": "text/javascript; charset=utf-8", ".md": "text/markdown; charset=utf-8"}
_UNBUILT: Final = """<!doctype html>
<html lang="zh-CN">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>页面尚未构建 · Pages not built</title></head>
<body>
<h1>页面尚未构建</h1>
<p>服务正在运行，但网页还没有构建。请在源代码目录执行 <code>make setup</code>（或 <code>python hatch_build.py</code>），
然后刷新本页。</p>
<h1 lang="en">The pages have not been built</h1>
<p lang="en">The service runs, but its web pages are missing. Run <code>make setup</code> (or
<code>python hatch_build.py</code>) in the source directory, then reload this page.</p>
</body>
</html>
"""


class _File(NamedTuple):
    media_type: str
    etag: str
    cache_control: str
    content: bytes
    encoded: dict[str, bytes]


class Pages:
    """An ASGI application over the files of ``directory``; give it the last place among the routes."""

    def __init__(self, directory: Path = STATIC) -> None:
        self._directory: Final = directory
        self._files: dict[str, _File] = {}
        self._read_at_ns = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        request = Request(scope, receive)
        await self._answer(request)(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        path = request.url.path
        if path == "/api" or path.startswith("/api/"):
            return _nothing(request)
        if request.method not in {"GET", "HEAD"}:
            problem = WrongMethod("页面只能读取。", "Pages can only be read.", headers={"Allow": "GET, HEAD"})
            return problem_response(problem, request)
        self._refresh()
        file = self._files.get(path)
        if file is None:
            if "." in path.rpartition("/")[2]:
                return _nothing(request)
            file = self._files.get("/index.html")
        if file is None:
            return _html_headers(Response(_UNBUILT, 503, {"Retry-After": "30"}, "text/html"))
        return _sent(file, request)

    def _refresh(self) -> None:
        """
        Read all files when the index is another than last time; a build writes it last, so one stat tells.

        While a build is under way there is none: what was read before goes on being served.
        """
        try:
            written_at_ns = (self._directory / "index.html").stat().st_mtime_ns
        except FileNotFoundError:
            return
        if written_at_ns != self._read_at_ns:
            self._files, self._read_at_ns = _read(self._directory), written_at_ns


def _read(directory: Path) -> dict[str, _File]:
    endings = tuple(ending for _, ending in _ENCODINGS)
    files: dict[str, _File] = {}
    for path in directory.rglob("*"):
        if not path.is_file() or path.name.startswith(".") or path.name.endswith(endings):
            continue
        content = path.read_bytes()
        encoded = {
            name: copy.read_bytes()
            for name, ending in _ENCODINGS
            if (copy := path.with_name(path.name + ending)).exists()
        }
        place = path.relative_to(directory).as_posix()
        guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        files[f"/{place}"] = _File(
            media_type=_TYPES.get(path.suffix, guessed),
            etag=f'"{hashlib.sha256(content).hexdigest()[:32]}"',
            cache_control=_IMMUTABLE if place.startswith("assets/") else _ASK_AGAIN,
            content=content,
            encoded=encoded,
        )
    return files


def _sent(file: _File, request: Request) -> Response:
    headers = {"ETag": file.etag, "Cache-Control": file.cache_control, "Vary": "Accept-Encoding"}
    if file.etag in request.headers.get("if-none-match", "").replace("W/", "").split(", "):
        return _html_headers(Response(status_code=304, headers=headers))
    accepted = {part.partition(";")[0].strip() for part in request.headers.get("accept-encoding", "").split(",")}
    content = file.content
    for name, _ in _ENCODINGS:
        if name in accepted and name in file.encoded:
            content, headers["Content-Encoding"] = file.encoded[name], name
            break
    return _html_headers(Response(content, 200, headers, file.media_type))


def _html_headers(response: Response) -> Response:
    """Name the policy on everything that is sent: a script or a drawing that is opened by itself obeys it too."""
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


def _nothing(request: Request) -> Response:
    return problem_response(NotFound("没有这个地址。", "There is nothing at this address."), request)
