"""`python -m limner`, which launchers such as torchrun take: `torchrun --nproc-per-node 2 -m limner train ...`."""

from __future__ import annotations

import sys

from limner.cli import main

if __name__ == "__main__":
    sys.exit(main())
