"""Graphs: networks read as graphs of layers, and rebuilt."""
