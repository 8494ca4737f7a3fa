"""The page of an inversion: `invert.html`, beside the pictures it refers to."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import quote

PAGE_NAME = "invert.html"
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1200px;padding:0 1rem;color:#222}"
    "img{max-width:100%;image-rendering:pixelated}td img{display:block}table{border-collapse:collapse;width:100%}"
    "th,td{padding:.3rem .6rem;text-align:left;vertical-align:middle;border-bottom:1px solid #eee}"
    "td.number{text-align:right;font-variant-numeric:tabular-nums}pre{white-space:pre-wrap;background:#f6f6f6;"
    "padding:.6rem}.note{color:#777}"
)


def render_page(record: Mapping[str, Any]) -> str:
    """Return the page of a record (see `api.found`) as HTML."""
    names = list(record["means"])
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    means = "".join(_number(value) for value in record["means"].values())
    rows = "".join(_row(picture, names) for picture in record["pictures"])
    skipped = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in record["skipped"].items())
    settings = ", ".join(f"{key}={value}" for key, value in record["settings"].items()) or "no settings"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Inversion - limner</title><link '
        'rel="icon" href="data:,"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head>\n<body><h1>Inversion: {escape(record['method'].replace('_', '-'))}</h1>"
        f"<p>{len(record['pictures'])} pictures, codes in {escape(record['space'])}; generator "
        f"{escape(record['generator'])} ({escape(record['fingerprint'])}); perceptual network "
        f'{escape(record["perceptual"])}</p><p class="note">{escape(settings)}</p>'
        + (f"<pre>{escape(record['command'])}</pre>" if record["command"] else "")
        + f"<table><thead><tr><th>picture</th><th>how it came about</th>{head}<th>seconds</th></tr></thead>"
        f"<tbody><tr><th>mean</th><td></td>{means}<td></td></tr>{rows}</tbody></table>"
        + (f"<h2>Not read</h2><ul>{skipped}</ul>" if skipped else "")
        + "</body></html>\n"
    )


def _row(picture: Mapping[str, Any], names: list[str]) -> str:
    name, file = escape(picture["name"]), quote(f"progress/{picture['name']}.png")
    numbers = "".join(_number(picture["numbers"][key]) for key in names)
    return (
        f'<tr><th>{name}</th><td><a href="{file}"><img src="{file}" alt="{name}"></a></td>{numbers}'
        f'<td class="number">{picture["seconds"]:.1f}</td></tr>'
    )


def _number(value: float) -> str:
    return f'<td class="number">{value:.4g}</td>'
