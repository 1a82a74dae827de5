"""What the simulated shop's customers say: surveys, reviews, mentions, requests for help, and the words of it."""
