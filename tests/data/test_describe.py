"""What `limner info` says of pictures."""

from __future__ import annotations

from limner.data import open_dataset, open_source
from limner.data.describe import contact_pictures, describe

from .conftest import Pictures, picture


def test_a_prepared_set_is_described(pictures: Pictures):
    facts = describe(open_dataset(pictures.zip(pictures.nvidia(4, labels=[0, 1, 1, 1]))))
    assert facts["count"] == 4
    assert facts["sizes"] == [[16, 16, 4]]
    assert facts["channels"] == {3: 4}
    assert facts["bits"] == {8: 4}
    assert facts["labels"] == {"kind": "classes", "dim": 2, "counts": {"0": 1, "1": 3}}
    assert facts["form"] == "zip"
    assert facts["size_bytes"] > 1000
    assert facts["advice"] is None


def test_an_unprepared_folder_is_described_with_advice(pictures: Pictures):
    files = {"a.png": picture(0), "b.png": picture(1, 20, 30, "L"), "c.png": picture(2), "readme.txt": "x"}
    facts = describe(open_source(pictures.folder(files)))
    assert facts["sizes"] == [[16, 16, 2], [20, 30, 1]]
    assert facts["channels"] == {1: 1, 3: 2}
    assert facts["others"] == ["readme.txt"]
    assert facts["labels"] is None
    assert "differ in size" in facts["advice"]
    broken = describe(open_source(pictures.folder({"d.png": b""})))
    assert broken["broken"] == {"d.png": "empty file"}
    assert "1 pictures cannot be read" in broken["advice"]


def test_a_size_that_no_network_takes_is_said(pictures: Pictures):
    facts = describe(open_source(pictures.folder({"a.png": picture(0, 50, 50)})))
    assert "no network can be built for 50x50" in facts["advice"]


def test_contact_pictures_are_spread_over_the_set_and_skip_broken_ones(pictures: Pictures):
    files = {f"{i}.png": picture(i, 10 + i, 10) for i in range(9)} | {"3.png": b"junk"}
    source = open_source(pictures.folder(files))
    shown = contact_pictures(source, 3)
    assert [name for name, _ in shown] == ["0.png", "6.png"]
    assert [image.size for _, image in shown] == [(10, 10), (10, 16)]
    assert len(contact_pictures(source)) == 8
