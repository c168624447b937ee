"""Files and processes, which know nothing of videos or models.

No kill, full disk or second process leaves half a file; no child outlives its parent.
"""
