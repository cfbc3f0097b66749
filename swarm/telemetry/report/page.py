"""HTML for the report: one self-contained page without scripts, for light and dark, wide and narrow screens."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence

from swarm.telemetry.report import svg


def _variables(colours: Mapping[str, str]) -> str:
    return "".join(f"{name}:{value};" for name, value in colours.items())


CSS = """
:root{color-scheme:light dark;--paper:#f6f7f9;--card:#ffffff;--ink:#1b1f24;--muted:#59636e;--line:#d9dee4;
--good:#00734f;--bad:#b33000;--note:#fff3d6;@LIGHT@}
@media (prefers-color-scheme:dark){:root{--paper:#14171a;--card:#1d2125;--ink:#e8eaed;--muted:#a3acb6;--line:#3a4149;
--good:#3ccf9e;--bad:#ff9166;--note:#40351a;@DARK@}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1240px;margin:0 auto;padding:20px 16px 48px}
h1{font-size:1.6rem;line-height:1.2;margin:0 0 2px}
h2{font-size:1.15rem;margin:34px 0 4px}
h3{font-size:.95rem;margin:14px 0 4px}
p{margin:4px 0 10px;max-width:80ch}
.muted,.sub{color:var(--muted)}
.sub{margin:0 0 14px}
.banner{border-left:5px solid var(--line);background:var(--card);padding:8px 12px;margin:8px 0;border-radius:4px}
.banner.good{border-color:var(--good)}.banner.bad{border-color:var(--bad)}
.banner.note{border-color:var(--c2);background:var(--note)}
.banner ul{margin:4px 0 0;padding-left:20px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(116px,1fr));gap:10px;margin:14px 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:8px 12px}
.tile b{display:block;font-size:1.25rem;line-height:1.25;font-variant-numeric:tabular-nums;white-space:nowrap}
.tile span{color:var(--muted);font-size:.82rem}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:14px;align-items:start}
figure{margin:0;max-width:680px;background:var(--card);border:1px solid var(--line);border-radius:6px;padding:10px}
figure svg{display:block;width:100%;height:auto}
svg *{stroke-linejoin:round;stroke-linecap:butt}
figcaption{color:var(--muted);font-size:.84rem;margin-top:4px}
section{min-width:0}
.scroll{width:fit-content;max-width:100%;overflow-x:auto;margin:8px 0;
background:var(--card);border:1px solid var(--line);border-radius:6px}
table{border-collapse:collapse;font-size:.86rem}
th,td{padding:5px 8px;text-align:left;border-bottom:1px solid var(--line);vertical-align:top;white-space:nowrap}
tr:last-child td{border-bottom:0}
th{color:var(--muted);font-weight:600}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
td.w{min-width:14em;white-space:normal}
.good{color:var(--good)}.bad{color:var(--bad)}
div.banner.good,div.banner.bad{color:inherit}
.row{display:flex;flex-wrap:wrap;gap:0 28px}.row>*{max-width:100%}
.stack{display:grid;gap:14px;min-width:0;align-content:start}.stack .scroll{margin:0}
details{margin:8px 0}summary{cursor:pointer;color:var(--muted)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;margin:6px 0}
dt{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere}
@media (max-width:520px){dl{grid-template-columns:1fr}dd{margin-bottom:6px}h1{font-size:1.3rem}}
@media print{body{background:#fff}figure,.scroll,.tile{break-inside:avoid}}
""".replace("@LIGHT@", _variables(svg.LIGHT)).replace("@DARK@", _variables(svg.DARK))


def esc(text: object) -> str:
    """Any value as escaped text."""
    return html.escape(str(text))


class Raw(str):
    """Text that is HTML already."""


def cell(value: object) -> str:
    return value if isinstance(value, Raw) else esc(value)


def page(title: str, parts: Iterable[str]) -> str:
    """The whole document."""
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{esc(title)}</title>\n'
            f"<style>{CSS}</style>\n</head>\n<body>\n<main>\n" + "\n".join(p for p in parts if p)
            + "\n</main>\n</body>\n</html>\n")


def section(anchor: str, title: str, *parts: str, lead: str = "") -> str:
    """A heading with its contents; 'Nothing was recorded' if they are empty."""
    body = "\n".join(p for p in parts if p) or '<p class="muted">Nothing was recorded.</p>'
    return f'<section id="{anchor}">\n<h2>{esc(title)}</h2>\n' + (f"<p>{esc(lead)}</p>\n" if lead else "") + body + (
        "\n</section>")


def banner(kind: str, text: str, items: Sequence[str] = ()) -> str:
    """A highlighted line; kind: good, bad or note."""
    points = "".join(f"<li>{esc(i)}</li>" for i in items)
    points = f"<ul>{points}</ul>" if points else ""
    return f'<div class="banner {kind}"><strong>{esc(text)}</strong>{points}</div>'


def tiles(figures: Iterable[tuple[str, str, str]]) -> str:
    """Headline figures: name, value, and `good`, `bad` or an empty text."""
    return '<div class="tiles">' + "".join(
        f'<div class="tile"><b class="{mood}">{esc(value)}</b><span>{esc(name)}</span></div>'
        for name, value, mood in figures) + "</div>"


def stack(*parts: str) -> str:
    """Elements below each other, as one element of `cards`."""
    return f'<div class="stack">{"".join(parts)}</div>' if any(parts) else ""


def row(*parts: str) -> str:
    """Elements side by side, each as wide as its content, if there is room."""
    return f'<div class="row">{"".join(parts)}</div>'


def cards(*figures: str) -> str:
    """Elements side by side in equal columns, if there is room."""
    shown = [f for f in figures if f]
    return '<div class="cards">' + "\n".join(shown) + "</div>" if shown else ""


def figure(drawing: str | None, caption: str = "") -> str:
    """A drawing with its caption; empty without a drawing."""
    if drawing is None:
        return ""
    return f"<figure>{drawing}" + (f"<figcaption>{esc(caption)}</figcaption>" if caption else "") + "</figure>"


def table(head: Sequence[str], rows: Sequence[Sequence[object]], numbers: Iterable[int] = (), prose: Iterable[int] = ()
          ) -> str:
    """A table with its own scroll bar. Columns in `numbers` are right-aligned; columns in `prose` may wrap."""
    if not rows:
        return ""
    right, wraps = set(numbers), set(prose)
    kind = [' class="n"' if i in right else ' class="w"' if i in wraps else "" for i in range(len(head))]
    top = "".join(f"<th{k}>{esc(h)}</th>" for h, k in zip(head, kind, strict=True))
    body = "\n".join("<tr>" + "".join(f"<td{k}>{cell(v)}</td>" for v, k in zip(row, kind, strict=True)) + "</tr>"
                     for row in rows)
    return f'<div class="scroll"><table>\n<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def details(summary: str, body: str) -> str:
    """Contents that are folded away."""
    return f"<details><summary>{esc(summary)}</summary>\n{body}\n</details>" if body else ""


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """A list of names and values; empty values are left out."""
    return "<dl>" + "".join(f"<dt>{esc(k)}</dt><dd>{cell(v)}</dd>" for k, v in pairs if v not in ("", None)) + "</dl>"
