"""Content codings of bodies, both ways: gzip and deflate, as the reference takes and gives them.

Decoding is bounded, so that a small body cannot become a large one. Deflate is given without the zlib
wrapper, as the reference does, and taken with and without (RFC 9110 section 8.4.1.2 means the one with it).
"""

import zlib

MAX_DECODED = 1_048_576
"""Bytes that a coded body may stand for: four times what may be sent."""
MAX_MEMBERS = 16
"""Parts of a gzip body; each costs a copy of what follows."""
LEVEL = 4

_GZIP, _ZLIB, _RAW = 31, 15, -15  # zlib's wbits
_WBITS = {"gzip": _GZIP, "deflate": _RAW}


class BadCoding(ValueError):
    """The body is not coded as its header says."""


class TooLarge(ValueError):
    """The body stands for more than `MAX_DECODED` bytes."""


def decode(coding: str, raw: bytes) -> bytes:
    """The body that `raw` stands for; one in a coding that we do not know is left as it is.

    Raises BadCoding and TooLarge.
    """
    coding = coding.strip().lower()
    if coding not in _WBITS or not raw:
        return raw
    if coding == "gzip":
        return _inflate(raw, _GZIP)
    try:
        return _inflate(raw, _ZLIB)
    except BadCoding:
        return _inflate(raw, _RAW)


def wanted(accept_encoding: str) -> str | None:
    """The first coding of an `Accept-Encoding` header that we can give; None for none."""
    for part in accept_encoding.lower().split(","):
        name, _, parameters = (text.strip() for text in part.partition(";"))
        if name in _WBITS and not _is_zero(parameters):
            return name
    return None


def encode(coding: str, body: bytes) -> bytes:
    """The body in one of the codings of `wanted`."""
    made = zlib.compressobj(LEVEL, zlib.DEFLATED, _WBITS[coding])
    return made.compress(body) + made.flush()


def _inflate(raw: bytes, wbits: int) -> bytes:
    found = bytearray()
    for _ in range(MAX_MEMBERS if wbits == _GZIP else 1):
        part = zlib.decompressobj(wbits)
        try:
            found += part.decompress(raw, MAX_DECODED + 1 - len(found))
        except zlib.error:
            raise BadCoding from None
        if len(found) > MAX_DECODED:
            raise TooLarge
        if not part.eof:
            raise BadCoding
        raw = part.unused_data
        if not raw:
            return bytes(found)
    raise BadCoding


def _is_zero(parameters: str) -> bool:
    """Whether `q=0`, in any of its spellings, says that this coding is not acceptable."""
    name, _, value = parameters.partition("=")
    return name.strip() == "q" and not value.strip().strip("0.")
