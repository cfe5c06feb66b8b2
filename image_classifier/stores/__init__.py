"""Keeps models: in a folder or on Azure Blob Storage."""
