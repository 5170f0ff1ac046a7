"""Who asks, and what browsers must not be made to do."""
