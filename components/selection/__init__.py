"""Selection: measurements in, a decision out; no file is read here but reports."""
