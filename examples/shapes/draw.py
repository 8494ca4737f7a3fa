"""Draw a small data set of three classes: circles, squares and triangles in all colours.

usage: draw.py FOLDER [COUNT_PER_CLASS]
"""

from __future__ import annotations

import colorsys
import math
import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw

SIZE = 16
"""Side of a picture, pixels."""
SCALE = 8
"""Pictures are drawn this much larger and reduced, so that edges are smooth."""
SIDES = {"circle": 60, "square": 4, "triangle": 3}
"""Class -> corners; a circle is a polygon of many."""


def draw(sides: int, rng: random.Random) -> Image.Image:
    """Return one picture: a shape of any hue on a dark ground."""
    large = SIZE * SCALE
    red, green, blue = colorsys.hls_to_rgb(rng.random(), 0.65, 0.9)
    picture = Image.new("RGB", (large, large), (24, 24, 32))
    radius = rng.uniform(0.34, 0.48) * large
    x, y = (large * rng.uniform(0.46, 0.54) for _ in range(2))
    corners = [(0.5 + k) * math.tau / sides + math.pi / 2 for k in range(sides)]
    points = [(x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in corners]
    fill = (round(red * 255), round(green * 255), round(blue * 255))
    ImageDraw.Draw(picture).polygon(points, fill=fill)
    return picture.resize((SIZE, SIZE), Image.Resampling.BOX)


def main() -> None:
    """Write FOLDER/<class>/<number>.png."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 700
    for name, sides in SIDES.items():
        rng = random.Random(name)
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            draw(sides, rng).save(folder / name / f"{number:04d}.png")
    print(f"{len(SIDES) * count} pictures of {SIZE}x{SIZE} in {folder}, a folder a class")


if __name__ == "__main__":
    main()
