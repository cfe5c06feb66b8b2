"""Downloads URLs and classifies them with a pool of threads: the work of a queue without the queue.

    python -m benchmarks.baselines.url_pipeline --threads 24 < urls.txt

The local host's queue trigger is compared with it, which does the same and the queue's work too.
Settings come from the environment, as the app's do. It prints ``ready`` when the model is
loaded, begins when a line comes on standard input after the URLs, and prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from image_classifier import Classifier, Settings


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads URLs up to an empty line, waits for another line, works, reports."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.baselines.url_pipeline")
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args(arguments)
    urls = [line.strip() for line in iter(sys.stdin.readline, "\n")]
    classifier = Classifier(Settings.from_environ(os.environ))
    with ThreadPoolExecutor(options.threads) as pool:
        list(pool.map(classifier.classify_url, urls[:1]))
        print("ready", flush=True)
        sys.stdin.readline()
        started = time.perf_counter()
        tags = [
            prediction.predicted_tag_name for prediction in pool.map(classifier.classify_url, urls)
        ]
        seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "tags": tags}), flush=True)


if __name__ == "__main__":
    main()
