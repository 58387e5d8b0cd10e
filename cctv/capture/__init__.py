"""The long-lived side: worker, keeper, attempt, indexer. No HTTP."""
