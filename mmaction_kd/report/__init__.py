"""The record that a training writes, and the HTML page made from it. Studies compare many runs."""
