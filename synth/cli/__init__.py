"""The command line: entry points, folder names, and what a user is told of a mistake."""
