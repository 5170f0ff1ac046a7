"""Triggers: what starts runs by the clock and when data has changed."""
