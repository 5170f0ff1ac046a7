"""From a graph to the runs of a cluster."""
