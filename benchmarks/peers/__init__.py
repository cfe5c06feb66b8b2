"""Measures other servers with the same model, side by side with this one."""
