"""Bundle: Python, its C library and the runtime, for devices that have none that fit."""
