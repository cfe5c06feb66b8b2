"""A new version takes over when it is loaded, and not before; an unwanted one goes."""

from __future__ import annotations

import gc
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from image_classifier.errors import ModelError
from image_classifier.models.loaded_model import LoadedModel
from image_classifier.models.model import Model, ModelState
from image_classifier.models.served_model import ServedModel
from image_classifier.models.serving_config import AllVersions, Latest, Specific, VersionPolicy
from image_classifier.models.watched_model import WatchedModel
from tests.support.builders import model_folder

SECONDS = 20
LOADING, LOADED, FAILED = ModelState.LOADING, ModelState.LOADED, ModelState.FAILED
UNLOADING, UNLOADED = ModelState.UNLOADING, ModelState.UNLOADED


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "m"


@pytest.fixture
def publish(tmp_path: Path, colours_onnx: bytes) -> Callable[..., Path]:
    """Puts a version there; ``broken`` has a label too few."""

    def put(version: int, *, broken: bool = False) -> Path:
        aside = model_folder(
            tmp_path / "aside",
            "m",
            version,
            onnx=colours_onnx,
            labels="Blue\nGreen" if broken else "Blue\nGreen\nRed",
        )
        target = tmp_path / "m" / str(version)
        target.parent.mkdir(exist_ok=True)
        aside.rename(target)
        return target

    return put


def serve(
    folder: Path, policy: VersionPolicy | None = None, *, watched: bool = False
) -> ServedModel:
    def folders() -> dict[int, Path]:
        found = folder.iterdir() if folder.is_dir() else ()
        return {int(path.name): path for path in found}

    model_class = WatchedModel if watched else ServedModel
    return model_class(
        "m",
        folders,
        lambda version, path: Model("m", version, path),
        policy=policy or Latest(),
    )


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def answering(served: ServedModel) -> int:
    loaded = served.load()
    assert loaded is not None
    return loaded.version


def states(served: ServedModel) -> dict[int, ModelState]:
    return {model.version: model.state for model in served.known()}


def test_the_first_request_loads_the_highest_version_and_no_other(
    folder: Path, publish: Callable[..., Path]
) -> None:
    publish(0)
    publish(1)
    served = serve(folder)

    assert answering(served) == 1
    assert states(served) == {1: LOADED}


def test_the_old_version_answers_until_the_new_one_is_loaded(
    folder: Path, publish: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(1)
    served = serve(folder)
    assert answering(served) == 1
    may_load, real = threading.Event(), Model._load

    def slowly(self: Model) -> LoadedModel:
        assert may_load.wait(SECONDS)
        return real(self)

    monkeypatch.setattr(Model, "_load", slowly)
    publish(2)
    served.refresh()

    assert [answering(served) for _ in range(3)] == [1, 1, 1]
    until(lambda: states(served) == {2: LOADING, 1: LOADED})
    may_load.set()
    until(lambda: answering(served) == 2)
    until(lambda: states(served) == {2: LOADED, 1: UNLOADED})


def test_the_old_version_is_unloaded_when_its_last_request_ends(
    folder: Path, publish: Callable[..., Path]
) -> None:
    publish(1)
    served = serve(folder)
    request = served.load()
    assert request is not None
    publish(2)
    served.refresh()
    until(lambda: answering(served) == 2)

    assert states(served)[1] == UNLOADING
    import numpy as np

    scores = request.engine.predict(np.zeros((1, 32, 32, 3), np.float32))
    assert scores.shape == (1, 3)
    del request
    gc.collect()
    until(lambda: states(served)[1] == UNLOADED)


def test_a_broken_version_leaves_the_old_one_serving_and_says_why(
    folder: Path, publish: Callable[..., Path]
) -> None:
    publish(1)
    served = serve(folder)
    assert answering(served) == 1
    broken = publish(2, broken=True)
    served.refresh()
    served.load()
    until(lambda: states(served) == {2: FAILED, 1: LOADED})

    assert answering(served) == 1
    assert "gives 3 scores" in (served.versions()[2].failure or "")

    (broken / "labels.txt").write_text("Blue\nGreen\nRed")
    served.refresh()
    until(lambda: answering(served) == 2)


def test_a_start_with_a_broken_version_serves_the_one_before_it(
    folder: Path, publish: Callable[..., Path]
) -> None:
    publish(1)
    publish(2, broken=True)
    lazy, watched = serve(folder), serve(folder, watched=True)
    watched.load_wanted()

    assert answering(lazy) == 1
    assert answering(watched) == 1
    assert states(lazy) == states(watched) == {2: FAILED, 1: LOADED}


def test_the_highest_versions_reason_is_given_when_none_can_be_loaded(
    folder: Path, publish: Callable[..., Path]
) -> None:
    publish(1, broken=True)
    publish(2, broken=True)

    with pytest.raises(ModelError, match=r"2.*labels\.txt beside it has 2 labels"):
        serve(folder).load()


def test_a_version_that_was_taken_away_hands_over_to_the_one_before_it(
    folder: Path, publish: Callable[..., Path]
) -> None:
    publish(1)
    publish(2)
    served = serve(folder)
    assert answering(served) == 2

    shutil.rmtree(folder / "2")
    served.refresh()

    assert answering(served) == 2, "until the other one is loaded"
    until(lambda: answering(served) == 1)
    assert list(served.versions()) == [1]


def test_a_model_without_folders_is_gone_from_the_app_but_stays_in_the_server(
    folder: Path, publish: Callable[..., Path]
) -> None:
    publish(1)
    lazy, watched = serve(folder), serve(folder, watched=True)
    assert answering(lazy) == 1
    watched.load_wanted()
    shutil.rmtree(folder)
    lazy.refresh()
    watched.load_wanted()

    assert lazy.load() is None
    assert answering(watched) == 1, "as TensorFlow Serving does it"


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        (Latest(), {4}),
        (Latest(2), {4, 3}),
        (AllVersions(), {4, 3, 1}),
        (Specific((1, 3, 9)), {3, 1}),
    ],
)
def test_the_policy_says_what_is_loaded(
    folder: Path, publish: Callable[..., Path], policy: VersionPolicy, wanted: set[int]
) -> None:
    for version in (1, 3, 4):
        publish(version)
    served = serve(folder, policy, watched=True)
    assert served.load() is None, "nothing is loaded before it is told so"

    served.load_wanted()

    assert states(served) == dict.fromkeys(wanted, LOADED)
    assert answering(served) == max(wanted)
    for version in (1, 3, 4):
        loaded = served.load_version(version, any_version=False)
        assert (loaded is not None) == (version in wanted)


