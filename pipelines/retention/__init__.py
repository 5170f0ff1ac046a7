"""Retention: what is kept for ever, what is collected, and what has to be forgotten."""
