"""Ending a run on request: SIGTERM and Ctrl-C set a flag that the loop reads after every iteration."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class StopSignals:
    """While entered, SIGTERM and SIGINT ask for an orderly stop; a second SIGINT interrupts at once."""

    def __init__(self) -> None:
        self.is_stop_requested = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.is_stop_requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.is_stop_requested = True
