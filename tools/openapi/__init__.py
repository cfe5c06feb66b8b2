"""Describes the HTTP API in frontend/openapi.json: ``python -m tools.openapi``.

Routes, methods, statuses and codes come from the sources of the app itself; ``schemas`` has the
shapes of bodies; ``tests/project/test_openapi.py`` compares the description with the running app.
"""
