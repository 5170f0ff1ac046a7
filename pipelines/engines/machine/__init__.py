"""Engines of one machine: processes and containers."""
