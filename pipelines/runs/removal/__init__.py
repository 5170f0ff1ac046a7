"""What is removed on purpose, and what stays of it."""
