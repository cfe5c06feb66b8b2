"""Reports the messages that are left in the queues: python -m tools.drain_report."""
