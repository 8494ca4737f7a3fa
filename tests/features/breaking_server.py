"""A server on this machine that breaks, stalls, lies, or does as it should."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from limner.features import download as module


@dataclass
class Behaviour:
    """What the server does."""

    content: bytes
    ranges: bool = True
    """Continue a file when asked to."""
    cut: int | None = None
    """Bytes after which a connection breaks."""
    stall_sec: float = 0.0
    """Silence in the middle of an answer."""
    statuses: list[int] = field(default_factory=list)
    """Answer the next requests with these."""
    shift: int = 0
    """Send another part than asked for, by this many bytes."""
    sized: bool = True
    """Say how long an answer is."""
    starts: list[int] = field(default_factory=list)
    """First bytes that were asked for, so far; a request for one byte alone is not counted."""
    paths: list[str] = field(default_factory=list)
    """Files that were asked for, so far."""


@dataclass
class Server:
    url: str
    """Of any file: all have the same content."""
    behaviour: Behaviour


@contextmanager
def serving(content: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve `content` under every path while entered."""
    behaviour = Behaviour(content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            start = int(asked[1]) if asked and behaviour.ranges else 0
            behaviour.paths.append(self.path)
            if not asked or not asked[2]:
                behaviour.starts.append(int(asked[1]) if asked else 0)
            if behaviour.statuses:
                self.send_error(behaviour.statuses.pop(0))
                return
            start += behaviour.shift if asked else 0
            end = int(asked[2]) + 1 if asked and asked[2] and behaviour.ranges else len(behaviour.content)
            self.send_response(206 if asked and behaviour.ranges else 200)
            if asked and behaviour.ranges:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(behaviour.content)}")
            if behaviour.sized:
                self.send_header("Content-Length", str(end - start))
            self.end_headers()
            self.wfile.write(behaviour.content[start:end][: behaviour.cut])
            self.wfile.flush()
            time.sleep(behaviour.stall_sec)

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """The client hangs up on purpose."""

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(module, "PAUSE_SEC", 0.0)
    with Quiet(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Server(f"http://127.0.0.1:{http.server_port}/weights.pth", behaviour)
        http.shutdown()
        thread.join()
