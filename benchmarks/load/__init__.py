"""Sends requests from processes of its own and counts the answers."""
