"""Asking a run to stop."""

from __future__ import annotations

import signal
import threading

import pytest

from limner.training.interrupt import StopSignals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_for_a_stop_and_interrupts_nothing(number: signal.Signals) -> None:
    with StopSignals() as signals:
        assert not signals.is_stop_requested
        signal.raise_signal(number)
        assert signals.is_stop_requested


def test_a_second_ctrl_c_interrupts_at_once() -> None:
    with StopSignals():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_second_sigterm_leaves_the_save_alone() -> None:
    with StopSignals() as signals:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert signals.is_stop_requested


def test_handlers_are_as_before_afterwards_even_after_an_error() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="boom"), StopSignals():
        raise ValueError("boom")
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_outside_of_the_main_thread_signals_are_left_to_others() -> None:
    """Python lets the main thread alone set handlers; training in another thread must still work."""
    before = signal.getsignal(signal.SIGTERM)
    seen: list[bool] = []

    def enter() -> None:
        with StopSignals() as signals:
            seen.append(signals.is_stop_requested)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [False]
    assert signal.getsignal(signal.SIGTERM) is before
