"""`limner directions`: fit, sefa, pca, channels, import."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from limner.cli.console import notice, progress_bar
from limner.cli.options import Device, Quiet
from limner.errors import ConfigError, closest

WAYS = ("fit", "sefa", "pca", "channels", "import")


def directions(
    way: str,
    checkpoint: str,
    boundary: str | None = None,
    *,
    attributes: str = "",
    classifier: str | None = None,
    inverted: str | None = None,
    labels: str | None = None,
    samples: int = 5000,
    svm_c: float = 1.0,
    count: int = 5,
    layers: str | None = None,
    space: Literal["z", "w", "wplus", "w+"] = "w",
    name: str | None = None,
    out: Annotated[str, Parameter(name=["--out", "--outdir"])] = "directions",
    batch: int = 32,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Find directions that change one thing in a picture, one file each, for limner edit.

    fit: the boundary of each attribute (linear SVM). channels: the style channels that carry it. Both learn attributes
    from labelled pictures (--classifier) or from inverted pictures with labels. sefa, pca: directions nobody named,
    from the weights or from sampled codes. import: a boundary of InterFaceGAN or IDInvert (.npy); nothing in it is run.

    For example:

        limner directions fit runs/faces --classifier labelled.zip --attributes Smiling,Eyeglasses --out directions
        limner directions fit runs/faces --inverted inverted --labels labels.csv --space w+
        limner directions sefa runs/faces --layers 0-3 --count 6
        limner directions import runs/converted stylegan_ffhq_age_w_boundary.npy --name age

    Args:
        way: fit, sefa, pca, channels or import
        checkpoint: run folder (its newest snapshot), snapshot folder, or .safetensors file in one
        boundary: .npy file to import
        attributes: names with commas between, or all, as when left out
        classifier: labelled pictures, a classifier.safetensors written before, or a run that trained a classifier
        inverted: folder of limner invert
        labels: label file of the inverted pictures
        samples: pictures sampled for a classifier
        svm_c: weight of errors in the SVM of fit; less gives directions that edits reach further along
        count: directions of sefa and pca; channels an attribute
        layers: layers that sefa looks at, and that directions of sefa and pca work in
        space: where fit looks; where an imported boundary of InterFaceGAN lives
        name: what an imported boundary changes
        out: folder for NAME.safetensors
        batch: pictures at a time
    """
    from limner import api
    from limner.api import directions as finding

    if way not in WAYS:
        raise ConfigError(f"directions: got '{way}', expected one of {', '.join(WAYS)}.{closest(way, WAYS)}")
    place: Literal["z", "w", "w+"] = "w+" if space == "wplus" else space
    notice(api.setup(), quiet)
    if way in ("sefa", "pca"):
        found = finding.discover(checkpoint, out, way, count=count, layers=layers, device=device)
    elif way == "import":
        if boundary is None:
            raise ConfigError("directions import: got no boundary, expected a .npy file behind the checkpoint")
        found = [finding.import_boundary(checkpoint, boundary, out, name=name, space=place, device=device)]
    else:
        evidence = finding.Evidence(
            attributes=tuple(part.strip() for part in attributes.split(",") if part.strip()),
            classifier=classifier,
            inverted=inverted,
            labels=labels,
            num_samples=samples,
            batch=batch,
        )
        with progress_bar("pictures", quiet) as progress:
            if way == "fit":
                found = finding.fit_directions(
                    checkpoint, out, evidence, space=place, error_weight=svm_c, device=device, progress=progress
                )
            else:
                found = finding.rank_channels(checkpoint, out, evidence, count=count, device=device, progress=progress)
    if not quiet:
        for path, direction in found:
            numbers = ", ".join(f"{key} {value:.3g}" for key, value in direction.numbers.items())
            print(f"{path}: {direction.space}{f', {numbers}' if numbers else ''}")
