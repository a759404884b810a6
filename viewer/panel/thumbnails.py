"""A seed's or a photo's small portrait: asked of the render loop, kept as a float texture of exactly its size."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future

import dearpygui.dearpygui as dpg
import numpy as np

from .base import PanelLoop
from .style import Style

SIDE = 96
"""Pixels; what `RenderLoop.thumbnail` delivers."""


class Thumbnail:
    """One picture that follows an identity. At most one request is under way; the newest one wins."""

    def __init__(self, loop: PanelLoop, style: Style, wake: Callable[[], None]) -> None:
        self._loop, self._wake = loop, wake
        self._blank = np.array([*style.colours.raised, 255], np.float32) / 255
        with dpg.texture_registry():
            self.texture = dpg.add_dynamic_texture(SIDE, SIDE, self._pixels(None))
        self._wanted: tuple[tuple[Hashable, ...], int, str] | None = None
        self._asked: tuple[tuple[Hashable, ...], int, str] | None = None
        self._future: Future[np.ndarray] | None = None

    def follow(self, look: tuple[Hashable, ...], seed: int, identity: str = "") -> None:
        """Show `seed`, or whom `identity` names in its place, as soon as it is there; `look` is what else the portrait
        depends on, the model first."""
        self._wanted = (look, seed, identity)
        if self._future is not None and self._future.done():
            self._receive(self._future)
            self._future = None
        if self._future is None and self._asked != self._wanted:
            if self._asked is not None and self._asked[0][0] != look[0]:
                dpg.set_value(self.texture, self._pixels(None))
            self._asked = self._wanted
            self._future = self._loop.thumbnail(seed, identity=identity)
            self._future.add_done_callback(lambda _: self._wake())

    def _receive(self, future: Future[np.ndarray]) -> None:
        if self._asked != self._wanted:
            return  # of somebody who is no longer asked for
        try:
            picture = None if future.cancelled() or future.exception() is not None else future.result()
        except Exception:  # the loop has already said what went wrong; a portrait is not worth a second message
            picture = None
        dpg.set_value(self.texture, self._pixels(picture))

    def _pixels(self, picture: np.ndarray | None) -> list[float]:
        """`[96, 96, 3]` uint8 as the flat RGBA floats of a texture; anything else as a plain square.

        Dear PyGui takes a short array without a word and reads past its end, so the size is made sure of here.
        """
        rgba = np.empty((SIDE, SIDE, 4), np.float32)
        rgba[:] = self._blank
        if picture is not None and picture.shape == (SIDE, SIDE, 3):
            rgba[..., :3] = picture.astype(np.float32) / 255
        return rgba.ravel().tolist()
