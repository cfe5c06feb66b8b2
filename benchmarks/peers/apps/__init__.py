"""The other servers' applications, each run in an environment of its own."""
