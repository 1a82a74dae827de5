"""What must hold of every table: suites as YAML, and the one runner that evaluates them."""
