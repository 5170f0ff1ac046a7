"""Recurring runs of a cluster."""
