"""Records each request: log line, traces and metrics."""
