"""What customers say, read honestly: sentiment, themes, who stays silent, and what moves satisfaction."""
