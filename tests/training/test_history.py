"""Curves out of records."""

from __future__ import annotations

from limner.training import records
from limner.training.history import LOG_NAME, METRICS_NAME, Line, panels


def write(run_dir, ticks, evaluations=()):
    for tick in ticks:
        records.append(run_dir / LOG_NAME, tick)
    for evaluation in evaluations:
        records.append(run_dir / METRICS_NAME, evaluation)


def test_a_run_without_records_has_no_panels(tmp_path):
    assert panels(tmp_path) == []


def test_losses_share_a_panel_and_each_regulariser_has_its_own(tmp_path):
    write(tmp_path, [{"kimg": 4.0, "loss/G": 1.0, "loss/D": 2.0, "loss/D_r1": 0.1, "images_per_sec": 40.0}])
    found = {panel.title: panel for panel in panels(tmp_path)}
    assert list(found) == ["Losses", "Loss D_r1", "Images per second"]
    assert [line.label for line in found["Losses"].lines] == ["G", "D"]
    assert found["Losses"].lines[1] == Line(label="D", kimg=(4.0,), values=(2.0,))


def test_ticks_without_a_value_leave_a_gap(tmp_path):
    write(
        tmp_path, [{"kimg": 1.0, "loss/D_r1": 0.1}, {"kimg": 2.0, "loss/D_r1": None}, {"kimg": 3.0, "loss/D_r1": 0.3}]
    )
    (panel,) = panels(tmp_path)
    assert panel.lines[0].kimg == (1.0, 3.0)


def test_a_quantity_that_stays_zero_is_not_drawn(tmp_path):
    write(tmp_path, [{"kimg": 1.0, "augment_p": 0.0, "loss/G": 1.0}, {"kimg": 2.0, "augment_p": 0.0, "loss/G": 1.0}])
    assert [panel.title for panel in panels(tmp_path)] == ["Losses"]
    write(tmp_path, [{"kimg": 3.0, "augment_p": 0.1}])
    assert [panel.title for panel in panels(tmp_path)] == ["Losses", "Augmentation p"]


def test_metrics_are_drawn_with_their_control_as_a_level(tmp_path):
    evaluations = [
        {"kimg": 4.0, "control": True, "metrics": {"swd2k": 5.0, "swd2k/32": 4.0}},
        {"kimg": 4.0, "metrics": {"swd2k": 50.0, "swd2k/32": 40.0}},
        {"kimg": 8.0, "metrics": {}, "errors": {"swd2k": "RuntimeError: gone"}},
        {"kimg": 12.0, "metrics": {"swd2k": 30.0, "swd2k/32": 20.0}},
    ]
    write(tmp_path, [], evaluations)
    (panel,) = panels(tmp_path)
    assert panel.title == "Metric swd2k"
    assert panel.lines == (Line(label="swd2k", kimg=(4.0, 12.0), values=(50.0, 30.0)),)
    assert panel.levels == (("real pictures", 5.0),)
