import platform
import subprocess
import sys

import pytest

from image_classifier.concurrency.allocator import return_large_blocks
from tests.support.servers import ROOT, clean_environment

# Pillow's blocks have 16 MB: after one was freed, the C library would keep the next ones.
PROGRAM = """
import ctypes, sys
import psutil
if sys.argv[1] == "given back":
    import image_classifier.images.decode
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
for _ in range(3):
    blocks = []
    for _ in range(12):
        blocks.append(libc.malloc(16 * 2**20))
        ctypes.memset(blocks[-1], 1, 16 * 2**20)
        libc.malloc(100_000)  # stays above it, so that the heap cannot be cut off below
    for block in blocks:
        libc.free(ctypes.c_void_p(block))
    before = psutil.Process().memory_info().rss
print(before // 2**20)
"""


def megabytes(how: str, **environ: str) -> int:
    environment = clean_environment({"TF_CPP_MIN_LOG_LEVEL": "3", **environ})
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, how],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(result.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library keeps them")
def test_freed_blocks_go_back_to_the_system() -> None:
    kept = megabytes("kept")
    given_back = megabytes("given back")

    assert kept > 150
    assert given_back < 130


def test_a_size_in_the_environment_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "1000000")

    assert return_large_blocks() is False
