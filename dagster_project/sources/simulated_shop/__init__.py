"""A shop with known truth: its feeds as real shops export them, and apart from them what is true of every customer."""
