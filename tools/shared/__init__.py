"""What two or more of the tools use."""
