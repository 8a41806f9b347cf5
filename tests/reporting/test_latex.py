"""Tables as LaTeX: what is written, and that it compiles within the text of an article."""

import re
import shutil
import subprocess

import pytest

from ccalign_jax.reporting import CURVES, EVALUATION, PAPER, SWEEP, Table, make_tables
from ccalign_jax.reporting.latex import PACKAGES, TEXT_WIDTH, to_latex

SMALL = Table(
    title="A & B",
    columns=("map", "t2i\nR@1", "change"),
    rows=(("identity", ".500", ""), ("pivot image", "", ""), ("W = I + ΔW", ".541", "+.041±.017")),
    alignment="lrr",
    notes=("gap_1 is 5 %.",),
    rules=(1,),
)
WIDE = Table(
    title="Wide",
    columns=("map", *("t2i\nR@1", "change") * 3),
    rows=(("pivot", *[""] * 6), ("W", *(".591 [.575, .607]", "+.105 [+.091, +.119] p<.001") * 3)),
    alignment="l" + "r" * 6,
    rules=(1,),
)
HOSTILE = r"\&%$#_{}~^<>|[x]*`é中" + '"'


def test_booktabs_rules_stacked_headings_and_notes_below():
    assert to_latex(SMALL).splitlines() == [
        r"\begin{table*}",
        r"  \centering",
        r"  \setlength{\tabcolsep}{2.5pt}",
        r"  \begin{threeparttable}",
        r"    \caption{A \& B}",
        r"    \begin{tabular*}{\linewidth}{@{\extracolsep{\fill}}lrr@{}}",
        r"      \toprule",
        r"       & t2i &  \\",
        r"      map & R@1 & change \\",
        r"      \midrule",
        r"      identity & .500 &  \\",
        r"      \midrule",
        r"      \multicolumn{3}{@{}l}{\emph{pivot image}} \\",
        r"      W = I + $\Delta$W & .541 & +.041$\pm$.017 \\",
        r"      \bottomrule",
        r"    \end{tabular*}",
        r"    \begin{tablenotes}[flushleft]",
        r"      \scriptsize",
        r"      \item gap\_1 is 5 \%.",
        r"    \end{tablenotes}",
        r"  \end{threeparttable}",
        r"\end{table*}",
    ]


def test_a_wide_table_has_its_intervals_below_and_then_its_columns_in_blocks():
    lines = to_latex(WIDE).splitlines()
    place = next(place for place, line in enumerate(lines) if line.lstrip().startswith("W & "))
    assert lines[place].removesuffix(r" \\").split(" & ")[1:3] == [".591", r"+.105 p$<$.001"]
    assert "{[}.575, .607]" in lines[place + 1] and "{[}+.091, +.119]" in lines[place + 1]
    narrow = to_latex(WIDE.take([0, 1, 2]))
    assert r"W & .591 {[}.575, .607] & +.105 {[}+.091, +.119] p$<$.001 \\" in narrow
    blocks = to_latex(WIDE.take([0, *range(1, 7), *range(1, 7)]))
    assert blocks.count(r"\begin{tabular*}") == blocks.count(r"\emph{pivot}") > 1 == blocks.count(r"\caption")


def test_a_long_table_goes_on_in_further_floats_under_its_number():
    rows = [("many", ""), *((f"row {n}", f".{n:03d}") for n in range(120))]
    written = to_latex(Table("Long", ("name", "x"), tuple(rows), "lr", ("a note",)))
    assert written.count(r"\begin{table*}") == written.count(r"\emph{many}") == 3
    assert "Long (1 of 3)" in written and written.count(r"\addtocounter{table}{-1}") == 2
    assert written.count("a note") == 1 and written.index("a note") > written.index("row 119")
    assert re.findall(r"row (\d+) &", written) == [str(n) for n in range(120)]


def test_every_special_sign_is_escaped():
    written = to_latex(Table("", ("a", "b"), ((HOSTILE, "−.1"),), "ll"))
    wanted = (
        r"\textbackslash{}\&\%\$\#\_\{\}\textasciitilde{}\textasciicircum{}$<$$>$\textbar{}{[}x]{*}`é\texttt{U+4E2D}"
        r'" & $-$.1'
    )
    assert wanted in written


def tables(make, evaluation) -> dict[str, Table]:
    aligners = ("linear", "residual", "residual_mlp", "per_language(residual_mlp)", "dual(per_language(residual_mlp))")
    many = [(pivot, each, "infonce", -0.2, 0.01) for pivot in ("image", "text:en") for each in aligners]
    long = make(*many, languages=("ar", "de", "en", "es", "fr", "it", "ja", "pt", "zh"), name="中文_set", where=True)
    found = make_tables([*SWEEP, *PAPER], long)
    return found | {f"evaluation {name}": one for name, one in make_tables(EVALUATION, evaluation()).items()}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("options", ["", "twocolumn"])
def test_all_tables_compile_and_none_is_wider_than_the_text(make, evaluation, tmp_path, options):
    packages = [
        shutil.which("kpsewhich") and subprocess.run(["kpsewhich", f"{one}.sty"]).returncode for one in PACKAGES
    ]
    if any(packages):
        pytest.skip(f"LaTeX has no {' or '.join(PACKAGES)}")
    floats = [f"{to_latex(table)}\\clearpage" for table in [SMALL, WIDE, *tables(make, evaluation).values()]]
    text = [rf"\documentclass[{options}]{{article}}", rf"\usepackage{{{','.join(PACKAGES)}}}", r"\begin{document}"]
    (tmp_path / "all.tex").write_text("\n".join([*text, *floats, r"\end{document}"]), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout and "Float too large" not in done.stdout


def test_the_compact_table_is_one_block(make, evaluation):
    found = tables(make, evaluation)
    for name in ("compact", "seed_t2i", "seed_i2t", "seed_languages"):
        assert to_latex(found[name]).count(r"\begin{tabular*}") == 1, name
    assert TEXT_WIDTH == 345.0 and CURVES
