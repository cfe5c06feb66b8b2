"""Small complete programs: train, export, serve, ask. docs/examples.md walks through them."""
