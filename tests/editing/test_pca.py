"""Principal components: planted axes and variances, scikit-learn's answer."""

from __future__ import annotations

import numpy as np
import torch

from inversion.conftest import room_generator
from limner.editing import pca
from limner.editing.engine.samples import sampled_codes


def test_planted_axes_come_back_with_their_deviations() -> None:
    axes, _ = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(0)))
    sizes = torch.tensor([5.0, 3.0, 1.0, 0.5, 0.1])
    codes = torch.randn(20_000, 5, generator=torch.Generator().manual_seed(1)) * sizes @ axes + 7.0
    found = pca.Edit(count=3).fit_codes(codes).directions_
    assert [way.name for way in found] == ["pca-0", "pca-1", "pca-2"]
    for way, size, axis in zip(found, sizes, axes, strict=False):
        assert abs(way.deviation / size.item() - 1) < 0.03
        assert abs((way.vector @ axis).item()) > 0.999


def test_components_are_scikit_learns() -> None:
    from sklearn.decomposition import PCA

    generator = room_generator("stylegan", (16, 8))
    edit = pca.Edit(count=4, num_samples=500).fit(generator)
    codes = sampled_codes(generator, 500)[1][:, 0].numpy()
    oracle = PCA(n_components=4).fit(codes)
    for way, component, variance, share in zip(
        edit.directions_, oracle.components_, oracle.explained_variance_, oracle.explained_variance_ratio_, strict=True
    ):
        assert np.isclose(abs(way.vector.double().numpy() @ component), 1.0, atol=1e-5)
        assert np.isclose(way.deviation**2, variance, rtol=1e-4)
        assert np.isclose(way.numbers["explained"], share, rtol=1e-4)
