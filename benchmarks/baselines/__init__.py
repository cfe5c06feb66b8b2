"""What the app is compared with: the tutorial, and clients of retired services."""
