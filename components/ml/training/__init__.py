"""Training: the loop, and what goes into it."""
