"""The game's code in the server: what calls it, what fences it, and what it may ask for."""
