"""Memory that is kept shows in page faults: one for each 4 kB that the system gives out anew."""

import platform
import subprocess
import sys

import pytest

from image_classifier.concurrency.allocator import keep_heap
from tests.support.servers import ROOT, clean_environment

PROGRAM = """
import resource
from image_classifier.model_files.input_spec import InputSpec
from image_classifier.images.decode import decode
from image_classifier.images.preprocess import preprocess
from tests.support.builders import noise
from tests.support.image_parts import saved

input_spec = InputSpec(input_name="x", output_name="y", height=227, width=227)
data = saved(noise((640, 480)), "JPEG")
for _ in range(30):
    if _ == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    preprocess(decode(data, max_pixels=10**6), input_spec)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 20)
"""


def page_faults_of_an_image(**environ: str) -> int:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=clean_environment(environ),
        capture_output=True,
        text=True,
        check=True,
    )
    return int(result.stdout)


gnu_only = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only the GNU C library is told what to keep"
)


@gnu_only
def test_an_image_is_computed_in_the_memory_of_the_one_before() -> None:
    assert page_faults_of_an_image() < 100


@gnu_only
def test_what_the_environment_says_goes_before(monkeypatch: pytest.MonkeyPatch) -> None:
    assert page_faults_of_an_image(MALLOC_TRIM_THRESHOLD_="131072") > 400

    monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    assert keep_heap() is False
