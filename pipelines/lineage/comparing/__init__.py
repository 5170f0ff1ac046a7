"""What differs between two runs, and what follows from it."""
