"""What players say to each other and are told: kept first, where it is to be kept, and then delivered."""
