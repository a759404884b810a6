"""`EditActions`: the verbs of editing that keys, buttons and the strip in the view share. Any thread may call them."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...engine.state import Camera, Stroke
from ...engine.store import Store
from .brushes import BRUSHES, BY_NAME, PALETTE, BrushName, resized
from .guide import applied
from .photo import Box, Photo, PhotoDesk
from .strokes import Point, erased, same_view, switched, thinned, views, with_stroke, with_strokes, without
from .tools import Toolbox

if TYPE_CHECKING:
    from ...engine.editing.status import EditStatus
    from ...engine.loop import RenderLoop

NOTHING = "Nothing is drawn yet. Choose a brush (B) and paint on the picture first"
SHAPES = ("remove", "add")


class EditActions:
    """What a person can do to the scene itself; results and failures are told through the loop's messages."""

    def __init__(self, store: Store, loop: RenderLoop) -> None:
        self._store, self._loop = store, loop
        self.tools = Toolbox()
        self.photo = PhotoDesk()
        self._inverting: Literal["", "asked", "begun"] = ""

    @property
    def status(self) -> EditStatus | None:
        """The running edit or inversion."""
        return self._loop.status.edit

    # ---- tools

    def toggle_brushes(self) -> None:
        """Take a brush, or put it away so that the hand moves the camera."""
        self.tools.take(on=not self.tools.now.on, picking=False)

    def choose(self, brush: BrushName) -> None:
        """Take this brush."""
        self.tools.take(on=True, brush=brush, picking=False)

    def next_brush(self, by: int = 1) -> None:
        """The next brush of the strip; the first press only takes the one that lies ready."""
        now = self.tools.now
        names: list[BrushName] = [brush.name for brush in BRUSHES]
        self.choose(names[(names.index(now.brush) + by) % len(names)] if now.on else now.brush)

    def previous_brush(self) -> None:
        """The brush before."""
        self.next_brush(-1)

    def resize(self, notches: float) -> None:
        """A larger brush (positive) or a smaller one."""
        self.tools.take(width=resized(self.tools.now.width, notches))

    def larger(self) -> None:
        """A larger brush."""
        self.resize(1)

    def smaller(self) -> None:
        """A smaller brush."""
        self.resize(-1)

    def set_colour(self, colour: tuple[float, float, float]) -> None:
        """Paint with this colour, sRGB 0..1, by the brush in hand if it paints in one."""
        self.tools.take(on=True, brush=self._coloured, colour=tuple(round(c, 4) for c in colour), picking=False)

    def next_colour(self) -> None:
        """The next colour of the palette."""
        now = self.tools.now.colour
        at = PALETTE.index(now) if now in PALETTE else -1
        self.set_colour(PALETTE[(at + 1) % len(PALETTE)])

    def pick(self) -> None:
        """The next click takes its colour from the picture; again: it does not."""
        self.tools.take(on=True, brush=self._coloured, picking=not self.tools.now.picking)

    # ---- strokes

    def draw(self, points: tuple[Point, ...], camera: Camera) -> None:
        """One stroke of the brush in hand, as one step; the eraser rubs out instead."""
        now = self.tools.now
        kind = BY_NAME[now.brush].kind
        if kind is None:
            self._store.update(
                lambda s: with_strokes(s, erased(s.edits.strokes, camera, points, now.width)), label="Erase"
            )
            return
        stroke = Stroke(kind, thinned(points), camera, now.width, now.colour)
        self._store.update(lambda s: with_stroke(s, stroke), label=f"{BY_NAME[now.brush].title} stroke")

    def switch(self, number: int, on: bool) -> None:
        """Let a stroke count, or not."""
        label = f"Stroke {number + 1} {'on' if on else 'off'}"
        self._store.update(lambda s: switched(s, number, on), label=label)

    def delete(self, number: int) -> None:
        """Take a stroke away."""
        self._store.update(lambda s: without(s, number), label=f"Delete stroke {number + 1}")

    def clear(self) -> None:
        """Take all strokes away."""
        if self._store.state.edits.strokes:
            self._store.update(lambda s: with_strokes(s, ()), label="Delete all strokes")
        else:
            self._loop.tell("There are no strokes")

    def look_at(self, number: int) -> None:
        """Back to the view in which a stroke was made."""
        strokes = self._store.state.edits.strokes
        if 0 <= number < len(strokes):
            camera = strokes[number].camera
            self._store.update(lambda s: replace(s, camera=camera), label="View of a stroke")

    def next_view(self) -> None:
        """The next view that carries strokes."""
        state = self._store.state
        carried = views(state.edits.strokes)
        if not carried:
            self._loop.tell(NOTHING)
            return
        at = next((i for i, view in enumerate(carried) if same_view(view.camera, state.camera)), -1)
        self.look_at(carried[(at + 1) % len(carried)].numbers[0])

    # ---- edits

    def apply(self) -> None:
        """What the strokes ask for: with a photo open, invert it; else shape, where a stroke removes or adds; else
        colour; else, where there is but a region, a transfer."""
        photo = self.photo.now
        if photo is not None and photo.stage == "framing":
            self.invert()
            return
        does = applied(self._store.state)
        if does == "Reshape":
            self.reshape()
        elif does == "Transfer":
            self.transfer()
        else:
            self.recolour()

    def recolour(self) -> None:
        """Give the scene the colours that were painted."""
        if self._wants(("colour",), "No colour is painted yet. Choose the colour brush and paint first"):
            self._loop.edit("colour")

    def reshape(self) -> None:
        """Remove and add what was painted."""
        if self._wants(SHAPES, "Nothing is marked to be removed or added. Paint with one of those brushes"):
            self._loop.edit("shape")

    def transfer(self) -> None:
        """Geometry or colour of the donor seed, under the region strokes or, without any, everywhere."""
        now = self.tools.now
        info = self._loop.status.model
        if info is not None and not info.layer_names:
            self._loop.tell("This model is one scene without seeds: there is no donor to take anything from")
        elif self._free():
            self._loop.edit("transfer", donor_seed=now.donor, part=None if now.part == "both" else now.part)

    def keep(self) -> None:
        """End the running edit and keep what there is."""
        if self.status is not None:
            self._loop.stop_edit(True)
        else:
            self._loop.tell("No edit is running")

    def drop(self) -> None:
        """End the running edit; the scene is as before."""
        if self.status is not None:
            self._loop.stop_edit(False)
        else:
            self._loop.tell("No edit is running")

    def remove_result(self) -> None:
        """The scene without what strokes have made of it."""
        self._store.update(lambda s: replace(s, edits=replace(s.edits, result="")), label="Remove the edits")

    # ---- photo

    def open_photo(self, path: str | Path) -> None:
        """Lay a photo beside the picture.

        Raises:
            PhotoError: it is none.
        """
        info = self._loop.status.model
        if info is not None and not info.layer_names:
            self._loop.tell(
                "This model is one scene without seeds: no photo can become one of its identities", "warning"
            )
            return
        if self._store.state.drive is not None:
            self._store.update(lambda s: replace(s, drive=None), label="Leave the drive for a photo")
        self.tools.take(on=False)
        photo = self.photo.open(Path(path).expanduser())
        self._loop.frame_photo(photo.path).add_done_callback(lambda found: self._framed(photo, found))

    def invert(self) -> None:
        """Find the identity in the photo."""
        photo = self.photo.now
        if photo is None:
            self._loop.tell("Drop a photo on the window first")
        elif self._free():
            camera = self._store.state.camera if photo.here else None
            self._loop.invert(photo.path, box=photo.box if photo.settled else None, camera=camera)
            self._inverting = "asked"

    def toggle_compare(self) -> None:
        """The photo left of a divider over the picture, or the picture alone."""
        photo = self.photo.now
        if photo is None:
            self._loop.tell("There is no photo to compare with. Drop one on the window")
        elif photo.stage == "framing":
            self.photo.change(stage="compare", shown=True)
        else:
            self.photo.change(shown=not photo.shown)

    def frame_photo(self) -> None:
        """Back to the photo's box, to invert it once more."""
        self.photo.change(stage="framing", shown=True)

    def close_photo(self) -> None:
        """Put the photo away."""
        self.photo.close()

    def drop_identity(self) -> None:
        """Seed A again, in place of a photo's identity."""
        self._store.update(lambda s: replace(s, latents=replace(s.latents, identity="")), label="Back to seed A")

    def note_end(self, running: bool) -> None:
        """Told whether an edit runs, with everything that the loop says: a rebuilt photo is compared then."""
        if running and self._inverting == "asked":
            self._inverting = "begun"
        elif not running and self._inverting == "begun":
            self._inverting = ""
            if self._store.state.latents.identity:
                self.photo.change(stage="compare", shown=True)

    # ----

    def _framed(self, photo: Photo, found: Future[Box]) -> None:
        """The model has found its square in a photo; it is taken unless the person was faster."""
        now = self.photo.now
        if now is None or now.pixels is not photo.pixels or now.settled:
            return
        if not found.cancelled() and found.exception() is None:  # else `invert` says what is wrong with it
            self.photo.change(box=found.result(), settled=True)

    @property
    def _coloured(self) -> BrushName:
        """The brush that a colour is for."""
        now = self.tools.now.brush
        return now if BY_NAME[now].coloured else "colour"

    def _kinds(self) -> set[str]:
        return {stroke.kind for stroke in self._store.state.edits.strokes if stroke.on}

    def _wants(self, kinds: tuple[str, ...], otherwise: str) -> bool:
        """Whether there is something to do, and nothing else is being done."""
        if not self._free():
            return False
        if not self._store.state.edits.strokes:
            self._loop.tell(NOTHING)
        elif not self._kinds().intersection(kinds):
            self._loop.tell(otherwise)
        else:
            return True
        return False

    def _free(self) -> bool:
        if self.status is not None:
            self._loop.tell("An edit is running. Keep it (Shift+Enter) or drop it (Esc) first")
            return False
        return True
