"""Snapshots of the data, the datasets that were made of them, and what differs between two."""
