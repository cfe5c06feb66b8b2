"""Well-known networks as models to serve: built, taught new classes, written with their signatures.

    python -m tools.zoo build resnet50

docs/zoo.md goes through it.
"""
