"""What reading one file may cost, and the sentences for a file that is damaged or asks for more.

Every number a file declares is compared with the bytes that are there before anything is allocated for it.
"""

from __future__ import annotations

from limner.errors import CheckpointError

MAX_OPCODES = 250_000
"""Instructions of all pickles in a file. A 1024 px StyleGAN2 pickle with three networks has about 50,000."""
MAX_STEPS = 50_000
"""Values looked at when what was read is taken apart: tensors, modules, settings."""
MAX_TEXT = 16 * 2**20
"""Bytes of text in a file. Source code in NVIDIA's pickles is the longest, some 100 kB."""
MAX_NESTING = 256
"""Open marks of a pickle, and depth of what is walked afterwards."""
SLACK = 2**20
"""Bytes of numbers granted besides twice the size of the file."""


class Quota:
    """The budget of one file: spent while reading, never refilled.

    Args:
        path: the file, for messages.
        size: its size in bytes.
    """

    def __init__(self, path: str, size: int) -> None:
        self.path = path
        self._opcodes = MAX_OPCODES
        self._steps = MAX_STEPS
        self._text = MAX_TEXT
        self._numbers = 2 * size + SLACK

    def spend_opcode(self) -> None:
        """Count one instruction."""
        self._opcodes -= 1
        if self._opcodes < 0:
            raise self.refused(f"takes more than {MAX_OPCODES:,} instructions to read, which no checkpoint does")

    def spend_step(self) -> None:
        """Count one value looked at."""
        self._steps -= 1
        if self._steps < 0:
            raise self.refused(f"holds more than {MAX_STEPS:,} settings and tensors, which no checkpoint does")

    def spend_text(self, size: int) -> None:
        """Count text of `size` bytes."""
        self._text -= size
        if self._text < 0:
            raise self.refused(f"holds more than {MAX_TEXT >> 20} MB of text, which no checkpoint does")

    def spend_numbers(self, size: int) -> None:
        """Count an array of `size` bytes."""
        self._numbers -= size
        if self._numbers < 0:
            raise self.damaged("its arrays are declared larger than the file")

    def damaged(self, reason: str) -> CheckpointError:
        """The error for bytes that do not follow the format."""
        return CheckpointError(f"'{self.path}' is damaged: {reason}; copy it again from where it came")

    def refused(self, reason: str) -> CheckpointError:
        """The error for a file that follows the format and is not a checkpoint we open."""
        return CheckpointError(
            f"'{self.path}' {reason}; it was not opened, and nothing in it was run: get it from its publisher again"
        )
