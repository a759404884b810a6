"""`EditedField`: a radiance field with an edit laid over it; every renderer works on it as on any other field."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ...models.base import Generator, NoiseMode, RadianceField, Scene
from ..rendering.bake_features import SplitField
from ..rendering.occupancy import field_device
from .errors import EditError
from .result import EditResult, Patch

TOUCHED = 1 / 512
"""Mask below which a point counts as outside: half a step of the bytes in which masks are kept."""


class EditedField:
    """A field changed by patches, one after the other.

        raw'      = raw + m (raw_p - raw) + density residual
        features' = f + m (recolour(f_p) or paint - f)

    with m the patch's mask and _p the patch's own scene, or the scene so far where it has none.

    Args:
        base: the field as it was.
        patches: each with the field of its own codes, or None.
    """

    def __init__(self, base: RadianceField, patches: tuple[tuple[Patch, RadianceField | None], ...]) -> None:
        self.base, self.patches = base, patches
        self.features, self.bounds, self.view_dependent = base.features, base.bounds, base.view_dependent
        self.device = field_device(base)
        if hasattr(base, "preview"):
            previews = tuple((patch, getattr(own, "preview", own)) for patch, own in patches)
            self.preview = EditedField(base.preview, previews)  # type: ignore[attr-defined]

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw density [N] and features [N, C] at points [N, 3], as `RadianceField`."""
        raw, features = self.base(points, directions)
        for patch, own in self.patches:
            mask = patch.mask.sample(points)[:, 0]
            index = (mask > TOUCHED).nonzero()[:, 0]
            if len(index):
                m = mask[index]
                before = features[index]
                after, own_raw = before, None
                if own is not None:
                    own_raw, after = own(points[index], None if directions is None else directions[index])
                if patch.recolour is not None:
                    after = recoloured(after, patch.recolour)
                if patch.paint is not None:
                    after = patch.paint.sample(points[index])
                features = features.index_put((index,), before + m[:, None] * (after - before))
                if patch.shape and own_raw is not None:
                    raw = raw.index_put((index,), raw[index] + m * (own_raw - raw[index]))
            if patch.density is not None:
                raw = raw + patch.density.sample(points)[:, 0]
        return raw, features

    def density(self, points: Tensor) -> Tensor:
        """Raw density [N] at points [N, 3], without the colour where it can be told apart."""
        raw = _density(self.base, points)
        for patch, own in self.patches:
            if patch.shape and own is not None:
                mask = patch.mask.sample(points)[:, 0]
                index = (mask > TOUCHED).nonzero()[:, 0]
                if len(index):
                    there = _density(own, points[index])
                    raw = raw.index_put((index,), raw[index] + mask[index] * (there - raw[index]))
            if patch.density is not None:
                raw = raw + patch.density.sample(points)[:, 0]
        return raw


