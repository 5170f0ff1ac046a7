"""The host's side of slimline: configuration, graph, engines, stores and the command line."""

__version__ = "0.1.0"