def test_a_policy_can_be_changed_and_unloads_what_is_not_wanted_any_more(
    folder: Path, publish: Callable[..., Path]
) -> None:
    for version in (1, 2, 3):
        publish(version)
    served = serve(folder, AllVersions(), watched=True)
    served.load_wanted()

    served.set_policy(Specific((1,)), {})
    served.load_wanted()

    assert answering(served) == 1
    until(lambda: states(served) == {3: UNLOADED, 2: UNLOADED, 1: LOADED})


def test_of_the_two_latest_the_third_goes(folder: Path, publish: Callable[..., Path]) -> None:
    for version in (1, 2):
        publish(version)
    served = serve(folder, Latest(2), watched=True)
    served.load_wanted()
    publish(3)
    served.load_wanted()

    until(lambda: states(served) == {3: LOADED, 2: LOADED, 1: UNLOADED})


def test_a_version_that_a_caller_names_is_loaded_beside_the_current_one(
    folder: Path, publish: Callable[..., Path]
) -> None:
    publish(1)
    publish(2)
    served = serve(folder)
    assert served.load_version(1, any_version=False) is None, "the policy does not want it"
    asked = served.load_version(1, any_version=True)

    assert asked is not None and asked.version == 1
    assert answering(served) == 2
    served.refresh()
    assert states(served) == {2: LOADED, 1: LOADED}
    assert served.load_version(7, any_version=True) is None


def test_a_version_can_be_loaded_again_after_it_was_unloaded(
    folder: Path, publish: Callable[..., Path]
) -> None:
    publish(1)
    served = serve(folder)
    assert answering(served) == 1
    publish(2)
    served.refresh()
    until(lambda: answering(served) == 2)
    until(lambda: states(served)[1] == UNLOADED)

    again = served.load_version(1, any_version=True)

    assert again is not None and again.version == 1


@pytest.mark.slow
def test_sixteen_threads_never_fail_while_versions_come_and_go(
    folder: Path, publish: Callable[..., Path]
) -> None:
    publish(1)
    served = serve(folder)
    assert answering(served) == 1
    problems: list[BaseException] = []
    seen: set[int] = set()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                seen.add(answering(served))
            except BaseException as exc:
                problems.append(exc)
                return

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(16)]
    for thread in threads:
        thread.start()
    for version in range(2, 8):
        publish(version, broken=version % 3 == 0)
        served.refresh()
        if version % 3:
            until(lambda version=version: answering(served) == version)  # type: ignore[misc]
    stop.set()
    for thread in threads:
        thread.join(SECONDS)

    assert not problems
    assert seen >= {1, 7}


def test_of_specific_versions_no_other_one_is_loaded_instead(
    folder: Path, publish: Callable[..., Path]
) -> None:
    publish(1)
    publish(2, broken=True)
    served = serve(folder, Specific((2,)))

    with pytest.raises(ModelError, match="gives 3 scores"):
        served.load()
    assert states(served) == {2: FAILED}
    assert not served.versions()[1].is_loaded


def test_a_version_that_is_retired_once_it_was_picked_hands_over_to_the_next(
    folder: Path, publish: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(1)
    served = serve(folder)
    real, tried = Model.load, []

    def late(self: Model) -> LoadedModel:
        tried.append(self.version)
        if tried == [1]:
            publish(2)
            served.refresh()
            self.unload()
        return real(self)

    monkeypatch.setattr(Model, "load", late)

    assert answering(served) == 2
    assert tried == [1, 2]


def test_a_version_whose_folder_moves_before_it_is_loaded_is_loaded_from_there(
    folder: Path, publish: Callable[..., Path]
) -> None:
    broken, moved = publish(1, broken=True), publish(2)
    folders = {1: broken}
    served = ServedModel("m", lambda: dict(folders), lambda number, path: Model("m", number, path))
    with pytest.raises(ModelError, match="gives 3 scores"):
        served.load()

    folders[1] = moved
    served.refresh()

    assert answering(served) == 1
    (model,) = served.versions().values()
    served.refresh()
    assert served.versions() == {1: model}
