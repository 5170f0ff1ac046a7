"""The index of a store on this machine: what its records say, in tables; made anew at any time."""
