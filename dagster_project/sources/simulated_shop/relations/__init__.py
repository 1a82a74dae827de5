"""What the simulated shop and its customers have with each other besides orders and words: programme, offers."""
