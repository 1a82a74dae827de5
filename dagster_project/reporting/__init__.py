"""The report layer: words and pictures for people, read from a published version and from nothing else."""
