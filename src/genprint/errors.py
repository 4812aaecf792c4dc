"""The one kind of error that users can mend."""


class GenprintError(Exception):
    """An error that a user can mend: its message says what is wrong, with which file, and what to do."""
