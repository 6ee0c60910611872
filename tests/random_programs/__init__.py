"""Random typed programs: drawn from a seed, checked in many ways, reduced when one fails."""
