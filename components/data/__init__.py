"""Data: the user's files in, checked and divided images out."""
