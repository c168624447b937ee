"""Processes that end with the one that started them, and what a tool says when it is stopped."""
