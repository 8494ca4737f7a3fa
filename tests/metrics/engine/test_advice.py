"""Sentences on what makes a value mislead."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from limner.metrics import runner
from limner.metrics.engine.advice import looks_enlarged, source_notes
from limner.metrics.engine.sources import DatasetPictures, GeneratorPictures


def pictures(arrays, names=None, note=""):
    """A data set of uint8 arrays [N, C, H, W]."""

    class Pictures:
        name, channels, resolution = "photos", arrays.shape[1], arrays.shape[2:]

        def __len__(self):
            return len(arrays)

        def image(self, i):
            return arrays[i]

    found = Pictures()
    found.note = note
    found.source = SimpleNamespace(names=names or tuple(f"{i}.png" for i in range(len(arrays))))
    return DatasetPictures(found)


def natural(count, side, seed=0):
    """Random pictures with the power spectrum of photographs, 1 / f^2."""
    rng = np.random.RandomState(seed)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None])
    frequency[0, 0] = 1.0
    waves = np.fft.ifft2(np.fft.fft2(rng.randn(count, 3, side, side)) / frequency).real
    waves = waves / waves.std((2, 3), keepdims=True) * 50 + 128
    return np.clip(waves, 0, 255).astype(np.uint8)


def resized(arrays, side, how):
    return np.stack(
        [np.asarray(Image.fromarray(a.transpose(1, 2, 0)).resize((side, side), how)) for a in arrays]
    ).transpose(0, 3, 1, 2)


def warnings_of(networks, name, generated, real, **options):
    (result,) = runner.evaluate([name], generated, real, networks=networks, **options)
    return "\n".join(result.warnings)


def test_a_frechet_distance_of_few_pictures_is_warned_of(make_generator, make_dataset, networks):
    generated, real = GeneratorPictures(make_generator((16, 16))), DatasetPictures(make_dataset(1100, (16, 16)))
    text = warnings_of(networks, "fid200_full", generated, real)
    assert "fid200_full with 200 pictures is dominated by its bias" in text
    assert "at least 2048" in text
    assert "bias" not in warnings_of(networks, "kid200_full", generated, real)


def test_a_reference_of_other_numbers_is_warned_of(make_generator, make_dataset, networks):
    generated, real = GeneratorPictures(make_generator((16, 16))), DatasetPictures(make_dataset(30, (16, 16)))
    assert "fid100 takes 100 reference pictures, 'memory' has 30" in warnings_of(networks, "fid100", generated, real)
    assert "takes" not in warnings_of(networks, "fid100_full", generated, real)


def test_a_very_small_reference_is_warned_of(make_generator, make_dataset, networks):
    generated = GeneratorPictures(make_generator((16, 16)))
    small, larger = (DatasetPictures(make_dataset(count, (16, 16))) for count in (30, 1000))
    assert "has 30 pictures: a value says how near these pictures are" in warnings_of(
        networks, "kid20", generated, small
    )
    assert warnings_of(networks, "kid20", generated, larger) == ""
    assert warnings_of(networks, "is20", generated, small) == ""


def test_an_alpha_channel_that_counts_as_a_colour_is_told(networks):
    def told(name, channels):
        images = np.random.RandomState(0).randint(0, 256, (40, channels, 16, 16), np.uint8)
        return "alpha" in warnings_of(networks, name, pictures(images), pictures(images))

    assert told("swd20", 4)
    assert told("msssim_20", 2)
    assert not told("swd20", 3)
    assert not told("kid20", 4)  # networks see pictures on white


def test_jpeg_is_warned_of():
    assert not list(source_notes(pictures(natural(4, 32)), "reference"))
    (note,) = source_notes(pictures(natural(4, 32), ("a.png", "b.JPG", "c.jpeg", "d.webp")), "reference")
    assert note.startswith("reference 'photos': 2 of 4 pictures are JPEG")


def test_how_pictures_are_changed_on_reading_is_told():
    (note,) = source_notes(pictures(natural(4, 32), note="colour is turned into grey"), "measured pictures")
    assert note == "measured pictures 'photos': colour is turned into grey"


@pytest.mark.parametrize("side", [32, 64])
def test_pictures_with_a_natural_spectrum_are_not_taken_for_enlarged(side):
    assert not looks_enlarged(pictures(natural(8, side)))
    reduced = resized(natural(8, 2 * side), side, Image.Resampling.LANCZOS)
    assert not looks_enlarged(pictures(reduced))
    soft = ndimage.gaussian_filter(natural(8, side), (0, 0, 1, 1))
    assert not looks_enlarged(pictures(soft))


@pytest.mark.parametrize("how", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS])
@pytest.mark.parametrize(("small", "side"), [(16, 64), (32, 128)])
def test_enlarged_pictures_are_known_by_their_spectrum(how, small, side):
    grown = pictures(resized(natural(8, small), side, how))
    assert looks_enlarged(grown)
    assert "as if they had been enlarged" in next(source_notes(grown, "reference"))


def test_pictures_without_any_detail_or_too_small_to_tell_are_left_alone():
    assert not looks_enlarged(pictures(np.full((4, 3, 32, 32), 90, np.uint8)))
    assert not looks_enlarged(pictures(natural(4, 8)))
