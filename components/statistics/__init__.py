"""Statistics: pure numbers, no artifact and no framework."""
