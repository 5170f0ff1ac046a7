"""Launching a run, explaining one before, exporting one after."""
