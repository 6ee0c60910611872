"""Python functions in, typed graphs out: the user's language ends here."""
