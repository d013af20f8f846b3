"""Why a run could not be made."""


class SwarmError(Exception):
    """The swarm could not do its work: the server is not there, or refuses. The text is for the operator."""
