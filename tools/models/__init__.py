"""Manages a registry of models and their versions, on a disk or on Azure Blob Storage.

python -m tools.models list
python -m tools.models register FOLDER --name pets --tag source=iteration-7
"""
