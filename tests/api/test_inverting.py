"""Folders of inverted pictures: what they hold, going on with them, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import tiny_config, write_pictures, write_run
from inversion.runs import write_encoder
from limner import registry
from limner.api import load, mix
from limner.api.found import load_folder, read_record, render
from limner.api.inverting import Inverted, InvertRequest, invert, open_generator
from limner.checkpoints.io import write_snapshot
from limner.config import with_changes
from limner.errors import CheckpointError, ConfigError, DataError
from limner.images import to_pil
from limner.latents import Latents
from limner.papers.base import PresetRequest

QUICK: dict[str, dict[str, Any]] = {
    "encoder": {},
    "optimise": {"steps": 3},
    "in-domain": {"steps": 3},
    "project": {"steps": 3},
    "pti": {"pivot_steps": 2, "steps": 3, "stop": 0.0},
}


@pytest.fixture(scope="module")
def encoder_run(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoders") / "encoder", tiny_run)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("data") / "photos", 3)


def request(method: str = "optimise", **changes: Any) -> InvertRequest:
    settings = {"method": method, "settings": QUICK[method], "perceptual": "none", "batch": 2, **changes}
    return InvertRequest(**settings)


def run(tiny_run: Path, photos: Path, out: Path, method: str = "optimise", **changes: Any) -> Inverted:
    return invert(tiny_run, [photos], out, request(method, **changes), device="cpu")


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


@pytest.mark.parametrize("method", QUICK)
def test_a_folder_holds_codes_pictures_numbers_and_a_page(
    method: str, tiny_run: Path, encoder_run: Path, photos: Path, tmp_path: Path
) -> None:
    made = run(tiny_run, photos, tmp_path / "out", method, encoder=encoder_run)
    names = ["000", "001", "002"]
    for kind in ("originals", "reconstructions", "progress"):
        assert sorted(path.stem for path in (tmp_path / "out" / kind).iterdir()) == names
    assert np.array_equal(pixels(tmp_path / "out" / "originals" / "001.png"), pixels(photos / "001.png"))
    codes = Latents.load(made.codes)
    assert len(codes.values) == 3
    assert codes.space == ("w" if method in ("project", "pti") else "w+")
    record = read_record(tmp_path / "out")
    assert (record["method"], record["fingerprint"]) == (method.replace("-", "_"), open_generator(tiny_run)[1])
    assert [picture["name"] for picture in record["pictures"]] == names
    assert list(record["means"]) == ["mse", "psnr", "ssim"]
    mses = [picture["numbers"]["mse"] for picture in record["pictures"]]
    assert np.isclose(made.numbers["mse"], np.mean(mses))
    page = made.page.read_text()
    assert all(f"progress/{name}.png" in page for name in names)


@pytest.mark.parametrize("method", ["optimise", "project", "pti"])
def test_what_was_found_makes_the_reconstruction_again(
    method: str, tiny_run: Path, photos: Path, tmp_path: Path
) -> None:
    run(tiny_run, photos, tmp_path, method)
    generator, identity = open_generator(tiny_run, "cpu")
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    for found in load_folder(tmp_path, generator, identity):
        (picture,) = to_pil(render(generator, found.ws[None], found))
        difference = np.abs(
            np.asarray(picture).astype(int) - pixels(tmp_path / "reconstructions" / f"{found.name}.png")
        )
        assert difference.max() <= 1
        assert bool(found.delta) == (method == "pti")
        assert bool(found.noises) == (method in ("project", "pti"))
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())


def test_running_again_does_what_is_left(tiny_run: Path, photos: Path, tmp_path: Path) -> None:
    first = run(tiny_run, photos, tmp_path)
    codes = first.codes.read_bytes()
    (tmp_path / "found" / "001.safetensors").unlink()
    stamps = {name: (tmp_path / "found" / f"{name}.safetensors").stat().st_mtime_ns for name in ("000", "002")}
    again = run(tiny_run, photos, tmp_path)
    assert (first.num_resumed, again.num_resumed) == (0, 2)
    assert {n: (tmp_path / "found" / f"{n}.safetensors").stat().st_mtime_ns for n in ("000", "002")} == stamps
    a, b = Latents.load(again.codes).values, safetensors_values(codes, tmp_path / "old.safetensors")
    assert torch.allclose(a, b, atol=1e-4)
    assert not again.remarks
    other = run(tiny_run, photos, tmp_path, settings={"steps": 4})
    assert other.num_resumed == 0
    assert "held 3 of these pictures found with other settings" in other.remarks[0]


def safetensors_values(data: bytes, path: Path) -> torch.Tensor:
    path.write_bytes(data)
    return Latents.load(path).values


def test_a_network_that_compares_is_named_with_its_scale(
    tiny_run: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from limner.features import stlpips

    monkeypatch.setattr("limner.features.stlpips.load", lambda device: stlpips.random(0))
    made = invert(
        tiny_run, [photos / "000.png"], tmp_path, request(perceptual="stlpips", settings={"steps": 1}), device="cpu"
    )
    record = read_record(tmp_path)["pictures"][0]
    assert (record["network"], record["sha256"]) == ("stlpips", "random")
    assert record["scale"] > 0
    assert list(made.numbers) == ["mse", "psnr", "ssim", "stlpips"]


def test_the_encoder_beside_its_generator_is_taken(encoder_run: Path, photos: Path, tmp_path: Path) -> None:
    assert len(run(encoder_run, photos, tmp_path, "encoder").found) == 3


def test_pictures_of_other_sizes_are_fitted_and_unreadable_ones_left_out(tiny_run: Path, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "photos", 2)
    Image.new("RGBA", (40, 20), (255, 0, 0, 0)).save(folder / "wide.png")
    (folder / "broken.png").write_bytes(b"no picture")
    made = run(tiny_run, folder, tmp_path / "out")
    assert [f.name for f in made.found] == ["000", "001", "wide"]
    assert made.remarks == ("'wide' is resized from 40x20 to 16x16",)
    assert list(made.skipped) == ["broken"]
    assert (pixels(tmp_path / "out" / "originals" / "wide.png") == 255).all()
    assert "broken" in made.page.read_text()


def test_a_generator_that_still_grows_is_told(photos: Path, tmp_path: Path) -> None:
    room = registry.get("papers", "stylegan")
    config = room.PRESETS["stylegan-tiny"].build(PresetRequest(resolution=(16, 16), batch=8))
    config = with_changes(config, {f"generator.{key}": 16 for key in ("channel_max", "w_dim", "z_dim")})
    networks = {"generator_ema": room.Generator(config.generator)}
    write_snapshot(tmp_path / "snapshot", config, networks, {"kimg": 1.0, "lod": 0.5})
    for work in (
        lambda: run(tmp_path / "snapshot", photos, tmp_path / "out"),
        lambda: mix(tmp_path / "snapshot", tmp_path / "x.png", rows="1", cols="2", device="cpu"),
    ):
        with pytest.warns(UserWarning, match=r"is still growing \(level of detail 0\.5\): codes and directions serve"):
            work()


def test_pictures_of_one_name_get_numbers(tiny_run: Path, photos: Path, tmp_path: Path) -> None:
    made = invert(tiny_run, [photos / "000.png", photos / "000.png"], tmp_path, request(), device="cpu")
    assert [f.name for f in made.found] == ["000", "000-2"]


def test_outside_a_mask_pictures_have_no_influence(tiny_run: Path, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "photos", 1)
    picture = pixels(folder / "000.png").copy()
    picture[:, 8:] = 0
    Image.fromarray(picture).save(folder / "half.png")
    mask = np.zeros((16, 16), np.uint8)
    mask[:, :8] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    found = run(tiny_run, folder, tmp_path / "out", mask=tmp_path / "mask.png").found
    assert torch.equal(found[0].ws, found[1].ws)
    assert found[0].record["numbers"] == found[1].record["numbers"]


def test_a_conditional_generator_needs_a_label(conditional_run: Path, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="this generator is conditional"):
        run(conditional_run, photos, tmp_path)
    assert len(run(conditional_run, photos, tmp_path, "project", label=1).found) == 3


@pytest.mark.parametrize("method", ["optimise", "pti"])
def test_progress_rises_to_the_end(method: str, tiny_run: Path, photos: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    invert(tiny_run, [photos], tmp_path, request(method), device="cpu", progress=lambda *c: told.append(c))
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"method": "optimize"},
            "got 'optimize', expected one of encoder, in-domain, optimise, project, pti. Did you mean",
        ),
        ({"settings": {"stpes": 1}}, "method 'optimise' has no setting 'stpes', it takes steps, lr, space, start"),
        ({"settings": {"steps": "many"}}, "optimise.steps: got 'many'"),
        ({"method": "in-domain", "settings": {}}, "method 'in-domain' needs an encoder, got none"),
        ({"batch": 0}, "batch: got 0"),
        ({"perceptual": "vgg"}, "perceptual: got 'vgg'"),
    ],
)
def test_other_requests_are_refused(
    changes: dict[str, Any], message: str, tiny_run: Path, photos: Path, tmp_path: Path
) -> None:
    wanted = InvertRequest(**{"perceptual": "none", **changes})
    with pytest.raises(ConfigError) as caught:
        invert(tiny_run, [photos], tmp_path / "out", wanted, device="cpu")
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_an_encoder_of_another_generator_is_refused(encoder_run: Path, photos: Path, tmp_path: Path) -> None:
    other = write_run(tmp_path / "other", tiny_config("faces.zip"))
    config = json.loads((encoder_run / "config.json").read_text())
    broken = tmp_path / "encoder"
    broken.mkdir()
    for path in encoder_run.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    (broken / "config.json").write_text(json.dumps({**config, "fingerprint": "0123456789abcdef"}))
    with pytest.raises(CheckpointError, match="holds an encoder of generator 0123456789abcdef, expected one of"):
        run(other, photos, tmp_path / "out", "encoder", encoder=broken)


def test_codes_of_another_generator_are_refused(tiny_run: Path, photos: Path, tmp_path: Path) -> None:
    run(tiny_run, photos, tmp_path)
    with pytest.raises(CheckpointError, match=r"holds codes of generator .*, expected other"):
        load_folder(tmp_path, load(tiny_run), "other")


def test_nothing_to_invert_is_refused(tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pictures: got none"):
        invert(tiny_run, [], tmp_path / "out", request(), device="cpu")
    with pytest.raises(DataError, match="no such folder or file"):
        invert(tiny_run, [tmp_path / "nowhere"], tmp_path / "out", request(), device="cpu")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="no picture can be read, such as 'bad'"):
        invert(tiny_run, [tmp_path / "bad.png"], tmp_path / "out", request(), device="cpu")


def test_an_empty_mask_is_refused(tiny_run: Path, photos: Path, tmp_path: Path) -> None:
    Image.new("L", (16, 16), 0).save(tmp_path / "mask.png")
    with pytest.raises(ConfigError, match="the mask of picture 0 is empty"):
        run(tiny_run, photos, tmp_path / "out", mask=tmp_path / "mask.png")


def test_damaged_results_are_refused(tiny_run: Path, photos: Path, tmp_path: Path) -> None:
    run(tiny_run, photos, tmp_path)
    (tmp_path / "found" / "000.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"is damaged .*; remove it to invert this picture again"):
        run(tiny_run, photos, tmp_path)
    (tmp_path / "inversion.json").unlink()
    with pytest.raises(CheckpointError, match=r"holds no finished inversion, expected inversion\.json"):
        read_record(tmp_path)
