"""Formats: models and weights on disk, slimline's own and other people's."""
