"""What a thing was made of, and what was made of it."""
