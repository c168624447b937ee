"""Files that a kill, a full disk or a second process can not leave half-written."""
