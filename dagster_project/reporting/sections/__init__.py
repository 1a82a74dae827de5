"""The parts of the page, one module per subject; each turns aggregates into a `Section` and knows no HTML."""
