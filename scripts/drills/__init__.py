"""Drills: the real system is started on a temporary DATA_DIR, harmed, measured and judged.

`scripts/drill` runs them in full length, tests/drills in their short form; the product knows nothing of it.
"""
