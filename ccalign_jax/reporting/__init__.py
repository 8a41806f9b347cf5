"""Results for people: tables, plots, HTML pages, the console. Takes the mappings that a run writes as JSON."""

from ccalign_jax.reporting.baselines import baselines_words as baselines_words
from ccalign_jax.reporting.console import Preview as Preview
from ccalign_jax.reporting.console import print_table as print_table
from ccalign_jax.reporting.console import progress_bar as progress_bar
from ccalign_jax.reporting.format import count_words as count_words
from ccalign_jax.reporting.plots import save_png as save_png
from ccalign_jax.reporting.plots import to_svg as to_svg
from ccalign_jax.reporting.reports import CURVES as CURVES
from ccalign_jax.reporting.reports import EVALUATION as EVALUATION
from ccalign_jax.reporting.reports import SWEEP as SWEEP
from ccalign_jax.reporting.reports import Panel as Panel
from ccalign_jax.reporting.reports import make_plots as make_plots
from ccalign_jax.reporting.reports import make_tables as make_tables
from ccalign_jax.reporting.reports import render_evaluation as render_evaluation
from ccalign_jax.reporting.reports import render_report as render_report
from ccalign_jax.reporting.reports import to_html as to_html
from ccalign_jax.reporting.results import comparison_table as comparison_table
from ccalign_jax.reporting.results import main_table as main_table
from ccalign_jax.reporting.sentences import best_words as best_words
from ccalign_jax.reporting.sentences import comparison_words as comparison_words
from ccalign_jax.reporting.sentences import evaluation_headline as evaluation_headline
from ccalign_jax.reporting.sentences import headline as headline
from ccalign_jax.reporting.table import Table as Table
from ccalign_jax.reporting.table import to_latex as to_latex
from ccalign_jax.reporting.table import to_markdown as to_markdown
