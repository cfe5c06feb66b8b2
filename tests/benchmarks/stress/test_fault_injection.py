from __future__ import annotations

import os
from collections import Counter

import pytest

from benchmarks.servers.queue_pipeline import FAILED, POISON
from benchmarks.stress.fault_injection import RESULT, Ends, messages, run
from tools.bootstrap.environments import has_node

pytestmark = pytest.mark.process


@pytest.mark.skipif(not hasattr(os, "fork"), reason="SIGKILL and SIGSTOP are not on Windows")
@pytest.mark.skipif(not has_node(), reason="the storage emulator needs Node.js with npm")
def test_no_message_is_lost_when_a_worker_is_killed_and_the_storage_stands_still() -> None:
    ends = run(150, frozen_seconds=1.5)

    assert len(ends.killed) == 1
    assert set(ends.expected.values()) == {RESULT, FAILED, POISON}
    assert (ends.lost, ends.wrong) == ([], [])
    assert len(ends.ends) == 150


def test_messages_lost_at_the_wrong_end_and_repeated_are_told_apart() -> None:
    ends = Ends({"a": RESULT, "b": FAILED, "c": POISON, "d": RESULT})
    for name, end in (("a", RESULT), ("a", RESULT), ("b", RESULT), ("c", POISON)):
        ends.note(name, end)

    assert ends.lost == ["d"]
    assert ends.wrong == ["b: {'result': 1}, it must be images-failed"]
    assert ends.repeats == 1
    assert "lost                    1" in ends.report()


def test_messages_of_every_kind_are_in_the_mix() -> None:
    texts, expected = messages(300, "http://127.0.0.1:1")

    assert len(texts) == len(expected) == 300
    kinds = Counter(expected.values())
    assert kinds[POISON] == 1
    assert kinds[FAILED] > 10
    assert kinds[RESULT] > 250
