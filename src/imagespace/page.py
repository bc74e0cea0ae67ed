"""What HTML pages are made of: a document that is one file, without a script; pictures; tables."""

import base64
import io
import re
from collections.abc import Iterable, Sequence
from html import escape

from PIL import Image

# The colours are told apart with any colour vision (after Okabe and Ito 2008), and each series has
# its own mark besides. Print is light whatever the screen is.
STYLE = """
:root { color-scheme: light dark; --paper: #fcfcfa; --ink: #1c2126; --soft: #59636e;
  --line: #d8dce0; --card: #f2f3f0; --c0: #0069a8; --c1: #00795a; --c2: #b35900; --c3: #6a737d;
  --c4: #a0417f; --c5: #7a6500; }
@media screen and (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e6e9ec;
  --soft: #9ba5af; --line: #363c43; --card: #1e2327; --c0: #5cb8ee; --c1: #35c79e; --c2: #f2a33c;
  --c3: #a3acb5; --c4: #e094c0; --c5: #d8c84a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.25rem 4rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.3rem; margin: 2.8rem 0 .3rem; padding-top: .7rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.02rem; margin: 1.6rem 0 .5rem; }
p, li { max-width: 44rem; } p { margin: .4rem 0 .8rem; } header p { font-size: .95rem; }
a, .own, .exceeds, .card strong { color: var(--c0); } .own, .exceeds { font-weight: 650; }
.soft, small, figcaption, .card p, th, dt { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .9rem;
  margin: 1.6rem 0; }
.card { background: var(--card); border-radius: .6rem; padding: 1rem 1.1rem; }
.card h2 { all: unset; display: block; font-size: .85rem; font-weight: 600; }
.card strong { display: block; font: 650 2rem/1.25 system-ui, sans-serif; white-space: nowrap; }
.card strong small { font-size: .9rem; font-weight: 400; }
.card p { font-size: .86rem; line-height: 1.4; margin: .3rem 0 0; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr));
  gap: .6rem 2rem; align-items: start; }
figure { margin: .6rem 0; break-inside: avoid; } figure:has(svg) { max-width: 30rem; }
figcaption { font-size: .9rem; font-weight: 550; margin-bottom: .25rem; }
img { max-width: 100%; height: auto; border-radius: .25rem; border: 1px solid var(--line); }
.wide { overflow-x: auto; margin: .5rem 0 1rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums;
  overflow-wrap: normal; }
th, td { padding: .3rem .9rem .3rem 0; text-align: right; vertical-align: baseline;
  border-bottom: 1px solid var(--line); }
th { font-weight: 500; } th[scope=row] { text-align: left; color: var(--ink); }
table small { display: block; font-size: .87em; white-space: nowrap; }
td.verdict { text-align: left; }
tr.group th { padding-top: 1.1rem; font-weight: 650; overflow-wrap: anywhere; }
pre { background: var(--card); padding: .7rem .9rem; border-radius: .4rem; white-space: pre-wrap;
  font-size: .86rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; font-size: .88rem;
  margin: .8rem 0; }
dd { margin: 0; }
svg { display: block; width: 100%; overflow: visible; }
svg text { font-size: 11px; fill: var(--soft); } svg text.name { fill: var(--ink); }
svg .grid-line { stroke: var(--line); } svg .axis { stroke: var(--soft); }
svg .below, svg .mark { stroke: var(--soft); stroke-dasharray: 3 3; }
svg .line { fill: none; stroke-width: 1.8; } svg .whisker { stroke-width: 1.4; }
svg .point { stroke: var(--paper); stroke-width: 1; } svg .bar { fill-opacity: .55; }
.s0 { fill: var(--c0); stroke: var(--c0); } .s1 { fill: var(--c1); stroke: var(--c1); }
.s2 { fill: var(--c2); stroke: var(--c2); } .s3 { fill: var(--c3); stroke: var(--c3); }
.s4 { fill: var(--c4); stroke: var(--c4); } .s5 { fill: var(--c5); stroke: var(--c5); }
@media print { :root { --paper: #fff; } body { padding: 0; max-width: none; font-size: 10pt; }
  h2, h3, h2 + p, tr.group { break-after: avoid; } tr, .card { break-inside: avoid; }
  .card { border: 1px solid var(--line); padding: .6rem .7rem; }
  .cards { grid-template-columns: repeat(4, 1fr); } .wide { overflow: visible; }
  table { font-size: .76rem; } th, td { padding-right: .5rem; } }
@media (max-width: 30rem) { body { padding: 1.2rem .9rem 3rem; } table { font-size: .8rem; }
  th, td { padding-right: .45rem; } }
"""


def document(title: str, parts: Iterable[str]) -> str:
    """A whole HTML page that needs nothing but itself; `parts` are HTML, `title` is text."""
    return (
        '<!DOCTYPE html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        "<body>\n" + "\n".join(part for part in parts if part) + "\n</body>\n</html>\n"
    )


def grid(parts: Iterable[str], kind: str = "grid") -> str:
    """Parts beside each other, as many as there is room for; "" without a part."""
    inner = "".join(parts)
    return f'<div class="{kind}">{inner}</div>' if inner else ""


def bullets(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def picture(image: Image.Image, caption: str) -> str:
    """A figure with the picture as a PNG in a data URI."""
    buffer = io.BytesIO()
    (image if image.mode == "L" else image.convert("RGB")).save(buffer, "PNG", optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f"<figure><figcaption>{escape(caption)}</figcaption><img "
        f'width="{image.width}" height="{image.height}" alt="{escape(caption)}" '
        f'src="data:image/png;base64,{data}"></figure>'
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Heads and cells are HTML. The first cell of a row is its head; alone, it heads a group.

    A cell may bring its own <td>.
    """
    lines = []
    for first, *cells in rows:
        kind = "" if cells else ' class="group"'
        span = "" if cells else f' colspan="{len(heads)}"'
        whole = "".join(c if c.startswith("<td") else f"<td>{c}</td>" for c in cells)
        lines.append(f'<tr{kind}><th scope="row"{span}>{first}</th>{whole}</tr>')
    head = "".join(f'<th scope="col">{cell}</th>' for cell in heads)
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def printed(number: str) -> str:
    """A number with a true minus sign, and with its unit on the same line."""
    return re.sub(r"^-", "−", number).replace(" %", "\u00a0%")
