"""What the store keeps beside results, so that records can be understood later."""
