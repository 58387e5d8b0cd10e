"""Who did what: the audit log, its chain and reading it."""
