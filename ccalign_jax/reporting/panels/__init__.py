"""The subjects of a page: the tables, plots and blocks of each; `reporting/pages.py` lists them in order."""
