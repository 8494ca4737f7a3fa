"""Curves as SVG."""

from __future__ import annotations

import itertools
import json
import re
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.training.callbacks.report import chart
from limner.training.history import Line, Panel

FINITE = st.floats(-1e6, 1e6)


def line(values, label="G"):
    return Line(label=label, kimg=tuple(float(i + 1) for i in range(len(values))), values=tuple(values))


def points(svg):
    return [
        [tuple(map(float, pair.split(","))) for pair in match.split()] for match in re.findall(r'points="([^"]*)"', svg)
    ]


@settings(deadline=None, max_examples=50)
@given(FINITE, st.floats(1e-3, 1e6))
def test_ticks_are_round_and_inside(low, length):
    high = low + length
    ticks = chart.nice_ticks(low, high, 5)
    assert 2 <= len(ticks) <= 12
    slack = 1e-6 * length
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    steps = [b - a for a, b in itertools.pairwise(ticks)]
    assert steps == pytest.approx([steps[0]] * len(steps), rel=1e-3)


def test_ticks_between_zero_and_one_are_fifths():
    assert chart.nice_ticks(0, 1, 5) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])


def test_the_first_and_last_point_lie_at_their_kimg_and_higher_values_lie_higher():
    (drawn,) = points(chart.render(Panel(title="Losses", lines=(line([1.0, 3.0, 2.0]),))))
    width = chart.WIDTH - chart.LEFT - chart.RIGHT
    assert [x for x, _ in drawn] == pytest.approx([chart.LEFT + width * k / 3 for k in (1, 2, 3)], abs=0.1)
    assert drawn[1][1] < drawn[2][1] < drawn[0][1]
    assert all(chart.TOP <= y <= chart.HEIGHT - chart.BOTTOM for _, y in drawn)


@pytest.mark.parametrize("value", [0.0, 5.0, -1e-12, 1e9])
def test_a_single_point_is_a_dot_on_the_plot(value):
    svg = chart.render(Panel(title="Losses", lines=(line([value]),)))
    assert svg.count("<circle") == 1
    assert "nan" not in svg
    ((_, y),) = points(svg)[0]
    assert chart.TOP <= y <= chart.HEIGHT - chart.BOTTOM


def test_a_panel_from_zero_has_zero_at_its_foot():
    svg = chart.render(Panel(title="Images per second", lines=(line([40.0, 42.0]),), from_zero=True))
    foot = chart.HEIGHT - chart.BOTTOM
    assert f'y="{foot + 4:.1f}" text-anchor="end">0<' in svg


def test_long_curves_are_thinned_and_keep_their_last_point():
    values = [float(i) for i in range(5001)]
    (drawn,) = points(chart.render(Panel(title="Losses", lines=(line(values),))))
    assert len(drawn) <= chart.MOST_POINTS + 1
    assert drawn[-1][0] == pytest.approx(chart.WIDTH - chart.RIGHT)


def test_a_few_outliers_do_not_flatten_a_long_curve():
    values = [1e6] + [1.0, 2.0] * 100
    (drawn,) = points(chart.render(Panel(title="Losses", lines=(line(values),))))
    assert abs(drawn[-1][1] - drawn[-2][1]) > 100


def test_labels_are_escaped_and_numbers_are_there_for_the_script():
    panel = Panel(title="A < B", lines=(line([1.0, 2.5], label="<G>"),), levels=(("real & true", 0.5),))
    svg = chart.render(panel)
    assert "<G>" not in svg
    assert "&lt;G&gt; <output>2.5</output>" in svg
    assert "real &amp; true 0.5" in svg
    data = json.loads(unescape(re.search(r'data-chart="([^"]*)"', svg).group(1)))
    assert data["lines"] == [{"x": [1.0, 2.0], "y": [1.0, 2.5]}]
