"""The benchmarks, one module for each name of `python -m benchmarks`."""
