"""Serves HTTP: routes, limits, pages and the admin endpoints."""
