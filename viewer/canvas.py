"""`Canvas`: what lives in the GL context: the presenter with the newest frame, and what draws frame and overlay."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from OpenGL import GL
from OpenGL.error import GLError

from ..engine.present.base import PresentError
from ..engine.present.hardware import draws_in_software
from ..engine.present.shader import ShaderMarch
from .editing.photo_layer import PhotoLayer, panes, placed
from .editing.stroke_layer import StrokeLayer
from .letterbox import Rect, letterbox
from .painter import Painter
from .picture import Picture
from .theme import Theme

if TYPE_CHECKING:
    import numpy as np

    from ..engine.baked_view import BakedView
    from ..engine.frame import Frame
    from ..engine.present.base import Presenter
    from ..engine.present.choose import Path, PresentKind
    from ..engine.present.shader import Marched, ShaderMode
    from ..engine.state import ViewState
    from .editing.photo import Photo
    from .overlay import Overlay

log = logging.getLogger(__name__)

MARGIN = 16
"""Points of free space around the picture; none in full screen."""
CORNER = 10.0
"""Radius of the picture's corners, points; none in full screen."""


class Canvas:
    """Draws frames and overlay. Needs a current GL context, on this thread, for its whole life.

    Args:
        on_presenter: told the presenter's name when it is chosen or replaced.
        on_trouble: told a sentence when a presenter stopped working and another one took over.
    """

    def __init__(
        self, theme: Theme, on_presenter: Callable[[str], object], on_trouble: Callable[[str], object]
    ) -> None:
        self._theme, self._on_presenter, self._on_trouble = theme, on_presenter, on_trouble
        self._painter, self._picture = Painter(), Picture()
        # Made when they are first needed: most starts show neither.
        self._strokes: StrokeLayer | None = None
        self._photos: PhotoLayer | None = None
        self.photo: Photo | None = None
        """The photo that is shown beside or over the picture."""
        self._renderer = (GL.glGetString(GL.GL_RENDERER) or b"").decode(errors="replace")
        self._software = draws_in_software(self._renderer)
        self.shader = ShaderMarch("auto", self._renderer)
        """Marches baked scenes for a moving camera, where a GPU draws the window."""
        self._marched: Marched | None = None
        self._presenter: Presenter | None = None
        self._path: Path = "host"
        self._device = ""
        """Of the frames that the presenter was chosen for."""
        self._wanted: PresentKind = "auto"
        self._given_up: set[Path] = set()
        self.line = ""
        """How frames reach the window; empty until that is chosen."""
        self.frame: Frame | None = None
        """The frame that is shown."""

    def present(self, kind: PresentKind) -> None:
        """Let the next frame choose its way to the screen: 'auto', or a forced one."""
        self._wanted, self.frame, self._given_up = kind, None, set()
        if self._presenter is not None:
            self._presenter.close()
            self._presenter = None

    def shade(self, mode: ShaderMode) -> None:
        """Whether baked scenes are marched here: 'auto', or as asked, 'on' or 'off'."""
        self.shader.close()
        self.shader, self._marched = ShaderMarch(mode, self._renderer), None

    def _choose(self, kind: PresentKind, device: str) -> Presenter:
        from ..engine.present.choose import choose

        choice = choose(kind, device, given_up=self._given_up)
        if self._presenter is not None:
            self._presenter.close()
        self._presenter, self.line = choice.presenter, choice.line
        self._path, self._device, self._wanted = choice.path, device, "auto"  # forced for the first frame only
        log.info(choice.line)
        self._on_presenter(choice.presenter.name)
        return choice.presenter

    @property
    def presenter_name(self) -> str:
        return self._presenter.name if self._presenter is not None else ""

    def show(self, frame: Frame) -> None:
        """Take over `frame`; what is on screen changes with the next `paint`.

        Raises:
            PresentError: the way to the screen was forced and does not work here.
        """
        device = str(frame.pixels.device)
        presenter = self._presenter
        if presenter is None or device != self._device:  # a lost GPU's work goes on on the CPU
            presenter = self._choose(self._wanted, device)
        while True:
            try:
                presenter.show(frame.pixels)
                break
            except (PresentError, GLError, RuntimeError) as error:  # a GPU can be lost at any time; torch says Runtime
                log.warning("%s is given up: %s", presenter.name, error)
                if self._path == "host":  # no path is left; what was shown stays until frames come from elsewhere
                    self._on_trouble(f"A picture could not be shown. {error}")
                    break
                failed = presenter.name  # the next path needs less of the GPU
                self._given_up.add(self._path)
                presenter = self._choose("auto", device)
                self._on_trouble(f"The {failed} path stopped working. Frames now take the {presenter.name}: {error}")
        self.frame, self._marched = frame, None
        self._picture.renew()

    def march(self, view: BakedView, state: ViewState) -> Marched | None:
        """Draw the picture of `state` from a view that the shader takes; it is shown with the next `paint`, until
        a frame is. None: it cannot be drawn, and what was shown stays."""
        marched = self.shader.draw(view, state)
        if marched is not None:
            self._marched = marched
            self._picture.renew()
        return marched

    @property
    def _source(self) -> tuple[int, tuple[int, int]] | None:
        """GL texture and (width, height) of the picture that is shown; None before the first."""
        if self._presenter is None or self.frame is None:
            return None
        if self._marched is not None:
            return self._marched.texture, self._marched.size
        return self._presenter.texture, self._presenter.size

    def place(self, pixels: tuple[int, int], scale: float, full_screen: bool) -> Rect | None:
        """Where the picture stands in a framebuffer of `pixels`; None before the first frame."""
        source = self._source
        if source is None or 0 in pixels:
            return None
        margin = 0 if full_screen else round(MARGIN * scale)
        if self.photo is not None and self.photo.stage == "framing":
            return placed(source[1], panes(pixels)[1], margin)
        return letterbox(source[1], pixels, margin)

    def photo_place(self, pixels: tuple[int, int], scale: float, full_screen: bool) -> Rect | None:
        """Where the whole photo stands beside the picture; None while there is none to be framed."""
        if self.photo is None or self.photo.stage != "framing" or self.place(pixels, scale, full_screen) is None:
            return None
        height, width = self.photo.pixels.shape[:2]
        return placed((width, height), panes(pixels)[0], 0 if full_screen else round(MARGIN * scale))

    def paint(self, overlay: Overlay, pixels: tuple[int, int], scale: float, full_screen: bool, now: float) -> None:
        """Draw everything into the back buffer of `pixels` (width, height) at `scale` pixels a point."""
        GL.glViewport(0, 0, *pixels)
        GL.glClearColor(*self._theme.background)
        GL.glClear(GL.GL_COLOR_BUFFER_BIT)
        self._painter.begin(pixels, scale)
        picture, source = self.place(pixels, scale, full_screen), self._source
        if picture is not None and source is not None:
            radius = 0.0 if full_screen else CORNER * scale
            texture, size = source
            # A processor that also renders the frames cannot afford the cubic filter while something moves.
            still = self.frame is not None and self.frame.final and self._marched is None and overlay.idle
            under, sharp = self._theme.surface, still or not self._software
            self._picture.draw(texture, size, picture, pixels, under, radius=radius, sharp=sharp)
            self._draw_edits(overlay, picture, pixels, scale, radius)
        beside = self.photo_place(pixels, scale, full_screen)
        overlay.draw(
            self._painter,
            picture.scaled(1 / scale) if picture is not None else None,
            now,
            photo=beside.scaled(1 / scale) if beside is not None else None,
        )

    def _draw_edits(
        self, overlay: Overlay, picture: Rect, pixels: tuple[int, int], scale: float, radius: float
    ) -> None:
        """The photo, and the strokes over the picture."""
        if self.photo is not None:
            self._photos = self._photos or PhotoLayer()
            beside = self.photo_place(pixels, scale, radius == 0)
            if beside is not None:
                self._photos.draw_whole(self.photo, beside, pixels, self._theme, radius)
            else:
                self._photos.draw_cut(self.photo, picture, pixels, self._theme, radius)
        strokes = overlay.edit.strokes()
        if strokes:
            self._strokes = self._strokes or StrokeLayer()
            self._strokes.draw(strokes, picture, pixels, scale)

    def colour_at(self, across: float, down: float) -> tuple[float, float, float] | None:
        """The shown picture's colour (sRGB 0..1) at a place in 0..1, averaged over 3 x 3 pixels; None beside it, and
        while the camera moves through a baked scene."""
        if self.frame is None or self._marched is not None or not (0 <= across < 1 and 0 <= down < 1):
            return None
        height, width = self.frame.pixels.shape[:2]
        x, y = int(across * width), int(down * height)
        patch = self.frame.pixels[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2, :3].float().mean((0, 1)) / 255
        red, green, blue = patch.tolist()
        return red, green, blue

    def read_pixels(self, pixels: tuple[int, int]) -> np.ndarray:
        """The back buffer, `[height, width, 4]` uint8, row 0 the top."""
        import numpy as np

        width, height = pixels
        GL.glPixelStorei(GL.GL_PACK_ALIGNMENT, 1)
        GL.glReadBuffer(GL.GL_BACK)
        data = GL.glReadPixels(0, 0, width, height, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, outputType=bytes)
        return np.frombuffer(data, np.uint8).reshape(height, width, 4)[::-1].copy()

    def close(self) -> None:
        """Give back everything that lives in the GL context."""
        if self._presenter is not None:
            self._presenter.close()
            self._presenter = None
        self.shader.close()
        for layer in (self._strokes, self._photos):
            if layer is not None:
                layer.close()
        self._painter.close()
        self._picture.close()
