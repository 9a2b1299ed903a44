"""Charts as pure functions from records to SVG text: accessible, printable, without scripts.

Each takes the `unit` of the goal, a `key` as the prefix of its ids, unique in the page, and its `width` in pixels.
"""

from wellfit.reports.charts.heatmap import heatmap_chart
from wellfit.reports.charts.ladder import ladder_chart, ladder_domain
from wellfit.reports.charts.lambda_path import lambda_path_chart
from wellfit.reports.charts.small import curve_domain, learning_curve_chart, losses_panel, measure_panel
from wellfit.reports.charts.trade_off import Series, Size, trade_off_chart

__all__ = [
    "Series",
    "Size",
    "curve_domain",
    "heatmap_chart",
    "ladder_chart",
    "ladder_domain",
    "lambda_path_chart",
    "learning_curve_chart",
    "losses_panel",
    "measure_panel",
    "trade_off_chart",
]
