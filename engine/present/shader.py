"""`ShaderMarch`: pictures of a moving camera, marched through a baked scene by the window's own GPU on its own thread.

Which it does only after its picture of the scene has agreed with the processor's, and taken less time. Frames that
stand still come from the render thread as ever.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from OpenGL import GL

from ..governor import Governor
from .base import PresentError
from .gpu_clock import GpuClock
from .hardware import draws_in_software

if TYPE_CHECKING:
    from ..baked_view import BakedView
    from ..rendering.gl_march import GridMarcher
    from ..state import ViewState

log = logging.getLogger(__name__)

ShaderMode = Literal["auto", "on", "off"]
AGREES = 40.0
"""PSNR in dB from which on two 8-bit pictures of one scene are taken for the same."""
SMOOTH = 60.0
"""Frames a second that are held by a coarser picture where the GPU is too slow for a full one."""


@dataclass(frozen=True)
class Marched:
    """A picture that lies in the window's GL context until the next one is drawn."""

    texture: int
    """GL name; row 0 is the picture's top."""
    size: tuple[int, int]
    """(width, height), pixels."""
    seconds: float
    """That it took: the GPU for the picture before the last, as asking for a newer one's time would wait for it, or the
    processor to ask for this one."""
    detail: str
    """How it was made, in a person's words."""


