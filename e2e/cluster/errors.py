"""The one error of this package."""


class ClusterError(Exception):
    """Something a person has to do, in one sentence: it is printed as it is, without a traceback."""
