"""Who is calling: the identity provider's tokens, and ours that stand for them afterwards."""
