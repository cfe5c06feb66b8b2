"""Runs queue triggers against Azure Storage queues."""
