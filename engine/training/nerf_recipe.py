"""How a NeRF is trained: sizes, rates and schedules of both kinds; schedules are shares of a run's length."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ...models.hashgrid import HashGridLayout
from ...models.nerf import Encoding, NeRFLayout

_GROWTH = 1.38
"""From level to level, about; the paper's table 1 has 1.26 to 2."""


@dataclass(frozen=True)
class HashGridSizes:
    """What decides the size of a hash-grid model; the defaults suit pictures of a few hundred pixels."""

    levels: int = 12
    log2_size: int = 17
    """Vectors that a level stores at most."""
    base_resolution: int = 16
    finest: int = 512
    """Cells across the cube on the finest level."""
    hidden: int = 64
    """Neurons of the hidden layers."""
    features: int = 15
    """What the density network tells the colour network."""
    colour_layers: int = 2
    """Hidden layers of the colour network."""
    steps: int = 256
    """Of a ray along one side of the cube."""
    samples: int = 1 << 13
    """That a batch should have: the number of its rays follows."""

    @property
    def layout(self) -> HashGridLayout:
        """The encoding's layout; growth as in eq. 3 of the paper."""
        growth = math.exp(math.log(self.finest / self.base_resolution) / max(self.levels - 1, 1))
        return HashGridLayout(self.levels, 2, self.log2_size, self.base_resolution, growth)


@dataclass(frozen=True)
class VanillaSizes:
    """A NeRF of one perceptron, smaller than the paper's 256 x 8: it learns on two CPU cores."""

    width: int = 160
    depth: int = 4
    octaves: int = 10
    """Of the encoding of points."""
    steps: int = 256
    """Of a ray along one side of the cube."""
    samples: int = 1 << 13
    """That a batch should have: the number of its rays follows."""

    @property
    def layout(self) -> NeRFLayout:
        """The network's layout; the point comes in again in the middle, as in the paper."""
        skips = (self.depth // 2,) if self.depth > 3 else ()
        return NeRFLayout(
            self.width, self.depth, Encoding(self.octaves), Encoding(4), view_width=self.width // 2, skips=skips
        )


@dataclass(frozen=True)
class NerfRecipe:
    """Everything that decides a run beside the pictures."""

    sizes: HashGridSizes | VanillaSizes = field(default_factory=HashGridSizes)
    rate: float = 1e-2
    """Of Adam, at first."""
    final: float = 0.03
    """Part of the rate that is left at the end."""
    hold: float = 0.3
    """Share of the run before the rate begins to fall, exponentially."""
    warm_up: int = 30
    """Steps."""
    average_every: int = 4
    """Steps between two foldings of the weights into their average."""
    average: float = 0.95
    """What the average keeps of itself each time."""
    refine_poses: bool = False
    """Whether each training camera learns a correction."""
    pose_rate: float = 1e-3
    """Of the corrections: radians, or parts of the cube, a step."""
    unfold: float = 0.0
    """Share of the run over which the fine levels of a hash grid are let in (BARF, eq. 14); 0: all from the start."""
    by_depth: float = 0.0
    """Share of the run, at its beginning, that learns from the pictures' depth, where they have any."""

    def rate_at(self, progress: float) -> float:
        """The rate when a share 0..1 of the run is done."""
        falling = max(0.0, progress - self.hold) / max(1.0 - self.hold, 1e-6)
        return self.rate * self.final**falling


def recipe_of(kind: str, side: int = 256, *, refine_poses: bool = False) -> NerfRecipe:
    """The recipe of `neuroview train nerf --kind ...`.

    Args:
        kind: 'hashgrid' or 'vanilla'.
        side: of the pictures, pixels: a hash grid for larger ones has finer levels and longer tables.
        refine_poses: whether each training camera learns a correction.
    """
    if kind == "vanilla":
        by_depth = 0.0 if refine_poses else 0.4  # depth seen from a wrong place teaches a wrong one
        return NerfRecipe(
            VanillaSizes(), rate=2e-3, final=0.03, hold=0.2, warm_up=100, refine_poses=refine_poses, by_depth=by_depth
        )
    if kind == "hashgrid":
        doublings = math.log2(max(side, 1))
        finest = 1 << min(max(round(doublings + 1.1), 7), 11)
        sizes = HashGridSizes(
            levels=1 + round(math.log(finest / 16) / math.log(_GROWTH)),
            log2_size=min(max(round(doublings) + 9, 15), 19),
            finest=finest,
            steps=min(max(side, 192), 640),
        )
        return NerfRecipe(sizes, refine_poses=refine_poses, unfold=0.3 if refine_poses else 0.0)
    raise ValueError(f"kind {kind!r}; expected 'hashgrid' or 'vanilla'")
