"""The description of the HTTP API in frontend/openapi.json: ``python -m tools.openapi``.

Routes, methods, statuses and codes are read from where the app itself reads them; what a body looks
like is written in ``schemas``; ``tests/project/test_openapi.py`` asks the running app whether it is
true.
"""
