"""Artifacts: what lies in the folder of each kind, read and written."""
