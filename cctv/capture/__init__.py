"""The long-lived side: keeps cameras captured. Many captures in one process, one ffmpeg each; no HTTP here.

worker.py is the process; node.py its captures; keeper.py keeps one stream captured; attempt.py is one ffmpeg
from start to exit; content.py judges what it writes; indexer.py gives closed files their rows.
"""