class SplitEditedField(EditedField):
    """An `EditedField` over a `SplitField`; so is the own field of every patch that has one, from the same generator.

    Baking looks at every node of a view-dependent scene from many sides: what of the edit does not depend on the side
    (trunks, masks, paint) is asked for once a node. `edited_field` makes one where it can.
    """

    def trunk(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [N] and what `colour` reads [N, H]: masks, paint and own trunks, patch by patch, and the base's.

        What an own field is told outside of its mask is 0; nothing is made of it.
        """
        assert isinstance(self.base, SplitField)
        raw, told = self.base.trunk(points)
        hidden = []
        for patch, own in self.patches:
            mask = patch.mask.sample(points)
            hidden.append(mask)
            if own is not None:
                assert isinstance(own, SplitField)
                index = (mask[:, 0] > TOUCHED).nonzero()[:, 0]
                own_raw, own_told = own.trunk(points[index])
                hidden.append(torch.zeros_like(told).index_put((index,), own_told))
                if patch.shape:
                    raw = raw.index_put((index,), raw[index] + mask[index, 0] * (own_raw - raw[index]))
            if patch.paint is not None:
                hidden.append(patch.paint.sample(points))
            if patch.density is not None:
                raw = raw + patch.density.sample(points)[:, 0]
        return raw, torch.cat([*hidden, told], 1)

    def colour(self, hidden: Tensor, directions: Tensor | None) -> Tensor:
        """Features [N, C] of what `trunk` gave [N, H], seen along unit directions [N, 3]."""
        assert isinstance(self.base, SplitField)
        # How wide a trunk is, only the fields know, and it may depend on whether gradients are wanted.
        known = sum(1 + (0 if patch.paint is None else len(patch.paint.values)) for patch, _ in self.patches)
        width = (hidden.shape[1] - known) // (1 + sum(own is not None for _, own in self.patches))
        features, begin = self.base.colour(hidden[:, -width:], directions), 0

        def part(size: int) -> Tensor:
            nonlocal begin
            begin += size
            return hidden[:, begin - size : begin]

        for patch, own in self.patches:
            mask, after = part(1), features
            if own is not None:
                assert isinstance(own, SplitField)
                after = own.colour(part(width), directions)
            if patch.recolour is not None:
                after = recoloured(after, patch.recolour)
            if patch.paint is not None:
                after = part(len(patch.paint.values))
            features = torch.where(mask > TOUCHED, features + mask * (after - features), features)
        return features


def edited_field(base: RadianceField, patches: tuple[tuple[Patch, RadianceField | None], ...]) -> EditedField:
    """A field changed by patches, each with the field of its own codes or None; split where all of them are."""
    fields = (base, *(own for _, own in patches if own is not None))
    split = all(isinstance(field, SplitField) for field in fields)
    return (SplitEditedField if split else EditedField)(base, patches)


def edited_scene(
    generator: Generator, scene: Scene, result: EditResult, codes: Tensor, noise: NoiseMode = "const", seed: int = 0
) -> Scene:
    """The scene with an edit laid over it.

    Args:
        generator: whose scene it is, its `result.parameters` already in it (`pivotal.tuned`).
        scene: of `codes` plus `result.codes` (`edited_codes`).
        result: the edit.
        codes: [L, W] of the scene.
        noise: with which the scene was made.
        seed: of that noise.

    Raises:
        EditError: the edit was made with a generator of other layers.
    """
    if not result.patches:
        return scene
    pairs, made = [], {}
    for patch in result.patches:
        own = None
        if patch.codes is not None:
            key = patch.codes.float().cpu().numpy().tobytes(), patch.replaced
            if key not in made:
                made[key] = generator.scene(patch_codes(patch, codes), noise=noise, noise_seed=seed).field
            own = made[key]
        pairs.append((patch, own))
    field = edited_field(scene.field, tuple(pairs))
    # A proposal network knows nothing of what was added, and what it proposes of what was removed is harmless.
    proposal = scene.proposal
    if proposal is not None and result.moves_density:
        proposal = EditedField(proposal, tuple((replace(p, recolour=None), None) for p in result.patches))
    return replace(scene, field=field, proposal=proposal)


def with_patch(scene: Scene, patch: Patch) -> Scene:
    """The scene with one more patch, that has no codes of its own, laid over it."""
    return replace(scene, field=EditedField(scene.field, ((patch, None),)))


def patch_codes(patch: Patch, codes: Tensor) -> Tensor:
    """The codes [L, W] of a patch's own scene, for a scene of `codes`.

    Raises:
        EditError: the patch was made with a generator of other layers.
    """
    assert patch.codes is not None
    if patch.codes.shape != codes.shape:
        raise _other_model(patch.codes, codes)
    own = codes + patch.codes.to(codes)
    if patch.replaced:
        layers = list(patch.replaced)
        own[layers] = patch.codes.to(codes)[layers]
    return own


def edited_codes(result: EditResult, codes: Tensor) -> Tensor:
    """codes [L, W] with what the edit adds to them everywhere.

    Raises:
        EditError: the edit was made with a generator of other layers.
    """
    if result.codes is None:
        return codes
    if result.codes.shape != codes.shape:
        raise _other_model(result.codes, codes)
    return codes + result.codes.to(codes)


def _density(field: RadianceField, points: Tensor) -> Tensor:
    density = getattr(field, "density", None)
    if density is not None:
        return density(points)
    directions = None
    if field.view_dependent:
        directions = points.new_tensor([[0.0, 0.0, 1.0]]).expand_as(points)
    return field(points, directions)[0]


def recoloured(features: Tensor, recolour: Tensor) -> Tensor:
    """Features [N, C] whose first three went through an affine map [3, 4], rows (M | b)."""
    rgb = (features[:, :3] @ recolour[:, :3].T + recolour[:, 3]).clamp(0, 1)
    return torch.cat([rgb, features[:, 3:]], dim=-1)


def _other_model(found: Tensor, codes: Tensor) -> EditError:
    return EditError(
        f"The edit has codes {tuple(found.shape)}, and this model's are {tuple(codes.shape)}. Open the model that it "
        "was made with, or remove the edit."
    )
