"""Sources: the user's own files, listed and hashed."""
