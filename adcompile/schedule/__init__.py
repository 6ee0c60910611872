"""Whole-array graphs in, graphs of scalar loop nests out."""
