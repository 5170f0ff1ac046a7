"""Bundles: a release with the records of all that it was made of, in one file."""
