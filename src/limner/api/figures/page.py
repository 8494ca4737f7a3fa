"""The page that shows all figures: `figures.html`, beside the sheets it refers to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from limner.api.figures.base import Figure

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1100px;padding:0 1rem;color:#222}"
    "img{max-width:100%;border:1px solid #ddd;image-rendering:pixelated}h2{margin:2.5rem 0 .2rem}"
    ".source{color:#777;margin:0}figure{margin:1rem 0}"
)


def render(
    subject: str, figures: Mapping[str, Figure], drawn: Mapping[str, Sequence[Path]], absent: Mapping[str, str]
) -> str:
    """Return the page as HTML.

    Args:
        subject: what the figures are of.
        figures: name -> figure, in the order shown.
        drawn: name -> its files, beside the page.
        absent: name -> why it does not apply.
    """
    shown = "".join(_section(name, figures[name], drawn[name]) for name in figures if name in drawn)
    missing = "".join(f"<li><b>{escape(figures[name].TITLE)}</b>: {escape(why)}</li>" for name, why in absent.items())
    left_out = f"<section><h2>Figures that do not apply</h2><ul>{missing}</ul></section>" if missing else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Figures</title><link rel="icon" '
        f'href="data:,"><meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style>'
        f"</head>\n<body><h1>Figures</h1><p>{escape(subject)}</p>{shown}{left_out}</body></html>\n"
    )


def _section(name: str, figure: Figure, paths: Sequence[Path]) -> str:
    return (
        f'<section id="{escape(name)}"><h2>{escape(figure.TITLE)}</h2><p class="source">{escape(figure.SOURCE)}</p>'
        f"<p>{escape(figure.CAPTION)}</p>{''.join(_file(path) for path in paths)}</section>"
    )


def _file(path: Path) -> str:
    name = escape(path.name)
    if path.suffix == ".png":
        return f'<figure><a href="{name}"><img src="{name}" alt="{name}"></a></figure>'
    return f'<p><a href="{name}">{name}</a></p>'
