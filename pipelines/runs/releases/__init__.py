"""Releases as the store holds them: published, promoted, read by apps."""
