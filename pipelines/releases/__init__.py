"""Releases: which one is the champion, what a challenger has to show, and who signed."""
