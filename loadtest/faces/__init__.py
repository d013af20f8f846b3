"""How a run and its result are shown."""
