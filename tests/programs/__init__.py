"""Programs that several tests differentiate: written as users write them, with NumPy and loops."""
