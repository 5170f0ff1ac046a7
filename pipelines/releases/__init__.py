"""Releases: what is kept, what is collected, and what has to be forgotten."""
