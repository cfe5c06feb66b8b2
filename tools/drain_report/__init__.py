"""What is left in the queues: python -m tools.drain_report."""
