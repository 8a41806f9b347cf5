"""The subcommands of `ccalign`, one a module: `define_flags`, and `main` with the positional arguments.

The first line of a module's docstring is what `ccalign --help` lists. A module defines no flag when it is imported.
"""
