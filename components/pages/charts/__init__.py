"""Charts: SVG pictures as text."""
