"""Graphs in, simpler graphs out: one small pass a file."""
