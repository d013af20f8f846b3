"""Authoritative matches while they run: what calls them in time, and where they are found."""
