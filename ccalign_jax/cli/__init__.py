"""The command line: `ccalign`, a module for each subcommand in `commands`, and what they share."""
