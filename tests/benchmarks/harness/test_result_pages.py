from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness import result_pages
from benchmarks.harness.case import MILLISECONDS, RATE, Verdict
from benchmarks.harness.plots import panels_of
from benchmarks.harness.records import entry_record, rows_record
from benchmarks.harness.report import number
from benchmarks.harness.statistics import Samples


def record(name: str = "race", *, met: bool = False) -> dict[str, Any]:
    samples = Samples()
    for who, milliseconds in (("ours", 3.0), ("theirs", 300.0)):
        samples.add(who, "hill", MILLISECONDS, [milliseconds, milliseconds * 2])
        samples.add(who, "hill", RATE, 1000 / milliseconds)
        samples.add(who, "hill", "weight, MB", 5.0)
    case = rows_record("up and down", "on foot", samples)
    goal = Verdict("quicker than theirs", "> 1", "100", met)
    return entry_record(
        name, "who is first", {"Machine": "this one", "Date": "today"}, [case], [goal]
    )


def test_a_rate_stands_beside_its_times() -> None:
    ours = record()["cases"][0]["figures"][0]

    assert (ours["implementation"], ours["median"], ours["count"]) == ("ours", 4.5, 2)
    assert ours["per_second"] == pytest.approx(333.3, abs=0.1)
    assert [row["figure"] for row in record()["cases"][0]["figures"]].count(RATE) == 0


def test_a_panel_has_one_unit() -> None:
    panels = panels_of(record()["cases"][0])

    assert [panel.label.partition(":")[0] for panel in panels] == ["answers a second", "ms", "MB"]
    assert all(list(panel.rows) == ["ours", "theirs"] for panel in panels)


@pytest.mark.slow
def test_results_are_written_as_json_page_and_plots(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plots need matplotlib")
    result_pages.save(record(), tmp_path)
    result_pages.save(record("sprint", met=True), tmp_path)

    page = (tmp_path / "race.md").read_text("utf-8")
    for words in ("this one", "MISSED", "theirs", "a second", "](race-up-and-down.svg)"):
        assert words in page
    plot = (tmp_path / "race-up-and-down.svg").read_text("utf-8")
    assert "theirs" in plot
    index = (tmp_path / "README.md").read_text("utf-8")
    for words in ("[race](race.md)", "[sprint](sprint.md)", "sprint: quicker", "met", "MISSED"):
        assert words in index
    assert json.loads((tmp_path / "race.json").read_text("utf-8"))["goals"][0]["met"] is False


@pytest.mark.slow
def test_pages_are_made_anew_with_the_remarks_that_people_add(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plots need matplotlib")
    result_pages.save(record(), tmp_path)
    plot = (tmp_path / "race-up-and-down.svg").read_bytes()
    with_remark = {**record(), "remarks": ["It rained."]}
    (tmp_path / "race.json").write_text(json.dumps(with_remark), "utf-8")

    result_pages.write_all(tmp_path)

    assert "* It rained." in (tmp_path / "race.md").read_text("utf-8")
    assert (tmp_path / "race-up-and-down.svg").read_bytes() == plot


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234.5, "1234"),
        (45.67, "45.7"),
        (4.567, "4.57"),
        (0.456, "0.46"),
        (0.0456, "0.0456"),
        (0.000123, "0.00012"),
        (0.0, "0"),
        (-3.0, "-3.00"),
    ],
)
def test_numbers_have_three_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text
