"""How players prove who they are: at an identity provider, or to a reference server by a device id."""
