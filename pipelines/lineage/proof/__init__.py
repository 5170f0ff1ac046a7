"""Proof: from a released file up to the files of the user, every digest computed again."""