class ShaderMarch:
    """Needs the same current GL context for all of its life, from `takes` on.

    Args:
        mode: 'auto' asks for a GPU, for agreement and for speed; 'on' for agreement alone; 'off' never marches.
        renderer: GL_RENDERER of the context.

    Raises:
        ValueError: an unknown mode.
    """

    def __init__(self, mode: ShaderMode = "auto", renderer: str = "") -> None:
        if mode not in get_args(ShaderMode):
            raise ValueError(f"shader: expected one of {', '.join(get_args(ShaderMode))}, received {mode!r}.")
        self.mode: ShaderMode = mode
        self.renderer = renderer
        self.line = ""
        """What has been decided and why, one line; empty before it is."""
        self.usable = mode == "on" or (mode == "auto" and not draws_in_software(renderer))
        """Whether it is worth offering views."""
        if not self.usable:
            why = "as asked" if mode == "off" else f"{renderer or 'OpenGL'} is no GPU"
            self.line = f"Baked scenes are marched by the processor: {why}."
        self._marcher: GridMarcher | None = None
        self._governor = Governor()
        self._clock: GpuClock | None = None
        self._verdicts: dict[tuple[object, ...], bool] = {}
        self._asked: tuple[BakedView | None, bool] = (None, False)

    def takes(self, view: BakedView | None) -> bool:
        """Whether this GPU marches `view`; asked again with the same one, it answers at once."""
        if view is None or not self.usable:
            return False
        if view is not self._asked[0]:
            self._asked = view, self._tried(view)
        return self._asked[1]

    def draw(self, view: BakedView, state: ViewState) -> Marched | None:
        """A picture of `state`, whose scene `view` holds; returns before the GPU has drawn it. None: it cannot be any
        more, and `takes` says so from now on.

        Raises:
            StateError: the camera's matrices make no camera.
        """
        pose, lens, volume = view.lookout(state)
        full = view.side(state)
        fps = max(state.quality.target_fps, SMOOTH)
        side = max(8, round(full * self._governor.choose(["baked"], full * full, fps).scale))
        begin = time.perf_counter()
        try:
            assert self._marcher is not None
            clock = self._clock = self._clock or GpuClock()
            with clock.timing(side * side):
                picture = self._marcher.paint(view.grid, volume, pose, lens, side, opacity=state.output.kind == "alpha")
                _check_gl()
        except Exception as error:  # drivers fail in ways nobody listed; the render thread can always do it
            self._give_up(f"the driver failed ({type(error).__name__}: {error})")
            return None
        finally:
            self._restore()
        if clock.seconds > 0:  # some drivers never tell
            self._governor.observe("baked", clock.rays, 1000 * clock.seconds)
        detail = f"baked {view.grid.resolution}³ · {side}² · shader"
        return Marched(int(picture.glo), (side, side), max(clock.seconds, time.perf_counter() - begin), detail)

    def close(self) -> None:
        """Give back what lives in the GL context; calling it again does nothing."""
        if self._clock is not None:
            self._clock.close()
            self._clock = None
        if self._marcher is not None:
            self._marcher.close()
            self._marcher = None

    def _tried(self, view: BakedView) -> bool:
        grid = view.grid
        try:
            marcher = self._marcher = self._marcher or _marcher_here()
            fits = marcher.fits(grid, whole=False)
            _gl_errors()  # what some drivers say of moderngl's questions about their limits
            if not fits:
                log.info("A scene of %.0f MB does not fit into this GPU's textures.", grid.bytes / 1e6)
                return False
            volume, closed = view.volume, grid.backdrop is not None
            # What the shader is compiled for; another grid of the same kind runs the same lines.
            kind = (volume.activation, volume.unit_rays, grid.channels, grid.degree, grid.thin, grid.knee > 0, closed)
            if kind not in self._verdicts:
                self._verdicts[kind] = self._trial(marcher, view)
                _check_gl()
        except Exception as error:  # as above
            self._give_up(f"the driver failed ({type(error).__name__}: {error})")
            return False
        finally:
            self._restore()
        return self._verdicts[kind]

    def _trial(self, marcher: GridMarcher, view: BakedView) -> bool:
        """Draw what the processor has drawn: whether it is the same, and was quicker."""
        trial, volume = view.trial, view.volume
        side = trial.pixels.shape[0]
        best = float("inf")
        picture: Any = None
        for attempt in range(4):
            start = time.perf_counter()
            picture = marcher.paint(view.grid, volume, trial.pose, trial.lens, side)
            marcher.context.finish()
            if attempt:  # the first one compiles and uploads
                best = min(best, 1000 * (time.perf_counter() - start))
        self._governor.forget()
        self._governor.observe("baked", side * side, best)  # so that a slow GPU does not begin with a full picture
        drawn = np.frombuffer(picture.read(), np.uint8).reshape(side, side, 4)[..., :3]
        error = float(np.square(drawn.astype(np.float32) - trial.pixels).mean())
        psnr = 99.0 if error == 0 else 10 * float(np.log10(255.0**2 / error))
        times = f"{best:.1f} ms against the processor's {trial.milliseconds:.1f}, {psnr:.0f} dB"
        if psnr < AGREES:
            self.line = f"Baked scenes are marched by the processor: the shader's picture is another one ({times})."
        elif self.mode == "auto" and best > trial.milliseconds:
            self.line = f"Baked scenes are marched by the processor, which is quicker than the shader ({times})."
        else:
            self.line = f"Baked scenes are marched by a shader while the camera moves ({times})."
        log.info(self.line)
        return psnr >= AGREES and (self.mode == "on" or best <= trial.milliseconds)

    def _give_up(self, why: str) -> None:
        self.usable, self._asked = False, (None, False)
        self.line = f"Baked scenes are marched by the processor: {why}."
        log.warning(self.line)

    @staticmethod
    def _restore() -> None:
        """What the window's other drawing takes for granted, whatever has happened."""
        _gl_errors()
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, 0)
        GL.glActiveTexture(GL.GL_TEXTURE0)


def _gl_errors() -> list[int]:
    """What OpenGL complains of since it was last asked; afterwards it complains of nothing."""
    found: list[int] = []
    while len(found) < 8 and (error := int(GL.glGetError())):  # a lost context never stops
        found.append(error)
    return found


def _check_gl() -> None:
    """moderngl asks for errors only where something is made.

    Raises:
        PresentError: there was one.
    """
    errors = _gl_errors()
    if errors:
        raise PresentError(f"OpenGL error {errors[0]:#x}.")


def _marcher_here() -> GridMarcher:
    """A marcher in the context that is current on this thread, GLX, EGL, WGL or CGL.

    Raises:
        PresentError: the context cannot be found.
    """
    import moderngl

    from ..rendering.gl_march import GridMarcher

    try:
        moderngl.init_context()
    except Exception as error:  # glcontext raises bare Exceptions
        raise PresentError(f"moderngl does not find the window's context: {error}") from error
    return GridMarcher(moderngl.get_context())
