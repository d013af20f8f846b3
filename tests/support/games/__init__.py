"""Game modules that tests let a server load, as its users write them."""
