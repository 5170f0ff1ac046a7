"""Pages about what things were made of, down to the images."""
