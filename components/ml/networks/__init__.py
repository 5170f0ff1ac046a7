"""Networks: what models are built of."""
