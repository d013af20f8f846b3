"""A swarm of players that loads a server from outside, and counts what was lost on the way.

Speaks through `protocol` as a client does; knows nothing of the server's insides.
"""
