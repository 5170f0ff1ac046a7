"""The configuration: what a person writes."""
