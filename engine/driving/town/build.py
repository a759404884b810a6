"""`build_town`: a whole town from a seed."""

from __future__ import annotations

from . import blocks, street
from .cars import BODIES, car_meshes
from .plan import BLOCKS, PERIOD
from .scene import TownScene
from .site import Site
from .town import Town
from .walkers import walker_meshes


def build_town(seed: int) -> Town:
    """The town of `seed`, the same every time; takes about a second.

    Every junction, every street between two junctions and every block is a chunk of its own. They meet edge to edge,
    and nothing reaches farther than its chunk's radius.
    """
    site = Site(seed, len(BODIES))
    kinds = blocks.kinds(site)
    half = PERIOD / 2
    for column in range(BLOCKS):
        for row in range(BLOCKS):
            x, y = column * PERIOD, row * PERIOD
            with site.chunk(x, y):
                street.junction(site, column, row)
            for axis, (cx, cy) in enumerate(((x + half, y), (x, y + half))):
                with site.chunk(cx, cy):
                    street.segment(site, cx, cy, axis)
            with site.chunk(x + half, y + half):
                blocks.block(site, x + half, y + half, kinds[column * BLOCKS + row])
    solids, names = site.solids()
    still, chunks = site.built()
    return Town(
        seed=seed,
        scene=TownScene(still, chunks, car_meshes(), walker_meshes(), car_meshes(far=True), walker_meshes(far=True)),
        bodies=BODIES,
        parked=site.parked(),
        solids=solids,
        solid_names=names,
        next_instance=site.next_instance,
    )
