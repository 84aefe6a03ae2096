"""Builds countries.tsv, the map of the world as paths of SVG, from published packages.

How to run, in an empty folder (see ../SOURCES.md for versions):

    npm pack world-atlas@2.0.2 cldr-core@48.2.0
    for p in world-atlas cldr-core; do mkdir $p && tar xzf $p-*.tgz -C $p; done
    python3 build.py world-atlas/package cldr-core/package

The table is written beside this script. A line is `code<TAB>x y<TAB>path`: the point in the middle of the country's largest
part, and its outline in whole units of a picture that is 1000 wide, in the Equal Earth projection. Countries too small for
the map have a point and no path; land whose code is not agreed has the code `-` and no point.
"""

import json
import math
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
WIDTH = 1000
# Antarctica is left out, and with it the latitudes where nobody lives.
SOUTH, NORTH = -56.5, 83.7
LEFT_OUT = {"AQ", "TF"}
# World-atlas gives these no number.
BY_NAME = {"Kosovo": "XK"}


def equal_earth(longitude, latitude):
    """Bojan Šavrič, Tom Patterson and Bernhard Jenny, 'The Equal Earth map projection', 2018, equations 5 and 6."""
    a1, a2, a3, a4 = 1.340264, -0.081106, 0.000893, 0.003796
    half = math.sqrt(3) / 2
    t = math.asin(half * math.sin(math.radians(latitude)))
    x = math.radians(longitude) * math.cos(t) / (half * (a1 + 3 * a2 * t**2 + t**6 * (7 * a3 + 9 * a4 * t**2)))
    return x, t * (a1 + a2 * t**2 + t**6 * (a3 + a4 * t**2))


SCALE = WIDTH / (2 * equal_earth(180, 0)[0])
TOP = equal_earth(0, NORTH)[1]


def on_picture(point):
    x, y = equal_earth(*point)
    return WIDTH / 2 + x * SCALE, (TOP - y) * SCALE


def unbroken(ring):
    """A ring over the edge of the map, in longitudes beyond 180 degrees, so that it is drawn in one piece."""
    longitudes = [ring[0][0]]
    for (before, _), (longitude, _) in zip(ring, ring[1:]):
        step = (longitude - before + 180) % 360 - 180
        longitudes.append(longitudes[-1] + step)
    # On the side where most of it lies.
    turn = round(sum(longitudes) / len(longitudes) / 360) * 360
    return [(longitude - turn, latitude) for longitude, (_, latitude) in zip(longitudes, ring)]


def decode(topology):
    """The arcs in degrees: they come as differences of whole numbers."""
    (kx, ky), (dx, dy) = topology["transform"]["scale"], topology["transform"]["translate"]
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for step_x, step_y in arc:
            x, y = x + step_x, y + step_y
            points.append((x * kx + dx, y * ky + dy))
        yield points


def polygons(geometry, arcs):
    """The outer ring and the holes of each part; a negative number names an arc that is gone backwards."""
    def ring(numbers):
        points = []
        for number in numbers:
            arc = arcs[number] if number >= 0 else arcs[~number][::-1]
            points += arc[1:] if points else arc
        return points

    parts = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
    return [[ring(numbers) for numbers in part] for part in parts]


def area_and_middle(ring):
    """Of a closed ring on the picture, by the shoelace formula."""
    area = x = y = 0
    for (x0, y0), (x1, y1) in zip(ring, ring[1:]):
        cross = x0 * y1 - x1 * y0
        area, x, y = area + cross / 2, x + (x0 + x1) * cross, y + (y0 + y1) * cross
    if not area:
        return 0, ring[0]
    return abs(area), (x / (6 * area), y / (6 * area))


def outline(ring):
    """In whole units, without points that fall together or lie in between on a straight line."""
    points = []
    for point in ((round(x), round(y)) for x, y in ring):
        if points and points[-1] == point:
            continue
        if len(points) > 1:
            (x0, y0), (x1, y1) = points[-2:]
            if (x1 - x0) * (point[1] - y1) == (point[0] - x1) * (y1 - y0):
                points.pop()
        points.append(point)
    if len(points) < 4:
        return ""
    path, (x, y) = "", (0, 0)
    for number, point in enumerate(points[:-1]):
        step = (point[0] - x, point[1] - y) if number else point
        path += ("M" if number == 0 else "l" if number == 1 else "" if step[0] < 0 else " ") + str(step[0])
        path += ("" if step[1] < 0 else " ") + str(step[1])
        x, y = point
    return path + "z"


def countries(atlas, name, codes):
    topology = json.loads((atlas / name).read_text(encoding="utf-8"))
    arcs = list(decode(topology))
    for geometry in topology["objects"]["countries"]["geometries"]:
        code = codes.get(geometry.get("id")) or BY_NAME.get(geometry["properties"]["name"]) or "-"
        if code not in LEFT_OUT and geometry.get("arcs"):
            yield code, [[[on_picture(p) for p in unbroken(ring)] for ring in part] for part in polygons(geometry, arcs)]


def main(atlas, cldr):
    mappings = json.loads((cldr / "supplemental/codeMappings.json").read_text(encoding="utf-8"))["supplemental"]["codeMappings"]
    known = {line.split("\t")[0] for line in (HERE / "../places/regions.tsv").read_text(encoding="utf-8").splitlines()}
    codes = {entry["_numeric"]: code for code, entry in mappings.items() if "_numeric" in entry and code in known}

    lines = {}
    for code, parts in countries(atlas, "countries-110m.json", codes):
        path = "".join(outline(ring) for part in parts for ring in part)
        _, (x, y) = max(area_and_middle(part[0]) for part in parts)
        lines.setdefault(code, []).append((f"{x:.0f} {y:.0f}" if code != "-" else "", path))
    for code, parts in countries(atlas, "countries-50m.json", codes):
        if code != "-" and code not in lines:
            _, (x, y) = max(area_and_middle(part[0]) for part in parts)
            lines[code] = [(f"{x:.0f} {y:.0f}", "")]
    height = math.ceil(on_picture((0, SOUTH))[1])
    text = "".join(f"{code}\t{point}\t{path}\n" for code in sorted(lines) for point, path in lines[code])
    (HERE / "countries.tsv").write_text(text, encoding="utf-8")
    missing = sorted(code for code in known if len(code) == 2 and code not in lines)
    print(f"{len(lines)} codes, {len(text)} bytes, a picture of {WIDTH} × {height}; not on the map: {' '.join(missing)}")


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
