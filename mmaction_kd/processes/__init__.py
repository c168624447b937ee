"""Child processes that end with their parent, and how a tool ends on Ctrl-C."""
