"""What players do once they are connected."""
