"""Training of the two models of the command line, each epoch one compiled function."""
