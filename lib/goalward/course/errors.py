"""Problems that a person can mend: the command line shows each as one line."""


class Problem(Exception):
    """Something could not be done; the message says what, and what mends it."""

    exit_status = 1


class Usage(Problem, ValueError):
    """What was asked for does not exist or makes no sense."""

    exit_status = 2
