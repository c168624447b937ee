"""Matplotlib figures of runs, studies and optical flow, and the colours that they share.

A figure is made from plain numbers. Reading those, and the page around a figure, belong elsewhere.
"""
