"""A run of a cluster, from its start to its end."""
