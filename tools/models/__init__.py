"""The registry: models and their versions, on disk or on Azure Blob Storage.

python -m tools.models list
python -m tools.models register FOLDER --name pets --tag source=iteration-7

versions.py       what a registry holds and what it can be asked to do
disk.py           a registry in a folder
blob.py           one in a container of Azure Blob Storage
blob_notes.py     the numbers there that are not used twice
candidate.py      what is to be registered: a folder, a zip or a file, gathered and checked
served.py         asks running servers whether they serve a version
show.py           tables and JSON
commands.py       what each command does
"""
