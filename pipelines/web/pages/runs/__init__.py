"""Pages about runs and their steps."""
