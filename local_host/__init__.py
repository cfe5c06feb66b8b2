"""Runs the function folders on this machine, in place of Azure Functions Core Tools.

For development, tests and benchmarks; production uses the real host.

The parent process polls the queues, whatever the number of workers: it fetches messages, keeps
them hidden while they run, hands each to the least busy worker and writes the outputs. So the
limits of host.json hold for the whole host, every browser receives every result, and a worker that
dies loses no message: its messages are released at once.
"""
