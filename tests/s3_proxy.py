"""A proxy before the S3 server of the tests: it counts, remembers headers, and now and then fails as S3 does."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import BinaryIO
from urllib.parse import urlsplit

_SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code>'
    b"<Message>Please reduce your request rate.</Message></Error>"
)
_ERRORS = {
    "503": _SLOW_DOWN,
    "500": _SLOW_DOWN.replace(b"SlowDown", b"InternalError"),
    "403": _SLOW_DOWN.replace(b"SlowDown", b"AccessDenied"),
}


_OURS = ("transfer-encoding", "content-length", "connection", "expect")


def _unchunked(stream: BinaryIO) -> bytes:
    """A body in chunks (RFC 9112, section 7.1), as one."""
    parts = []
    while size := int(stream.readline().split(b";")[0], 16):
        parts.append(stream.read(size))
        stream.readline()
    while stream.readline().strip():  # trailers
        continue
    return b"".join(parts)


@dataclass
class Proxy:
    """A running proxy. `every`: one request in so many fails, the kinds in turn; 0: none. `kinds`: which.

    "reset" never reaches the server, "lost" does and its answer is kept back, "cut" is an answer that breaks off.
    `seconds`: by which an answer is late. `spared`: methods that never fail and are not counted. `gone`: no request is
    answered, and connections are cut, as by a server that was killed.
    """

    endpoint: str
    upstream: str
    every: int = 0
    seconds: float = 0
    gone: bool = False
    kinds: tuple[str, ...] = ("503", "500", "cut", "reset")
    spared: tuple[str, ...] = ()
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def verdict(self, method: str) -> str:
        """What becomes of the next request: "" or a kind of fault."""
        if method in self.spared:
            return ""
        with self.lock:
            self.requests += 1
            if self.gone:
                self.faults["reset"] += 1
                return "reset"
            if not self.every or self.requests % self.every:
                return ""
            kind = self.kinds[self.requests // self.every % len(self.kinds)]
            self.faults[kind] += 1
            return kind


@contextlib.contextmanager
def proxy(upstream: str, every: int = 0) -> Iterator[Proxy]:
    """Start a proxy before the server at `upstream`."""
    state = Proxy("", upstream, every)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # a header and a body written apart would wait for each other

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def pass_on(self) -> None:
            chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
            body = _unchunked(self.rfile) if chunked else self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with state.lock:
                state.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            time.sleep(state.seconds)
            kind = state.verdict(self.command)
            if kind == "reset":
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if kind in _ERRORS:
                self._answer(int(kind), [("Content-Type", "application/xml")], _ERRORS[kind])
                return
            at = urlsplit(state.upstream)
            server = http.client.HTTPConnection(at.hostname or "", at.port or 80, timeout=60)
            try:
                headers_on = {name: value for name, value in self.headers.items() if name.lower() not in _OURS}
                server.request(self.command, self.path, body, headers_on | {"Content-Length": str(len(body))})
                answer = server.getresponse()
                content = answer.read()
                headers = answer.getheaders()
            except OSError:  # the server is down: so are we
                self.close_connection = True
                with contextlib.suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
                return
            finally:
                server.close()
            if kind == "lost":
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self._answer(answer.status, headers, content, cut=kind == "cut")

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes, cut: bool = False) -> None:
            self.send_response_only(status)
            named = {name.lower() for name, _ in headers}
            for name, value in headers:
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            if "content-length" not in named and status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "HEAD":
                return
            self.wfile.write(content[: len(content) // 2] if cut else content)
            if cut:
                self.close_connection = True
                with contextlib.suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
