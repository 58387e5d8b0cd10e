"""The nouns and their tables. What concerns one row lives here; never a query across nouns."""
