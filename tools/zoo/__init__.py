"""Builds well-known networks as models to serve, and trains them for new classes.

    python -m tools.zoo build resnet50

docs/zoo.md is a tutorial.
"""
