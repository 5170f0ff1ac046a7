"""What runs left in the bucket becomes results of a store."""
