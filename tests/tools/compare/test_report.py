"""The report, the spreadsheet and the plot show how far two endpoints agree."""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.tools.compare.services import (
    Compare,
    Reply,
    Serve,
    cat,
    figure,
    kept,
    rows,
    tags,
)


def differing(body: bytes) -> Reply:
    """Another tag for b.JPG, surely; for sub/c.gif, hardly; for a.png a bit more."""
    return {
        b"a.png": tags(cat=0.875, dog=0.125),
        b"b.JPG": tags(dog=0.875, cat=0.125),
        b"sub/c.gif": tags(dog=0.53125, cat=0.46875),
    }.get(body) or cat(body)


def test_the_report_says_how_far_they_agree(
    compare: Compare, service: Serve, tmp_path: Path
) -> None:
    a, b = service(), service(differing)
    ran = compare(a.url, b.url)
    report = (tmp_path / "out" / "comparison.md").read_text("utf-8")

    assert (ran.status, ran.err) == (0, "")
    assert figure(ran, "images compared") == ["4 of 4"]
    assert figure(ran, "same top tag") == ["2 (50.0 %)"]
    assert figure(ran, "another top tag, both sure") == ["1"]
    # 0.125, 0.625, 0.28125 and 0, each for two tags.
    assert figure(ran, "difference of a probability, mean") == ["0.26"]
    assert figure(ran, "… largest") == ["0.62"]
    assert figure(ran, "images with other tags at 0.8 or more") == ["2"]
    assert figure(ran, "images answered") == ["4", "4"]
    sure = ["b.JPG", "cat 0.750", "dog 0.875", "another", "cat", "0.62"]
    unsure = ["sub/c.gif", "cat 0.750", "dog 0.531", "another, one unsure", "cat", "0.28"]
    assert [cells for cells in rows(ran.out) if cells[0] in ("b.JPG", "sub/c.gif")] == [
        sure,
        unsure,
        sure,
        unsure,
    ]
    assert ran.out.endswith(
        "The two agree on 2 of 4 images (50.0 %, at least 15.0 % with 95 % confidence); "
        "probabilities differ by 0.26 on average and by at most 0.62.\n"
    )
    assert all(cells in rows(report) for cells in rows(ran.out))
    assert f"* A: `{a.url}`" in report


def test_every_image_is_in_a_spreadsheet(compare: Compare, service: Serve, tmp_path: Path) -> None:
    def refusing(body: bytes) -> Reply:
        return Reply(status=413) if body == b"a.png" else differing(body)

    compare(service().url, service(refusing).url)
    raw = (tmp_path / "out" / "comparison.csv").read_bytes()
    read = list(csv.DictReader(raw.decode("utf-8-sig").splitlines()))

    assert raw.startswith(b"\xef\xbb\xbf")
    assert [each["file"] for each in read] == ["a.png", "b.JPG", "sub/c.gif", "sub/d.bmp"]
    assert [each["same_tag"] for each in read] == ["", "False", "False", "True"]
    assert read[0]["b_error"].startswith("answered 413: ")
    assert (read[1]["b_tag"], read[1]["b_probability"]) == ("dog", "0.875")
    assert float(read[1]["a_ms"]) > 0
    assert float(read[2]["difference"]) == 0.28125


def test_every_tag_is_in_the_answers(compare: Compare, service: Serve, tmp_path: Path) -> None:
    compare(service().url, service(differing).url)
    found = kept(tmp_path)["b.JPG"]

    assert found["a"]["tags"] == {"cat": 0.75, "dog": 0.25}
    assert found["b"]["tags"] == {"dog": 0.875, "cat": 0.125}
    assert found["bytes"] == 5


def test_the_first_answer_of_a_connection_is_told_apart(
    compare: Compare, service: Serve, tmp_path: Path
) -> None:
    ran = compare(service().url, service().url, "--concurrency", "1")
    answers = kept(tmp_path)

    for side in ("a", "b"):
        assert [each[side]["opened_connection"] for each in answers.values()].count(True) == 1
        assert answers["a.png"][side]["opened_connection"]
    assert "–" not in figure(ran, "… slowest first one, with connecting")


def test_the_plot_is_an_image_of_both(compare: Compare, service: Serve, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plots need matplotlib")
    compare(service().url, service(differing).url, plot=True)
    svg = (tmp_path / "out" / "comparison.svg").read_text("utf-8")
    words = "".join(ElementTree.fromstring(svg).itertext())

    assert "same top tag (2)" in words
    assert "another top tag (2)" in words
    assert re.search(r"A: median [\d.,]+ ms", words)
    assert "milliseconds" in words
    assert "](comparison.svg)" in (tmp_path / "out" / "comparison.md").read_text("utf-8")


def test_without_matplotlib_all_but_the_plot_is_there(
    compare: Compare, service: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ran = compare(service().url, service().url, plot=True)

    assert ran.status == 0
    assert "note: There is no plot: matplotlib is not installed." in ran.err
    assert "svg" not in ran.out + (tmp_path / "out" / "comparison.md").read_text("utf-8")
    assert (tmp_path / "out" / "comparison.csv").is_file()


def test_different_tags_are_warned_of(compare: Compare, service: Serve) -> None:
    ran = compare(service().url, service(lambda body: tags(cat=0.75, Hund=0.25)).url)

    assert "**The tags are not the same.** Only A ever named: dog." in ran.out
    assert "Only B ever named: Hund." in ran.out


def test_with_labels_it_says_who_is_right(compare: Compare, service: Serve, folder: Path) -> None:
    (folder / "sub").rename(folder / "dog")
    (folder / "eel").mkdir()
    (folder / "eel" / "e.png").write_bytes(b"e")
    right_once = service(lambda body: tags(dog=1.0, cat=0) if b"c.gif" in body else cat(body))
    ran = compare(service().url, right_once.url, "--labelled")

    assert figure(ran, "right, of 2") == [
        "0 (0.0 %; 0.0 % to 65.8 %)",
        "1 (50.0 %; 9.5 % to 90.5 %)",
    ]
    assert figure(ran, "right where the other is wrong") == ["0", "1"]
    assert ["dog", "cat", "2", "1"] in rows(ran.out)
    assert "Folders named like no tag, whose images are not counted: eel." in ran.out


@pytest.mark.parametrize(("least", "status"), [("0.5", 0), ("0.51", 1)])
def test_too_little_agreement_is_a_failure_if_asked_for(
    least: str, status: int, compare: Compare, service: Serve
) -> None:
    ran = compare(service().url, service(differing).url, "--least-agreement", least)

    assert ran.status == status
    assert ("--least-agreement is 0.51" in ran.err) is bool(status)


def test_what_b_fails_at_is_no_agreement(compare: Compare, service: Serve) -> None:
    fails_once = service(lambda body: Reply(status=400) if body == b"a.png" else cat(body))

    assert compare(service().url, fails_once.url, "--least-agreement", "0.76").status == 1
    again = compare(fails_once.url, service().url, "--least-agreement", "1", "--overwrite")
    assert again.status == 0
