"""Set-up of a machine, step by step and only where something is missing.

Runs on a bare Python 3.11: standard library only, nothing of `cctv`.
"""
