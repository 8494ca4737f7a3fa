"""MSE, PSNR and SSIM in closed form."""

from __future__ import annotations

import math

import pytest
import torch

from inversion.conftest import MeansNetwork
from limner.inversion.engine.quality import psnr, quality, ssim


def flat(value: float, size: tuple[int, int] = (16, 12)) -> torch.Tensor:
    return torch.full((1, 3, *size), value, dtype=torch.float64)


def test_the_peak_of_pictures_in_minus_one_to_one_is_two() -> None:
    assert psnr(torch.tensor(4.0)).item() == 0.0
    assert math.isclose(psnr(torch.tensor(0.04)).item(), 20.0, abs_tol=1e-5)


def test_flat_pictures_differ_in_luminance_alone() -> None:
    a, b = 0.75, 0.25  # of values in [0, 1]
    expected = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
    assert math.isclose(ssim(flat(0.5), flat(-0.5)).item(), expected, rel_tol=1e-9)


def test_a_picture_is_like_itself_and_unlike_its_negative() -> None:
    image = torch.rand(1, 3, 16, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    assert math.isclose(ssim(image, image).item(), 1.0, rel_tol=1e-12)
    assert ssim(image, -image).item() < 0


def test_ssim_is_that_of_a_slow_reference() -> None:
    stream = torch.Generator().manual_seed(1)
    a, b = (torch.rand(1, 1, 13, 14, generator=stream, dtype=torch.float64) * 2 - 1 for _ in range(2))
    gauss = [math.exp(-((i - 5) ** 2) / (2 * 1.5**2)) for i in range(11)]
    weights = torch.tensor([[x * y for x in gauss] for y in gauss], dtype=torch.float64)
    weights /= weights.sum()
    values = []
    for top in range(3):
        for left in range(4):
            x, y = ((image[0, 0, top : top + 11, left : left + 11] + 1) / 2 for image in (a, b))
            mx, my = (weights * x).sum(), (weights * y).sum()
            vx, vy, cov = (
                (weights * x * x).sum() - mx**2,
                (weights * y * y).sum() - my**2,
                (weights * x * y).sum() - mx * my,
            )
            top_part, bottom = (2 * mx * my + 1e-4) * (2 * cov + 9e-4), (mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4)
            values.append(top_part / bottom)
    assert math.isclose(ssim(a, b).item(), torch.stack(values).mean().item(), rel_tol=1e-9)


@pytest.mark.parametrize("size", [(4, 6), (16, 8)])
def test_small_pictures_have_a_window_that_fits(size: tuple[int, int]) -> None:
    assert math.isclose(ssim(flat(0.2, size), flat(0.2, size)).item(), 1.0, rel_tol=1e-9)


def test_numbers_are_clamped_masked_and_named() -> None:
    wanted, made = flat(1.0), flat(3.0)
    made[..., 8:, :] = -1.0
    mask = torch.zeros(1, 1, 16, 12, dtype=torch.float64)
    mask[..., :8, :] = 1.0
    whole, part = quality(made, wanted, None, MeansNetwork()), quality(made, wanted, mask)
    assert list(whole) == ["mse", "psnr", "ssim", "means"]
    assert math.isclose(whole["mse"].item(), 2.0)
    assert part["mse"].item() == 0.0
    assert math.isclose(part["psnr"].item(), 126.02, abs_tol=0.01)
    assert part["ssim"].item() > whole["ssim"].item()
