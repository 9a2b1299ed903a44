"""Charts as pure functions from records to SVG text: accessible, printable, without scripts."""

from wellfit.reports.charts.curves import curve_domain, learning_curve_chart
from wellfit.reports.charts.heatmap import heatmap_chart
from wellfit.reports.charts.ladder import ladder_chart, ladder_domain
from wellfit.reports.charts.lambda_path import lambda_path_chart, path_members

__all__ = [
    "curve_domain",
    "heatmap_chart",
    "ladder_chart",
    "ladder_domain",
    "lambda_path_chart",
    "learning_curve_chart",
    "path_members",
]
