"""That footage was not changed: hashes, chains, signed heads, reading again, packages that prove it."""
