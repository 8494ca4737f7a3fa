"""Find out what each layer of a trained generator decides: give it another picture's w, and measure what changes.

usage: layers.py RUN [SHEET.png]

Prints, for every layer, the mean change of a pixel (0 to 255), and how much of it is left after averaging over boxes of
4 x 4 pixels. Writes a sheet: a row is a pair of seeds; first the one, then it with one layer's w from the other, layer
by layer, last the other.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

import limner
from limner.images import grid, save_png, to_pil

PAIRS = [(seed, seed + 100) for seed in range(16)]
"""Seeds of a picture, and of the one that lends its w."""
SHOWN = 6
"""Pairs on the sheet."""


@torch.no_grad()
def main() -> None:
    """Print the table and write the sheet."""
    G = limner.load(sys.argv[1])
    path = Path(sys.argv[2] if len(sys.argv) > 2 else "layers.png")
    ws, lent = (torch.cat([G.seed_to_ws(seed) for seed in seeds]) for seeds in zip(*PAIRS, strict=True))
    before = G.synthesis(ws)  # [N, C, H, W]
    columns = [before]
    print("layer   change   left after averaging")
    for layer in range(G.num_ws):
        mixed = ws.clone()  # [N, num_ws, w_dim]
        mixed[:, layer] = lent[:, layer]
        columns.append(G.synthesis(mixed))
        difference = (columns[-1] - before) * 127.5
        change = difference.abs().mean().item()
        coarse = torch.nn.functional.avg_pool2d(difference, 4).abs().mean().item()  # [N, C, H/4, W/4] before the mean
        print(f"{layer:5d} {change:8.1f} {coarse / max(change, 1e-9):22.0%}")
    columns.append(G.synthesis(lent))
    rows = torch.stack(columns, 1)[:SHOWN].flatten(0, 1)  # [SHOWN * (num_ws + 2), C, H, W]
    save_png(grid(to_pil(rows), columns=len(columns)), path)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
