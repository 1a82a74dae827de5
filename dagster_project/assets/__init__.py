"""The assets, one module a layer: each reads, calls pure code, writes, and says what it found."""
