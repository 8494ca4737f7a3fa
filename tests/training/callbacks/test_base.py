"""What every callback must satisfy."""

from __future__ import annotations

import pytest

from limner import registry
from limner.config import CallbacksConfig
from limner.errors import ConfigError
from limner.training.callbacks.base import Callback

FOR_OTHER_NETWORKS = ("accuracy", "reconstructions")
"""Callbacks of runs that train a classifier or an encoder."""
NAMES = [name for name in registry.names("callbacks") if name not in FOR_OTHER_NETWORKS]


def test_the_default_callbacks_exist():
    assert set(CallbacksConfig().names) <= set(registry.names("callbacks"))


@pytest.mark.parametrize("name", NAMES)
def test_a_callback_goes_through_a_run_of_one_tick(name, make_context, make_state, stats):
    context = make_context()
    state = make_state(context)
    callback = registry.get("callbacks", name).make(context)
    assert isinstance(callback, Callback)
    callback.on_start(state)
    state.nimg, state.tick = 1000, 1
    callback.on_step(state)
    callback.on_tick(state, stats(state, snapshot=True))
    callback.on_end(state)


@pytest.mark.parametrize("name", NAMES)
def test_a_quiet_callback_prints_nothing(name, make_context, make_state, stats, capsys):
    context = make_context(quiet=True)
    state = make_state(context)
    callback = registry.get("callbacks", name).make(context)
    callback.on_start(state)
    callback.on_tick(state, stats(state, snapshot=True))
    callback.on_end(state)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.parametrize("name", FOR_OTHER_NETWORKS)
def test_a_callback_for_another_network_says_so(name, make_context):
    with pytest.raises(ConfigError, match=rf"callbacks.names: '{name}' is for runs that train .* does not; drop it"):
        registry.get("callbacks", name).make(make_context())
