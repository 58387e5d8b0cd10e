"""How long footage stays, and how it goes."""
