"""What a dry run says."""

from __future__ import annotations

import re
from pathlib import Path

from conftest import SMALL
from limner.api import RunRequest, configure, forecast


def test_a_forecast_tells_differences_parameters_time_and_memory(picture_folder: Path) -> None:
    request = RunRequest(data=str(picture_folder), preset="stylegan2-tiny", batch=4, settings=SMALL)
    text = "\n".join(forecast(configure(request), device="cpu"))
    assert "settings that differ from preset stylegan2-tiny:\n" in text
    assert "  batch: 16 -> 4\n" in text
    assert "data.path" not in text
    assert "  generator.channel_max: 64 -> 8\n" in text
    assert re.search(r"parameters: G [\d,]+, D [\d,]+\n", text)
    assert "pictures: 12, each shown about 1.33 times\n" in text
    assert re.search(r"one step of each phase on cpu: G \S+ s, D \S+ s, D_r1 \S+ s\n", text)
    assert re.search(r"time: \S+ s per kimg \(\S+ images/s\); \S+s for 0.016 kimg\n", text)
    assert re.search(r"memory: \d+ MB a process at most, and 0 MB of decoded pictures", text)


def test_a_run_that_goes_on_is_compared_with_itself(tiny_run: Path, picture_folder: Path) -> None:
    request = RunRequest(run_dir=tiny_run, data=str(picture_folder), settings={"total_kimg": 3})
    lines = forecast(configure(request), device="cpu")
    assert lines[0] == "settings that differ from the run that goes on:"
    assert "  total_kimg: 0.016 -> 3.0" in lines


def test_processes_are_told(picture_folder: Path) -> None:
    request = RunRequest(data=str(picture_folder), preset="stylegan2-tiny", settings=SMALL, num_processes=2)
    assert any("if 2 processes do not slow one another down" in line for line in forecast(configure(request)))
