"""Tables and page of a study: numbers where they belong."""

from __future__ import annotations

import csv

import pytest

from api.study.conftest import Make
from limner.api.study import study


def test_tables_agree_with_one_another(make: Make) -> None:
    request = make(judge=None, classifier=None, parts=("reconstruct",))
    study(request, device="cpu")
    tables = {}
    for name in ("methods", "pictures", "paths", "hypotheses"):
        with (request.out / f"{name}.csv").open(newline="") as file:
            tables[name] = list(csv.DictReader(file))
    (mean,) = [row for row in tables["methods"] if (row["method"], row["measure"]) == ("in-domain", "mse")]
    each = [float(row["mse"]) for row in tables["pictures"] if row["method"] == "in-domain"]
    assert len(each) == request.num == int(mean["count"])
    assert float(mean["value"]) == pytest.approx(sum(each) / len(each), rel=1e-4)
    path = [row for row in tables["paths"] if row["method"] == "in-domain"]
    assert [row["updates"] for row in path] == ["0", "1", "2", "3"]
    assert float(path[-1]["mse"]) == pytest.approx(float(mean["value"]), rel=1e-3)
    claims = [row for row in tables["hypotheses"] if row["hypothesis"] == "H8"]
    assert [row["claim"] for row in claims] == [
        "mean squared error: from-encoder below optimise",
        "mean squared error: from-encoder below random",
    ]
    assert (claims[1]["claim outcome"], claims[1]["difference"]) == ("not measured", "")
    page = (request.out / "study.html").read_text()
    for title in ("in-domain inversion", "domain-guided encoder", "not measured", "Error along the way"):
        assert title in page
