"""Models, images and files that the benchmarks work on."""
