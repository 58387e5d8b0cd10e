"""RQ entry points: ids in, one service call. Safe to run twice."""
