"""Runs: graphs, keys, records and cached results."""
