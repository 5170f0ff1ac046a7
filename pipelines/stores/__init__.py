"""Stores: where bytes and records are kept, a directory or a bucket."""
