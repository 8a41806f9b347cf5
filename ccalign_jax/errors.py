"""The one exception that means "the input is wrong": scripts print it as one line and exit with status 2."""


class InputError(ValueError):
    """A mistake in what the user gave: names the file, the key or row, what is wrong, and the mend."""
