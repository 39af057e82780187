"""In a picture a look means one thing."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from benchmarks.contenders import REFERENCES
from benchmarks.reporting.growth import Growth
from benchmarks.reporting.growth_picture import styles
from benchmarks.reporting.ratios_picture import Signs, points_of
from benchmarks.settings import Draw
from benchmarks.work import Role
from tests.benchmarks.made_up import DRAW, measured, result

BARE = REFERENCES["genni"]


def test_a_contender_has_one_look_on_all_axes_and_no_other_has_it() -> None:
    def line(name: str, role: Role, axis: str) -> Growth:
        return Growth(name, role, axis, [1, 2], [1.0, 2.0])

    many = [line(f"c{number}", "ours", "num_items") for number in range(9)]
    looks = styles(
        {
            "rows": [line("b", "ours", "rows"), line("p", "peer", "rows")],
            "num_items": [line("p", "peer", "num_items"), *many],
        }
    )
    assert set(looks) == {"b", "p", *(each.contender for each in many)}
    assert len({(look["color"], look["marker"]) for look in looks.values()}) == len(looks)
    assert (looks["p"]["linestyle"], looks["b"]["linestyle"]) == (":", "-")


def test_each_size_has_a_look_of_its_own() -> None:
    settings = [Draw("genni", *size) for size in product((8, 16), (100, 200, 300), (4, 8))]
    drawn = [measured("p", setting, 2.0, role="peer") for setting in settings]
    bare = [measured(BARE, setting, 1.0, role="reference") for setting in settings]
    points = points_of([result([*bare, *drawn], threads=threads) for threads in (1, 2)])
    assert len(points) == 2 * len(settings)
    assert {(point.contender, point.ratio) for point in points} == {("p", 2.0)}
    signs = Signs.of(points)
    assert len({str(sorted(signs.look(point).items())) for point in points}) == len(points)
    assert len(signs.key()) == 3 + 2 + 2 + 2


def test_ratios_are_those_of_the_first_kind_of_draw_where_there_are_peers() -> None:
    bare = measured(BARE, DRAW, 1.0, role="reference")
    kinds = [
        DRAW,
        replace(DRAW, beta=0.1),
        replace(DRAW, num_negatives=10),
        replace(DRAW, exclude="interactions"),
    ]
    peers = [measured("p", setting, 3.0, role="peer") for setting in kinds]
    assert [point.ratio for point in points_of([result([bare, *peers])])] == [3.0]
    assert points_of([result([bare, measured("a", DRAW)])]) == []
    assert points_of([result([bare, *peers], axis="rows")]) == []
