"""Releases: which one is the champion, what is collected, and what has to be forgotten."""
