"""Graphs in, derivative graphs out: forward mode, reverse mode, and the analyses they rest on."""
