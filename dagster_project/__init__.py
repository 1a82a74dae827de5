"""The loyalty warehouse: from raw orders and feedback to an audited, published answer, every night."""
