"""Seeds, latent files and closed walks."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline

from limner import latents, registry
from limner.errors import CheckpointError, ConfigError, ShapeError
from limner.latents import Latents, parse_seeds, seeds_to_noises, seeds_to_z, walk


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0", [0]), ("0-3,7", [0, 1, 2, 3, 7]), ("5-5", [5]), (" 1 , 3 - 4 ", [1, 3, 4]), ("2,2", [2, 2])],
)
def test_seeds_are_numbers_and_ranges(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", ",", "1,", "a", "1-x", "-3", "1--3", "1-2-3", "1.5", "0x3", "²", "1 2", "٣"])
def test_anything_else_is_no_list_of_seeds(text: str) -> None:
    with pytest.raises(ConfigError, match=r"seeds: got '.*', expected numbers and ranges such as 0-3,7"):
        parse_seeds(text)


def test_seeds_that_run_backwards_or_too_far_are_refused() -> None:
    with pytest.raises(ConfigError, match="got the range '7-3', expected it to rise; write 3-7"):
        parse_seeds("1,7-3")
    with pytest.raises(ConfigError, match="got 4294967296, expected at most 4294967295"):
        parse_seeds(str(2**32))
    with pytest.raises(ConfigError, match="got more than 1000000 in '0-4000000000'"):
        parse_seeds("0-4000000000")


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 20)), min_size=1, max_size=8))
def test_every_list_of_ranges_reads_back(ranges: list[tuple[int, int]]) -> None:
    text = ",".join(f"{start}-{start + more}" for start, more in ranges)
    assert parse_seeds(text) == [s for start, more in ranges for s in range(start, start + more + 1)]


def test_a_seed_is_the_contract_of_the_field() -> None:
    z = seeds_to_z([85, 0, 2**32 - 1], 512)
    assert z.dtype == torch.float32
    for row, seed in zip(z, [85, 0, 2**32 - 1], strict=True):
        assert np.array_equal(row.numpy(), np.random.RandomState(seed).randn(1, 512)[0].astype(np.float32))
    # the first values of RandomState(0).randn, as printed in NumPy's documentation and everywhere else
    assert z[1, :3].tolist() == pytest.approx([1.76405235, 0.40015721, 0.97873798], abs=1e-7)
    assert seeds_to_z([], 8).shape == (0, 8)


@pytest.fixture(scope="module")
def generator():
    room = registry.get("papers", "stylegan2")
    settings = {"img_resolution": (16, 8), "channel_max": 8, "z_dim": 16, "w_dim": 16, "mapping_layers": 2}
    return room.Generator(room.GeneratorConfig(**settings)).eval().requires_grad_(False)


def test_noise_depends_on_the_seed_alone(generator) -> None:
    together = seeds_to_noises(generator, [4, 9, 4])
    assert [tuple(noise.shape) for noise in together] == [(3, 1, *shape) for shape in generator.noise_shapes]
    alone = seeds_to_noises(generator, [9])
    assert len(alone) == len(generator.noise_shapes) > 1
    for many, one in zip(together, alone, strict=True):
        assert torch.equal(many[1:2], one)
        assert torch.equal(many[0], many[2])
        assert not torch.equal(many[0], many[1])


def test_noise_continues_the_stream_of_z(generator) -> None:
    count = sum(h * w for h, w in generator.noise_shapes)
    stream = np.random.RandomState(3).randn(16 + count).astype(np.float32)
    flat = torch.cat([noise.flatten() for noise in seeds_to_noises(generator, [3])])
    assert np.array_equal(flat.numpy(), stream[16:])


def test_a_generator_takes_the_noise_of_seeds(generator) -> None:
    ws = generator.mapping(seeds_to_z([1, 2], 16))
    for layer in generator.modules():
        if hasattr(layer, "noise_strength"):
            layer.noise_strength.fill_(1.0)
    pair = generator.synthesis(ws, noises=seeds_to_noises(generator, [1, 2]))
    single = generator.synthesis(ws[1:], noises=seeds_to_noises(generator, [2]))
    torch.testing.assert_close(pair[1:], single, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(pair[1:], generator.synthesis(ws[1:], noises=seeds_to_noises(generator, [1])))


@pytest.mark.parametrize(("space", "shape"), [("z", (2, 5)), ("w", (3, 4)), ("w+", (2, 6, 4))])
def test_latents_come_back_from_a_file(tmp_path: Path, space: latents.Space, shape: tuple[int, ...]) -> None:
    original = Latents(space, torch.randn(shape, dtype=torch.float64).transpose(0, 1).contiguous().transpose(0, 1))
    path = original.save(tmp_path / "new" / "face.safetensors")
    loaded = Latents.load(path)
    assert loaded.space == space
    assert torch.equal(loaded.values, original.values.float())


def test_a_projection_of_the_official_tools_is_read(tmp_path: Path) -> None:
    w = np.random.default_rng(0).normal(size=(1, 18, 512))
    np.savez(tmp_path / "projected_w.npz", w=w)
    loaded = Latents.load(tmp_path / "projected_w.npz")
    assert loaded.space == "w+"
    assert np.array_equal(loaded.values.numpy(), w.astype(np.float32))


def test_latents_of_the_wrong_shape_or_space_are_refused() -> None:
    with pytest.raises(ConfigError, match="got space 'x', expected one of z, w, w"):
        Latents("x", torch.zeros(1, 2))  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=r"latents in w\+: got torch.float32 of \[1, 2\], expected float \[N, num_ws"):
        Latents("w+", torch.zeros(1, 2))
    with pytest.raises(ShapeError, match=r"latents in z: got torch.int64 of \[1, 2\], expected float \[N, z_dim\]"):
        Latents("z", torch.zeros(1, 2, dtype=torch.int64))


def test_files_that_hold_no_latents_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"a\.npz' does not exist"):
        Latents.load(tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes(b"no zip")
    with pytest.raises(CheckpointError, match=r"a\.npz' is damaged or no \.npz file"):
        Latents.load(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", x=np.zeros(3), y=np.zeros(3))
    with pytest.raises(CheckpointError, match=r"b.npz' holds arrays x, y, expected w of \[N, num_ws, w_dim\]"):
        Latents.load(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", w=np.zeros((2, 3)))
    with pytest.raises(CheckpointError, match=r"c.npz' holds w float64 of \[2, 3\]"):
        Latents.load(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", w=np.array([{"code": "runs"}], dtype=object))
    with pytest.raises(CheckpointError, match=r"d\.npz' is damaged or no \.npz file"):
        Latents.load(tmp_path / "d.npz")
    (tmp_path / "e.safetensors").write_bytes(b"short")
    with pytest.raises(CheckpointError, match=r"e\.safetensors' is damaged or no latents file"):
        Latents.load(tmp_path / "e.safetensors")
    (tmp_path / "f.safetensors").write_bytes(safetensors.torch.save({"a": torch.zeros(1)}, {"name": "generator"}))
    with pytest.raises(CheckpointError, match=r"f\.safetensors' holds 'generator' of format None, expected latents"):
        Latents.load(tmp_path / "f.safetensors")


def test_latents_that_cannot_be_written_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"got 'a\.npz', expected a name ending in \.safetensors"):
        Latents("z", torch.zeros(1, 2)).save(tmp_path / "a.npz")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(CheckpointError, match=r"cannot write .*: No space left on device"):
        Latents("z", torch.zeros(1, 2)).save(tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == []


MODES = ["lerp", "slerp", "cubic"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(1, 4), (2, 4), (5, 4), (3, 6, 4)])
@pytest.mark.parametrize("frames", [1, 2, 7])
def test_a_walk_meets_every_key_exactly_and_has_its_length(mode: latents.Mode, shape: tuple, frames: int) -> None:
    keys = torch.randn(shape)
    points = list(walk(keys, frames, mode))
    assert len(points) == shape[0] * frames
    assert all(point.shape == keys[0].shape and point.dtype == keys.dtype for point in points)
    for k, key in enumerate(keys):
        assert torch.equal(points[k * frames], key)


@pytest.mark.parametrize("mode", MODES)
def test_a_walk_through_one_key_stands_still(mode: latents.Mode) -> None:
    key = torch.randn(1, 8)
    for point in walk(key, 5, mode):
        torch.testing.assert_close(point, key[0])


@pytest.mark.parametrize("mode", MODES)
def test_a_walk_is_closed_and_starts_anywhere(mode: latents.Mode) -> None:
    keys = torch.randn(4, 8)
    points = torch.stack(list(walk(keys, 6, mode)))
    turned = torch.stack(list(walk(keys.roll(-1, dims=0), 6, mode)))
    torch.testing.assert_close(turned, points.roll(-6, dims=0))


def test_a_straight_walk_advances_by_equal_steps() -> None:
    keys = torch.tensor([[0.0, 0.0], [4.0, 0.0], [4.0, 8.0]])
    points = torch.stack(list(walk(keys, 4, "lerp")))
    expected = [[0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [4, 2], [4, 4], [4, 6], [4, 8], [3, 6], [2, 4], [1, 2]]
    assert points.tolist() == expected


def test_a_spherical_walk_turns_by_equal_angles_and_changes_norms_linearly() -> None:
    keys = torch.randn(3, 16, dtype=torch.float64)
    points = torch.stack([*walk(keys, 8, "slerp"), keys[0]])
    norms, units = points.norm(dim=1), points / points.norm(dim=1, keepdim=True)
    angles = torch.acos((units[1:] * units[:-1]).sum(1).clamp(-1, 1)).view(3, 8)
    torch.testing.assert_close(angles, angles[:, :1].expand(3, 8), rtol=1e-6, atol=1e-9)
    growth = norms.diff().view(3, 8)
    torch.testing.assert_close(growth, growth[:, :1].expand(3, 8), rtol=1e-6, atol=1e-9)


def test_a_spherical_walk_between_opposite_and_zero_vectors_stays_finite() -> None:
    keys = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    assert all(torch.isfinite(point).all() for point in walk(keys, 4, "slerp"))


@pytest.mark.parametrize("count", [2, 3, 4, 9])
def test_a_cubic_walk_is_the_periodic_spline(count: int) -> None:
    keys = torch.randn(count, 3, 5, dtype=torch.float64)
    closed = np.concatenate([keys.numpy(), keys[:1].numpy()])
    spline = CubicSpline(np.arange(count + 1), closed, bc_type="periodic")
    expected = spline(np.arange(count * 10) / 10)
    np.testing.assert_allclose(torch.stack(list(walk(keys, 10, "cubic"))).numpy(), expected, atol=1e-10)


def test_a_walk_that_cannot_be_made_is_refused_at_once() -> None:
    keys = torch.randn(2, 4)
    with pytest.raises(
        ConfigError, match=r"got mode 'slurp', expected one of lerp, slerp, cubic\. Did you mean 'slerp'"
    ):
        walk(keys, 2, "slurp")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="got 0 frames a key"):
        walk(keys, 0, "lerp")
    with pytest.raises(ShapeError, match=r"got keys of \[0, 4\]"):
        walk(torch.zeros(0, 4), 2, "lerp")


def test_latents_remember_their_generator(tmp_path: Path) -> None:
    known = latents.Latents("w", torch.zeros(1, 4), "abc").save(tmp_path / "known.safetensors")
    unknown = latents.Latents("w", torch.zeros(1, 4)).save(tmp_path / "unknown.safetensors")
    assert [latents.Latents.load(path).fingerprint for path in (known, unknown)] == ["abc", ""]
