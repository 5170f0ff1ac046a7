"""The contract: what every component promises, and how any engine calls one."""
