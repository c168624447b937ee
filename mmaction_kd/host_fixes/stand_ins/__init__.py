"""Files that are served under the name of a module the host imports and does not have."""
