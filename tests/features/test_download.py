"""Downloads from a server on this machine that breaks, stalls, lies, or does as it should."""

from __future__ import annotations

import hashlib
import random
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from limner.errors import WeightsError
from limner.features import download as module
from limner.features.download import download

CONTENT = random.Random(0).randbytes(300_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Behaviour:
    """What the server does."""

    content: bytes = CONTENT
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
    starts: list[int] = field(default_factory=list)
    """First bytes that were asked for, so far."""


@dataclass
class Server:
    url: str
    behaviour: Behaviour


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    behaviour = Behaviour()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            start = int(asked[1]) if asked and behaviour.ranges else 0
            behaviour.starts.append(int(asked[1]) if asked else 0)
            if behaviour.statuses:
                self.send_error(behaviour.statuses.pop(0))
                return
            start += behaviour.shift if asked else 0
            rest = behaviour.content[start:]
            self.send_response(206 if asked and behaviour.ranges else 200)
            if asked and behaviour.ranges:
                self.send_header(
                    "Content-Range", f"bytes {start}-{len(behaviour.content) - 1}/{len(behaviour.content)}"
                )
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            self.wfile.write(rest[: behaviour.cut])
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


def get(server: Server, path: Path, **changes: object) -> None:
    download(server.url, path, **{"num_bytes": len(CONTENT), "sha256": DIGEST, **changes})  # type: ignore[arg-type]


def test_a_file_arrives_whole_and_progress_ends_at_its_size(server: Server, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    path = tmp_path / "cache" / "weights.pth"
    get(server, path, progress=lambda done, total: calls.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert [child.name for child in path.parent.iterdir()] == ["weights.pth"]
    assert calls[0] == (0, len(CONTENT))
    assert calls[-1] == (len(CONTENT), len(CONTENT))
    assert calls == sorted(calls)


def test_a_connection_that_keeps_breaking_is_continued_until_the_file_is_whole(server: Server, tmp_path: Path) -> None:
    server.behaviour.cut = 70_000
    get(server, tmp_path / "weights.pth")
    assert (tmp_path / "weights.pth").read_bytes() == CONTENT
    assert server.behaviour.starts == [0, 70_000, 140_000, 210_000, 280_000]


def test_a_later_call_goes_on_where_the_last_one_stopped(server: Server, tmp_path: Path) -> None:
    server.behaviour.cut = 0
    (tmp_path / "weights.pth.part").write_bytes(CONTENT[:123_456])
    with pytest.raises(WeightsError, match=f"got 123456 of {len(CONTENT)} bytes .*call again to go on from there"):
        get(server, tmp_path / "weights.pth")
    assert not (tmp_path / "weights.pth").exists()
    server.behaviour.cut = None
    get(server, tmp_path / "weights.pth")
    assert (tmp_path / "weights.pth").read_bytes() == CONTENT
    assert set(server.behaviour.starts) == {123_456}


def test_a_server_that_cannot_continue_is_asked_for_the_whole(server: Server, tmp_path: Path) -> None:
    server.behaviour.ranges = False
    (tmp_path / "weights.pth.part").write_bytes(b"x" * 1000)
    get(server, tmp_path / "weights.pth")
    assert (tmp_path / "weights.pth").read_bytes() == CONTENT


def test_a_server_that_sends_another_part_is_not_believed(server: Server, tmp_path: Path) -> None:
    server.behaviour.shift = -10
    (tmp_path / "weights.pth.part").write_bytes(CONTENT[:5000])
    get(server, tmp_path / "weights.pth")
    assert (tmp_path / "weights.pth").read_bytes() == CONTENT
    assert server.behaviour.starts == [5000, 0]


def test_a_silent_connection_is_given_up_and_what_came_is_kept(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_SEC", 0.1)
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    server.behaviour.cut, server.behaviour.stall_sec = 0, 0.4
    with pytest.raises(WeightsError, match=r"\(timed out\)"):
        get(server, tmp_path / "weights.pth")


def test_a_server_in_trouble_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.behaviour.statuses = [503, 429]
    get(server, tmp_path / "weights.pth")
    assert (tmp_path / "weights.pth").read_bytes() == CONTENT


def test_a_refusal_is_final(server: Server, tmp_path: Path) -> None:
    server.behaviour.statuses = [404]
    with pytest.raises(WeightsError, match="the server answered 404 Not Found; get the file elsewhere"):
        get(server, tmp_path / "weights.pth")
    assert len(server.behaviour.starts) == 1


def test_another_file_is_dropped_and_named_by_its_checksum(server: Server, tmp_path: Path) -> None:
    server.behaviour.content = bytes(len(CONTENT))
    digest = hashlib.sha256(server.behaviour.content).hexdigest()
    with pytest.raises(WeightsError, match=f"got a file with sha256 {digest}, expected {DIGEST}"):
        get(server, tmp_path / "weights.pth")
    assert not (tmp_path / "weights.pth").exists()
    assert (tmp_path / "weights.pth.part").stat().st_size == 0


def test_a_page_in_place_of_the_file_is_not_taken_for_it(server: Server, tmp_path: Path) -> None:
    server.behaviour.content, server.behaviour.ranges = b"<html>please log in</html>", False
    with pytest.raises(WeightsError, match=f"got 26 of {len(CONTENT)} bytes"):
        get(server, tmp_path / "weights.pth")


def test_no_more_is_read_than_expected(server: Server, tmp_path: Path) -> None:
    server.behaviour.content = CONTENT + bytes(10**6)
    get(server, tmp_path / "weights.pth")
    assert (tmp_path / "weights.pth").read_bytes() == CONTENT


def test_a_server_that_is_not_there_is_named(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    with pytest.raises(WeightsError, match=r"127\.0\.0\.1:1/x: got 0 of 5 bytes \(.*[Rr]efused"):
        download("http://127.0.0.1:1/x", tmp_path / "x", num_bytes=5, sha256=DIGEST)


def test_a_folder_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"cannot write '.*weights\.pth\.part': .*choose another folder"):
        get(server, tmp_path / "file" / "weights.pth")


def test_of_two_downloads_at_once_one_waits_for_the_other(server: Server, tmp_path: Path) -> None:
    server.behaviour.cut, server.behaviour.stall_sec = 100_000, 0.05
    path = tmp_path / "weights.pth"
    threads = [threading.Thread(target=get, args=(server, path)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() == CONTENT
    assert sorted(server.behaviour.starts) == [0, 100_000, 200_000]  # nothing twice
    assert [child.name for child in tmp_path.iterdir()] == ["weights.pth"]
