"""What the bucket of a cluster holds beside artifacts."""
