"""Functions that are wrong or outside the language, by kind; `tests/golden/refusals.txt` has what
a user is told of each."""
