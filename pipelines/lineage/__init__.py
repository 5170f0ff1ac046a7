"""Questions about where results came from and what became of data."""
