"""Run what a README tells its readers to run, in a folder where its `make demo` has been: commands, then Python.

usage: readme.py README.md FOLDER

From `console` blocks come the lines that start with `$ limner`, with a length of training (`--kimg`) cut short;
`python` blocks run whole. The folder `photos` that a reader is supposed to have is made from the sample pictures. The
first failure ends the script with its exit code.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LONG = ("kimg", "metrics", "repeat")
"""Flags that make a command take long."""
SHORT = {
    "train": " --kimg 0.5",  # longer than the demo before it, so that its run goes on
    "evaluate": " --metrics swd256,fd_lite0_256",
    "ladder": " --kimg 0.1 --evaluations 1 --metrics swd64",
}
"""Verb -> what is given instead."""
NUM_PHOTOS = 200


def blocks(text: str) -> list[tuple[str, str]]:
    """Return (language, content) of every console and python block."""
    return [(match[1], match[2]) for match in BLOCK.finditer(text)]


def commands(content: str) -> list[str]:
    """Return the commands of limner in a console block, shortened."""
    lines = [line.removeprefix("$ ") for line in content.splitlines() if line.startswith("$ limner ")]
    return [_shortened(line) for line in lines]


def _shortened(line: str) -> str:
    for flag in LONG:
        line = re.sub(rf" --{flag} \S+", "", line)
    return line + SHORT.get(line.split()[1], "")


def make_photos(folder: Path) -> None:
    """Fill `folder` with what people keep in folders: pictures of many sizes and kinds, and some that are none."""
    from PIL import Image

    from limner.data import open_dataset

    folder.mkdir()
    dataset = open_dataset("samples", subset=NUM_PHOTOS)
    pictures = [Image.fromarray(dataset.image(i).transpose(1, 2, 0)) for i in range(len(dataset))]
    dataset.close()
    for i, picture in enumerate(pictures[3:]):
        picture.resize((96 + i % 40, 96 + i % 32)).save(folder / f"{i:04d}.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    pictures[0].rotate(90).save(folder / "from a telephone.jpg", exif=exif)
    pictures[1].convert("CMYK").save(folder / "for print.jpg")
    pictures[2].save(folder / "moving.gif", save_all=True, append_images=pictures[3:6])
    (folder / "half.jpg").write_bytes((folder / "0000.jpg").read_bytes()[:1000])
    (folder / "notes.txt").write_text("not a picture\n")


def run(arguments: list[str], folder: Path) -> None:
    """Run a program in `folder`; leave with its exit code if it fails."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    print("$", *arguments[:2], *(part.splitlines()[0] for part in arguments[2:]), flush=True)
    code = subprocess.run(arguments, cwd=folder, env=environment, check=False).returncode
    if code:
        sys.exit(code)


def main() -> None:
    """Run everything."""
    readme, folder = Path(sys.argv[1]), Path(sys.argv[2])
    found = blocks(readme.read_text(encoding="utf-8"))
    make_photos(folder / "photos")
    for language, content in found:
        if language == "console":
            for command in commands(content):
                run(shlex.split(command), folder)
        else:
            run([sys.executable, "-c", content], folder)


if __name__ == "__main__":
    main()
