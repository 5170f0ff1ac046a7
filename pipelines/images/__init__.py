"""Container images: built, found and pushed."""
