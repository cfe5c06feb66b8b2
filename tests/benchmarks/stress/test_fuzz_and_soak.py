from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.stress import burst, fuzz, fuzz_process, requests, soak
from benchmarks.stress.fuzz_target import IMAGE, first_inputs
from benchmarks.stress.requests import Request, encoded, noise

pytestmark = pytest.mark.process


def test_a_short_fuzz_run_tries_inputs_and_finds_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = fuzz.main(["--minutes", "0.1", "--seed", "3"], tmp_path / "crashes")

    out = capsys.readouterr().out
    assert code == 0, out
    assert "python -m benchmarks.stress.fuzz --minutes 0.1 --seed 3" in out
    row = [cell.strip() for cell in out.splitlines()[-1].strip("|").split("|")]
    assert int(row[2]) > 100  # inputs
    assert row[3] == "0"  # crashes
    assert float(row[5].split()[0]) > 50  # MB
    assert [path.name for path in (tmp_path / "crashes").iterdir()] == [".gitignore"]


def test_a_crash_is_saved_with_its_seed_and_can_be_seen_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "first").mkdir()
    for number, data in enumerate(first_inputs()):
        (tmp_path / "first" / f"{number:03}").write_bytes(data)

    def broken(data: bytes, classifier: object) -> None:
        if data[:1] == IMAGE:
            raise ZeroDivisionError("a bug")

    monkeypatch.setattr(fuzz_process, "atheris", None)
    monkeypatch.setattr(fuzz_process, "try_input", broken)
    monkeypatch.setattr(fuzz, "try_input", broken)

    with pytest.raises(ZeroDivisionError):
        fuzz_process.main(tmp_path, tmp_path / "crashes", 20, 11)
    (saved,) = (tmp_path / "crashes").iterdir()
    assert saved.name.startswith("crash-seed11-")
    with pytest.raises(ZeroDivisionError):
        fuzz.main(["--again", str(saved)])


def test_a_fuzzer_that_dies_counts_as_crashes_and_is_exit_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = fuzz.Run(engine="atheris", inputs=5, crashes=2, last_words="Traceback of the last")
    monkeypatch.setattr(fuzz, "fuzz", lambda *args: run)

    assert fuzz.main(["--minutes", "1"], tmp_path) == 1
    captured = capsys.readouterr()
    assert "2 crashes" in captured.err
    assert "Traceback of the last" in captured.err


@pytest.fixture
def small_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same kinds of requests, with little images."""
    few = [Request("small png", 200, encoded(noise(64, 48), "PNG"))]
    monkeypatch.setattr(soak, "good", lambda: few)
    monkeypatch.setattr(
        soak, "huge", lambda: [Request("1 MP", 200, encoded(noise(999, 999), "PNG"))]
    )
    monkeypatch.setattr(requests, "CROWD_BYTES", 900_000)


def test_a_short_soak_gets_the_expected_statuses_only(
    small_mix: None, capsys: pytest.CaptureFixture[str]
) -> None:
    result = soak.run(4)

    assert not result.unexpected
    assert result.requests > 50
    assert {status for _, status in result.answers} == {200, 400, 403, 404, 413, 415}
    assert all(50 < megabytes < 5000 for megabytes in result.megabytes.values())
    assert result.peak_megabytes >= max(result.megabytes.values())
    assert "at rest" in capsys.readouterr().out


def test_one_wrong_status_or_growth_is_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def soaked(*, end: float, wrong: int) -> soak.Soak:
        result = soak.Soak(seconds=1.0, megabytes={"start": 100.0, "middle": 100.0, "end": end})
        result.answers["good", 200] = 7
        if wrong:
            result.unexpected["small png: 500 instead of 200"] = wrong
        return result

    for end, wrong, code, words in (
        (104.9, 0, 0, ""),
        (104.9, 1, 1, "500 instead of 200"),
        (106.0, 0, 1, "GROWN by 6.0%"),
    ):
        monkeypatch.setattr(soak, "run", lambda seconds, e=end, w=wrong: soaked(end=e, wrong=w))

        assert soak.main(["--minutes", "1"]) == code
        assert words in capsys.readouterr().err


def test_a_little_crowd_is_answered(small_mix: None, capsys: pytest.CaptureFixture[str]) -> None:
    result = burst.run(12, {"maxConcurrentRequests": 2}, {})

    assert result.statuses == {200: 12}
    assert result.is_good
    assert "200: 12" in burst.text(result)


def test_a_crowd_without_room_is_told_so(small_mix: None) -> None:
    limits = {"maxConcurrentRequests": 1, "maxOutstandingRequests": 1}

    result = burst.run(12, limits, {})

    assert result.statuses[429] > 0
    assert result.statuses[200] + result.statuses[429] == 12
    assert result.is_good


def test_a_crowd_that_breaks_the_host_is_not_good() -> None:
    result = burst.Burst(peak_megabytes=1300, status_after=200)
    assert not result.is_good

    result.peak_megabytes = 900
    assert result.is_good
    result.statuses["ConnectionResetError"] = 1
    assert not result.is_good
