"""MMAction2 recognizers as parts of a model: build them, check their data, read their features.

Pathways, students and teachers share this. The use of their outputs belongs elsewhere.
"""
