"""Devices: what runs a model, on this machine and on others."""
