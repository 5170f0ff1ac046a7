"""Techniques: one module each, which a component of that subject calls."""
