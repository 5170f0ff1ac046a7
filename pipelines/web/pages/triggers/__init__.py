"""Pages about what starts runs."""
