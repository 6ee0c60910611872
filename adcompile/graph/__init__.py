"""The one representation: a typed SSA graph with regions, and what can be asked of it."""
