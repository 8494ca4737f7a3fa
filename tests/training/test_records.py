"""JSON lines that survive killed processes and go back in time on resume."""

from __future__ import annotations

import math

import pytest

from limner.errors import LimnerError
from limner.training import records


def test_records_come_back_in_order(tmp_path):
    path = tmp_path / "log.jsonl"
    records.append(path, {"kimg": 1.0, "metrics": {"a": 2}})
    records.append(path, {"kimg": 2.0})
    assert records.read(path) == [{"kimg": 1.0, "metrics": {"a": 2}}, {"kimg": 2.0}]


def test_a_missing_file_holds_no_records_and_is_not_made_by_rewinding(tmp_path):
    path = tmp_path / "log.jsonl"
    records.rewind(path, 3.0)
    assert records.read(path) == []
    assert not path.exists()


def test_numbers_json_cannot_hold_become_null(tmp_path):
    path = tmp_path / "log.jsonl"
    records.append(path, {"loss": math.nan, "metrics": {"swd": math.inf, "p": 0.5}})
    assert records.read(path) == [{"loss": None, "metrics": {"swd": None, "p": 0.5}}]


@pytest.mark.parametrize("torn", ['{"kimg": 3.0, "lo', '{"kimg": 3.0}', "\udcff"])
def test_a_last_line_cut_short_is_left_out_and_removed_by_rewinding(tmp_path, torn):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"kimg": 1.0}\n' + torn.encode(errors="surrogateescape"))
    assert records.read(path) == [{"kimg": 1.0}]
    records.rewind(path, 9.0)
    records.append(path, {"kimg": 2.0})
    assert [record["kimg"] for record in records.read(path)] == [1.0, 2.0]


def test_a_damaged_line_in_the_middle_is_named(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"kimg": 1.0}\nrubbish\n{"kimg": 2.0}\n')
    with pytest.raises(LimnerError, match=r"line 2 of .*log.jsonl' is no record"):
        records.read(path)


def test_rewinding_drops_what_lies_ahead(tmp_path):
    path = tmp_path / "log.jsonl"
    for kimg in (1.0, 2.0, 2.016, 3.0):
        records.append(path, {"kimg": kimg})
    records.rewind(path, 2016 / 1000)
    assert [record["kimg"] for record in records.read(path)] == [1.0, 2.0, 2.016]


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(LimnerError, match=r"cannot write .*log.jsonl"):
        records.append(tmp_path / "missing" / "log.jsonl", {"kimg": 1.0})
