"""The parts of the running system on one machine: start, watch, restart, stop.

Knows processes, never what they do; standard library only, so that it stays small and outlives their faults.
"""
