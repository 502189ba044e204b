"""The command line: one file per verb. Parses, shows and returns exit statuses; what a verb does is done below."""
