"""Downloads from a server on this machine that breaks, stalls, lies, or does as it should."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from features.breaking_server import Server, serving
from limner.errors import WeightsError
from limner.features import download as module
from limner.features.download import download, published_size

CONTENT = random.Random(0).randbytes(300_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving(CONTENT, monkeypatch) as running:
        yield running


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


def test_the_size_of_a_file_is_what_its_server_says(server: Server) -> None:
    assert published_size(server.url) == len(CONTENT)
    server.behaviour.ranges = False
    assert published_size(server.url) == len(CONTENT)
    server.behaviour.statuses = [503]
    assert published_size(server.url) == len(CONTENT)
    assert server.behaviour.starts == []  # nothing but a byte was asked for


def test_a_server_that_does_not_say_the_size_is_told_of(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.behaviour.ranges = server.behaviour.sized = False
    with pytest.raises(WeightsError, match="does not say how large the file is; get it by hand"):
        published_size(server.url)
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    with pytest.raises(WeightsError, match=r"no answer \(.*[Rr]efused.*\); call again"):
        published_size("http://127.0.0.1:1/x")


def test_without_a_checksum_the_size_alone_is_compared(server: Server, tmp_path: Path) -> None:
    get(server, tmp_path / "weights.pth", sha256=None)
    assert (tmp_path / "weights.pth").read_bytes() == CONTENT
    (tmp_path / "other.part").write_bytes(CONTENT + b"left by another file")
    with pytest.raises(WeightsError, match=f"got 300020 bytes, expected {len(CONTENT)} bytes; it was dropped"):
        get(server, tmp_path / "other", sha256=None)
    get(server, tmp_path / "other", sha256=None)
    assert (tmp_path / "other").read_bytes() == CONTENT
