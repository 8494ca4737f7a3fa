"""Draw the labelled avatars that the embedded model was trained on: 12,000 faces with 16 attributes each.

usage: draw.py FOLDER [COUNT]

needs: pip install python-avatars==1.4.1 resvg-py==0.5.0

FOLDER/train.zip gets all but the last 500, FOLDER/held.zip those; each with its list_attr.txt in CelebA's format. The
faces are drawn art recombined at random. Some attributes are correlated on purpose (grey hair with glasses, beard with
short hair), as they are in photographs.
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import python_avatars as avatars
import resvg_py
from PIL import Image

SIZE = 64
"""Side of a picture, pixels."""
SCALE = 4
"""Pictures are drawn this much larger and reduced."""
HELD_OUT = 500
SEED = 0
HAIR = {
    "long": (
        *("BIG_HAIR", "BOB", "CURVY", "LONG_NOT_TOO_LONG", "MIA_WALLACE", "STRAIGHT_1", "STRAIGHT_2"),
        *("STRAIGHT_STRAND", "LOOSE_HAIR", "LONG_HAIR_CURLY", "FRO_BAND", "BUN"),
    ),
    "short": (
        *("CAESAR", "CAESAR_SIDE_PART", "SHORT_CURLY", "SHORT_FLAT", "SHORT_ROUND", "SHORT_WAVED", "SHAGGY_MULLET"),
        *("FRO", "DREADS", "QUIFF", "POMPADOUR", "SHAVED_SIDES"),
    ),
    "bald": ("NONE", "SIDES", "BUZZCUT"),
}
"""Length of hair -> its cuts."""
COLOURS = ("AUBURN", "BLACK", "BLONDE", "BLONDE_GOLDEN", "BROWN", "BROWN_DARK", "RED")
"""Of hair that is not grey."""
MOUTHS = {
    "SMILE": 0.22,
    "BIG_SMILE": 0.12,
    "TWINKLE": 0.12,
    "DEFAULT": 0.12,
    "SERIOUS": 0.14,
    "SAD": 0.1,
    "CONCERNED": 0.06,
    "SCREAM_OPEN": 0.06,
    "DISBELIEF": 0.06,
}
"""Mouth -> its share."""
EYES = {"DEFAULT": 0.38, "HAPPY": 0.14, "SIDE": 0.12, "SQUINT": 0.1, "CLOSED": 0.1, "SURPRISED": 0.1, "WINK": 0.06}
"""Eyes -> their share."""
BROWS = (
    *("DEFAULT_NATURAL", "DEFAULT", "ANGRY_NATURAL", "RAISED_EXCITED_NATURAL", "FLAT_NATURAL"),
    "SAD_CONCERNED_NATURAL",
)
SKINS = ("PALE", "LIGHT", "TANNED", "BROWN", "DARK_BROWN", "BLACK")
GROUNDS = ("#b6e3f4", "#c0aede", "#d1d4f9", "#ffd5dc", "#ffdfbf", "#e8f0d8")
CLOTHES = ("HOODIE", "BLAZER_SHIRT", "COLLAR_SWEATER", "SHIRT_CREW_NECK", "SHIRT_V_NECK", "OVERALL")
DYES = ("BLACK", "BLUE_01", "BLUE_02", "GRAY_01", "PASTEL_GREEN", "PASTEL_ORANGE", "PINK", "RED", "WHITE")
BEARDS = ("BEARD_LIGHT", "BEARD_MEDIUM", "BEARD_MAGESTIC")
MUSTACHES = ("MOUSTACHE_FANCY", "MOUSTACHE_MAGNUM")
GLASSES = ("ROUND", "PRESCRIPTION_1", "PRESCRIPTION_2")
SUNGLASSES = ("SUNGLASSES", "WAYFARERS")
ATTRIBUTES = (
    *("Smiling", "Mouth_Open", "Eyeglasses", "Sunglasses", "Beard", "Mustache", "Bald", "Long_Hair", "Gray_Hair"),
    *("Blond_Hair", "Black_Hair", "Dark_Skin", "Eyes_Closed", "Angry", "Hoodie", "Blue_Background"),
)


def one_of(rng: np.random.Generator, choices: Sequence[str], shares: Sequence[float] | None = None) -> str:
    """Return one of the choices."""
    return choices[rng.choice(len(choices), p=shares)]


def compose(rng: np.random.Generator) -> tuple[Any, str, list[bool]]:
    """Return an avatar, the colour of its background, and whether it has each of `ATTRIBUTES`."""
    grey = rng.random() < 0.2
    glasses = rng.random() < (0.6 if grey else 0.2)
    sun = not glasses and rng.random() < 0.1
    length = one_of(rng, list(HAIR), [0.42, 0.46, 0.12])
    beard = rng.random() < {"long": 0.05, "short": 0.45, "bald": 0.5}[length]
    mustache = not beard and rng.random() < (0.02 if length == "long" else 0.12)
    colour = "SILVER_GRAY" if grey else one_of(rng, COLOURS)
    mouth = one_of(rng, list(MOUTHS), list(MOUTHS.values()))
    eyes = one_of(rng, list(EYES), list(EYES.values()))
    brows = one_of(rng, BROWS)
    skin, ground = one_of(rng, SKINS), one_of(rng, GROUNDS)
    clothes, dye = one_of(rng, CLOTHES), one_of(rng, DYES)
    cut = one_of(rng, HAIR[length])
    facial_hair = one_of(rng, BEARDS) if beard else one_of(rng, MUSTACHES) if mustache else "NONE"
    accessory = one_of(rng, GLASSES) if glasses else one_of(rng, SUNGLASSES) if sun else "NONE"
    avatar = avatars.Avatar(
        style=avatars.AvatarStyle.TRANSPARENT,
        top=avatars.HairType[cut],
        hair_color=avatars.HairColor[colour],
        facial_hair_color=avatars.HairColor[colour],
        mouth=avatars.MouthType[mouth],
        eyes=avatars.EyeType[eyes],
        eyebrows=avatars.EyebrowType[brows],
        skin_color=avatars.SkinColor[skin],
        clothing=avatars.ClothingType[clothes],
        clothing_color=avatars.ClothingColor[dye],
        facial_hair=avatars.FacialHairType[facial_hair],
        accessory=avatars.AccessoryType[accessory],
    )
    has = [
        *(mouth in ("SMILE", "BIG_SMILE", "TWINKLE"), mouth in ("BIG_SMILE", "SCREAM_OPEN", "SMILE"), glasses, sun),
        *(beard, mustache, length == "bald", length == "long", grey and length != "bald"),
        *(colour.startswith("BLONDE"), colour == "BLACK", skin in ("BROWN", "DARK_BROWN", "BLACK")),
        *(eyes == "CLOSED", brows.startswith("ANGRY"), clothes == "HOODIE", ground == GROUNDS[0]),
    ]
    return avatar, ground, has


def rasterise(avatar: Any, ground: str, rng: np.random.Generator) -> bytes:
    """Return a PNG file of the avatar's head, shifted by up to 3 pixels of the larger drawing."""
    large = bytes(resvg_py.svg_to_bytes(svg_string=avatar.render(), width=SCALE * SIZE))
    picture = Image.open(io.BytesIO(large)).convert("RGBA")
    side = int(min(picture.size) * 0.86)
    left, upper = (picture.width - side) // 2, int(picture.height * 0.10)
    head = picture.crop((left, upper, left + side, upper + side))
    canvas = Image.new("RGBA", head.size, ground)
    canvas.alpha_composite(head)
    x, y = rng.integers(-3, 4, 2)
    box = (6 + x, 6 + y, side - 6 + x, side - 6 + y)
    file = io.BytesIO()
    canvas.convert("RGB").resize((SIZE, SIZE), Image.Resampling.LANCZOS, box=box).save(file, "PNG", optimize=True)
    return file.getvalue()


def faces(count: int) -> Iterator[tuple[str, bytes, list[bool]]]:
    """Yield name, PNG file and attributes of each face."""
    rng = np.random.default_rng(SEED)
    for index in range(count):
        avatar, ground, has = compose(rng)
        yield f"{index // 1000:05d}/img{index:08d}.png", rasterise(avatar, ground, rng), has


def write(path: Path, members: Sequence[tuple[str, bytes, list[bool]]]) -> None:
    """Write a zip of pictures with their list of attributes."""
    rows = [f"{name} {' '.join('+1' if flag else '-1' for flag in has)}" for name, _, has in members]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, png, _ in members:
            archive.writestr(name, png)
        archive.writestr("list_attr.txt", "\n".join([str(len(rows)), " ".join(ATTRIBUTES), *rows]) + "\n")
    print(f"{len(rows)} pictures of {SIZE}x{SIZE} in {path}")


def main() -> None:
    """Write both zips."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 12_000
    folder.mkdir(parents=True, exist_ok=True)
    drawn = list(faces(count))
    write(folder / "train.zip", drawn[:-HELD_OUT])
    write(folder / "held.zip", drawn[-HELD_OUT:])


if __name__ == "__main__":
    main()
