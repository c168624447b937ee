"""The record that a training writes, the HTML page made from it, and all figures.

Studies compare many runs.
"""
