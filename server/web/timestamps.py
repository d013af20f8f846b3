"""Times as the gateway's JSON writes them."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(seconds: int) -> str:
    """Whole Unix seconds as RFC 3339, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_exact(microseconds: int) -> str:
    """Unix microseconds as RFC 3339, in UTC; without a fraction where there is none."""
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat().removesuffix("+00:00") + "Z"
