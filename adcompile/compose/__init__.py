"""Graphs out of graphs: loops that run one graph for many inputs or directions."""
