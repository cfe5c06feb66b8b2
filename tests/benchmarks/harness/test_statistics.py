from __future__ import annotations

from benchmarks.harness.statistics import Samples, Summary


def test_a_summary_gives_median_and_tails() -> None:
    summary = Summary.of([float(value) for value in range(200, 0, -1)])

    assert summary.as_dict() == {
        "count": 200,
        "median": 100.5,
        "p95": 190.0,
        "p99": 198.0,
        "smallest": 1.0,
        "largest": 200.0,
    }


def test_the_tails_of_one_sample_are_that_sample() -> None:
    summary = Summary.of([7.0])

    assert (summary.median, summary.p95, summary.p99) == (7.0, 7.0, 7.0)


def test_samples_are_kept_apart_and_pooled_when_asked() -> None:
    samples = Samples()
    for name, value in [("cat", 1.0), ("cat", 3.0), ("dog", 8.0)]:
        samples.add("ours", name, "time, ms", value)
    samples.add("theirs", "cat", "time, ms", 100.0)

    assert samples.median("ours", "cat", "time, ms") == 2.0
    assert samples.values("ours", None, "time, ms") == [1.0, 3.0, 8.0]
    assert samples.inputs() == ["cat", "dog"]
