"""Runs that go on: what happens in them, how far they are, what they print, who ends them."""
