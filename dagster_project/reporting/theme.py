"""How every chart looks, and how it becomes a picture that stands in the page by itself.

Colours are Okabe and Ito's, told apart by colour-blind readers too. Altair and vl-convert take a second to load, so
they are imported by the functions that need them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from markupsafe import Markup, escape

if TYPE_CHECKING:
    import altair as alt

    Chart: TypeAlias = alt.Chart | alt.LayerChart | alt.FacetChart

BLUE, ORANGE, GREEN, RED, SKY, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#7a7f87"
INK, SOFT_INK, RULE = "#1d2733", "#556170", "#e3e7ec"
# metric-compatible families, so that a label takes the room that was measured for it on any machine
FONT = "Arial, Liberation Sans, Helvetica, sans-serif"
WIDTH, HEIGHT = 470, 260  # fits a phone whole with text still legible, and half a laptop screen enlarged

_NAMESPACE = re.compile(r'\s+xmlns(?::\w+)?="[^"]*"')
_IDENTIFIER = re.compile(r'(?<=\sid=")[^"]+(?=")')


def config() -> dict[str, Any]:
    """The theme, as a Vega-Lite configuration."""
    text = {"labelFont": FONT, "titleFont": FONT, "labelColor": SOFT_INK, "titleColor": INK}
    return {
        "aria": False,  # the picture has one name; hundreds of named bars would hide it
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": None},
        "axis": text
        | {
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "titlePadding": 10,
            "gridColor": RULE,
            "domain": False,
            "ticks": False,
            "labelPadding": 6,
            "labelOverlap": "greedy",
        },
        "axisX": {"grid": False, "domain": True, "domainColor": GREY},
        "legend": text
        | {
            "orient": "top",
            "title": None,
            "labelFontSize": 11,
            "symbolType": "square",
            "labelLimit": 400,
            "columnPadding": 18,
            "offset": 8,
        },
        "bar": {"color": BLUE},
        "line": {"color": BLUE, "strokeWidth": 2},
        "text": {"font": FONT, "fontSize": 10, "color": INK},
    }


def render(chart: Chart, name: str, description: str) -> Markup:
    """A chart as inline SVG: nothing in it points outside, its ids are unique in the page, a screen reader can name it.

    Args:
        chart: without a size of its own unless it needs one.
        name: unique in the page; the prefix of the picture's ids.
        description: what the picture shows, for who cannot see it.
    """
    import altair as alt
    import vl_convert

    svg = vl_convert.vegalite_to_svg(
        chart.to_dict(),
        vl_version=".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2]),
        config=config(),
        allowed_base_urls=[],
    )
    svg = _NAMESPACE.sub("", str(svg))
    for number, identifier in enumerate(dict.fromkeys(_IDENTIFIER.findall(svg))):
        svg = svg.replace(f'id="{identifier}"', f'id="{name}-{number}"').replace(
            f"url(#{identifier})", f"url(#{name}-{number})"
        )
    label = escape(description)
    opening = f'<svg role="img" aria-labelledby="{name}-title"'
    svg = svg.replace("<svg", opening, 1)
    return Markup(svg.replace(">", f'><title id="{name}-title">{label}</title>', 1))  # noqa: S704 - Vega escapes its text
