"""Times as the gateway's JSON writes them."""

from datetime import UTC, datetime


def rfc3339(seconds: int) -> str:
    """Whole Unix seconds as RFC 3339, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
