"""Atomic files, JSON lines and locks: no kill, full disk or second process leaves half a file."""
