"""Summaries for people: tables, plots, one HTML page, the console. Takes plain dicts, knows no study."""

from ccalign_jax.reporting.console import print_table as print_table
from ccalign_jax.reporting.console import progress_bar as progress_bar
from ccalign_jax.reporting.evaluation import evaluation_table as evaluation_table
from ccalign_jax.reporting.evaluation import evaluation_tables as evaluation_tables
from ccalign_jax.reporting.evaluation_csv import diagnostics_rows as diagnostics_rows
from ccalign_jax.reporting.evaluation_csv import retrieval_rows as retrieval_rows
from ccalign_jax.reporting.evaluation_diagnostics import diagnostics_table as diagnostics_table
from ccalign_jax.reporting.evaluation_page import render_evaluation as render_evaluation
from ccalign_jax.reporting.evaluation_plots import evaluation_plots as evaluation_plots
from ccalign_jax.reporting.evaluation_words import evaluation_headline as evaluation_headline
from ccalign_jax.reporting.headline import headline as headline
from ccalign_jax.reporting.html import render_report as render_report
from ccalign_jax.reporting.plots import changes_plot as changes_plot
from ccalign_jax.reporting.plots import curves_plot as curves_plot
from ccalign_jax.reporting.plots import languages_plot as languages_plot
from ccalign_jax.reporting.plots import overfitting_plot as overfitting_plot
from ccalign_jax.reporting.plots import to_svg as to_svg
from ccalign_jax.reporting.results import language_table as language_table
from ccalign_jax.reporting.results import main_table as main_table
from ccalign_jax.reporting.results import trials_table as trials_table
from ccalign_jax.reporting.tables import Table as Table
from ccalign_jax.reporting.tables import to_html as to_html
from ccalign_jax.reporting.tables import to_latex as to_latex
from ccalign_jax.reporting.tables import to_markdown as to_markdown
from ccalign_jax.reporting.tables import to_rich as to_rich
