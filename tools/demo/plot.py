"""Curves between 0 and 1 over time as an SVG file, with nothing installed."""
import html

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 340, 50, 20, 50, 45
COLOURS = ("#d1603d", "#4b8f29", "#1b6ca8", "#7d4f9e")


def write_plot(path, title, x_label, curves):
    """curves: (name, x, y) with y in 0..1."""
    end = max([float(x[-1]) for _, x, _ in curves if len(x)] + [1e-9])

    def px(x):
        return LEFT + x / end * (WIDTH - LEFT - RIGHT)

    def py(y):
        return HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
           'font-family="sans-serif" font-size="12">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
           f'<text x="{WIDTH / 2}" y="18" text-anchor="middle" font-size="14">{html.escape(title)}</text>']
    for i in range(6):
        y, x = i / 5, end * i / 5
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py(y):.1f}" y2="{py(y):.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 6}" y="{py(y) + 4:.1f}" text-anchor="end">{y:.1f}</text>')
        out.append(f'<text x="{px(x):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{x:.2f}</text>')
    out.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">{html.escape(x_label)}</text>')
    for i, (name, x, y) in enumerate(curves):
        points = " ".join(f"{px(float(a)):.1f},{py(min(max(float(b), 0), 1)):.1f}" for a, b in zip(x, y))
        colour = COLOURS[i % len(COLOURS)]
        out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>')
        out.append(f'<text x="{LEFT + 200 * i}" y="38" fill="{colour}">{html.escape(name)}</text>')
    out.append("</svg>\n")
    with open(path, "w") as file:
        file.write("\n".join(out))
