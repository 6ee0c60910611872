"""Time of values and gradients beside that of other tools, problem by problem."""
