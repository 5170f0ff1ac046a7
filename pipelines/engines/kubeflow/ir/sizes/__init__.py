"""What a compiled pipeline becomes on a server: how many bytes, and whether they fit."""
