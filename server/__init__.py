"""Lockgate: a real-time game server with two tokens."""

__version__ = "0.1.0"
