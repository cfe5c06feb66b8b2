import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from image_classifier.engines.onnx import OnnxEngine
from image_classifier.errors import ModelError
from image_classifier.models.loaded_model import LoadedModel
from image_classifier.models.model import Model, ModelState
from tests.support.builders import model_folder
from tests.support.onnx_files import BGR8, colour_onnx

ROOT = Path(__file__).resolve().parents[3]


def test_eight_threads_that_arrive_together_load_once(
    tmp_path: Path, colours_onnx: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = []
    make = OnnxEngine.__init__

    def counted(self: OnnxEngine, *args: object) -> None:
        sessions.append(threading.get_ident())
        make(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(OnnxEngine, "__init__", counted)
    model = Model("m", 1, model_folder(tmp_path, onnx=colours_onnx))
    together = threading.Barrier(8)

    def arrive(_: int) -> LoadedModel:
        together.wait(timeout=10)
        return model.load()

    with ThreadPoolExecutor(8) as pool:
        loaded = list(pool.map(arrive, range(8)))

    assert len(sessions) == 1
    assert all(one is loaded[0] for one in loaded)
    assert model.load() is loaded[0]
    assert len(sessions) == 1
    assert model.state is ModelState.LOADED


@pytest.mark.parametrize("labels", ["Blue\nGreen", "Blue\nGreen\nRed\nPink"])
def test_a_wrong_number_of_labels_does_not_load(
    tmp_path: Path, colours_onnx: bytes, labels: str
) -> None:
    model = Model("m", 1, model_folder(tmp_path, onnx=colours_onnx, labels=labels))

    with pytest.raises(
        ModelError, match=r"model\.onnx gives 3 scores but labels\.txt.*has \d labels"
    ):
        model.load()
    assert model.state is ModelState.FAILED


def test_missing_labels_are_named(tmp_path: Path, colours_onnx: bytes) -> None:
    model = Model("m", 1, model_folder(tmp_path, onnx=colours_onnx, labels=None))

    with pytest.raises(ModelError, match=r"labels\.txt is missing"):
        model.load()


def test_a_folder_without_weights_says_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no model: put model\.onnx or model\.pb"):
        Model("m", 1, model_folder(tmp_path)).load()


def test_a_failed_model_is_tried_again_only_when_its_files_change(
    tmp_path: Path, colours_onnx: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    folder = model_folder(tmp_path, onnx=colours_onnx, labels="one")
    model = Model("m", 1, folder)
    for _ in range(3):
        with pytest.raises(ModelError, match="gives 3 scores"):
            model.load()
    assert len([r for r in caplog.records if r.levelname == "ERROR"]) == 1

    (folder / "labels.txt").write_text("Blue\nGreen\nRed\n")

    assert model.load().labels == ("Blue", "Green", "Red")
    assert model.failure is None


def test_a_model_json_overrides_what_the_nodes_say(tmp_path: Path) -> None:
    import numpy as np

    data = colour_onnx(metadata=BGR8, size=16)
    input_spec = {"input": "data", "output": "model_output", "size": [16, 16], "channels": "RGB"}
    folder = model_folder(tmp_path, onnx=data, labels="Red\nGreen\nBlue", input_spec=input_spec)
    loaded = Model("m", 1, folder).load()
    batch = np.zeros((1, 16, 16, 3), np.float32)
    batch[..., 0] = 255

    assert loaded.engine.input_spec.channels == "RGB"
    assert loaded.engine.predict(batch)[0].argmax() == 0


def test_unload_waits_for_a_load_that_is_under_way(
    tmp_path: Path, colours_onnx: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading, go_on, real = threading.Event(), threading.Event(), Model._load

    def slowly(self: Model) -> LoadedModel:
        loading.set()
        assert go_on.wait(20)
        return real(self)

    monkeypatch.setattr(Model, "_load", slowly)
    model = Model("m", 1, model_folder(tmp_path, onnx=colours_onnx))
    threads = [threading.Thread(target=model.load), threading.Thread(target=model.unload)]
    threads[0].start()
    assert loading.wait(20)
    threads[1].start()
    threads[1].join(0.2)

    assert threads[1].is_alive()
    assert model.state is ModelState.LOADING
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert not model.is_loaded
    assert model.is_retired


# A process that ends while a request still holds an unloaded model.
ENDING = """
import sys, threading
from pathlib import Path
from image_classifier.models.model import Model

model = Model("m", 1, Path(sys.argv[1]))
held = model.load()
model.unload()
start = threading.Thread.start

def seen(self):
    print("started", self.name, flush=True)
    start(self)

threading.Thread.start = seen
print("ends", flush=True)
"""


def test_a_process_that_ends_starts_no_thread_to_free_a_model(
    tmp_path: Path, colours_onnx: bytes
) -> None:
    folder = model_folder(tmp_path, onnx=colours_onnx)
    done = subprocess.run(
        [sys.executable, "-c", ENDING, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout == "ends\n"
    assert "Exception ignored" not in done.stderr
