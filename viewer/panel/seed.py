"""Seeds to type, step through and roll: the two identities with their portraits, and the noise's. Where a photo's
identity stands in for seed A, its portrait stands there, and choosing a seed takes its place."""

from __future__ import annotations

import secrets
from typing import Any

import dearpygui.dearpygui as dpg

from .fields import with_latents
from .kit import Gesture, Kit, View
from .style import Icon
from .thumbnails import SIDE, Thumbnail

PHOTO = "Photo A"
"""Title of the slot that a photo's identity fills."""
LARGEST = 2**32 - 1
"""numpy's RandomState, which the official scripts seed, takes 32 bits."""


def parse_seed(text: str) -> int | None:
    """A seed as typed, or None when it is not a whole number from 0 to `LARGEST`."""
    text = text.strip()
    small = text.isascii() and text.isdigit() and len(text) <= 10
    return int(text) if small and int(text) <= LARGEST else None


def random_seed() -> int:
    """A seed that can be read out to a friend: at most five digits."""
    return secrets.randbelow(100_000)


class SeedInput:
    """A typed number with −, + and a die."""

    def __init__(self, kit: Kit, name: str, label: str, *, width: int) -> None:
        self.kit, self.name, self.label = kit, name, label
        self.gesture = Gesture(f"latents.{name}")
        self.entry = dpg.add_input_text(
            width=kit.px(width), hint="seed", tag=f"latents.{name}", callback=lambda _, text, __: self._typed(text)
        )
        kit.tip(self.entry, "The number that the identity grows from: the same seed gives the same one, always.")
        with dpg.group(horizontal=True, horizontal_spacing=kit.px(3)):
            each = (width - 6) / 3
            for icon, tip, step, tag in (
                (Icon.MINUS, "The seed before", -1, "less"),
                (Icon.PLUS, "The next seed", 1, "more"),
                (Icon.DICE, "Any seed", 0, "any"),
            ):
                button = dpg.add_button(
                    label=icon,
                    width=kit.px(each),
                    user_data=step,
                    tag=f"latents.{name}.{tag}",
                    callback=lambda _, __, step: self._step(step),
                )
                dpg.bind_item_theme(button, kit.style.icon)
                kit.tip(button, tip)

    def refresh(self, view: View) -> None:
        self.gesture.poll(dpg.is_item_active(self.entry))
        latents = view.state.latents
        text = "" if self.name == "seed_a" and latents.identity else str(getattr(latents, self.name))
        if not self.gesture.held and dpg.get_value(self.entry) != text:
            dpg.set_value(self.entry, text)

    def _typed(self, text: str) -> None:
        seed = parse_seed(text)
        if seed is not None:
            self._publish(seed, self.gesture.change())

    def _step(self, step: int) -> None:
        now = getattr(self.kit.view.state.latents, self.name)
        self._publish(random_seed() if step == 0 else min(max(now + step, 0), LARGEST), None)

    def _publish(self, seed: int, gesture: str | None) -> None:
        changes: dict[str, Any] = {self.name: seed}
        if self.name == "seed_a":
            changes["identity"] = ""  # else a photo's would hide the seed that was asked for
        self.kit.publish(lambda state: with_latents(state, **changes), self.label, gesture)


class SeedSlot:
    """A portrait and its seed."""

    def __init__(self, kit: Kit, name: str, label: str) -> None:
        self.kit, self.name, self.label = kit, name, label
        self._identity = ""
        self.thumbnail = Thumbnail(kit.context.loop, kit.style, kit.wake)
        with dpg.group(horizontal=True, width=0, horizontal_spacing=kit.px(6)):
            picture = dpg.add_image(
                self.thumbnail.texture, width=kit.px(SIDE), height=kit.px(SIDE), tag=f"{name}.picture"
            )
            self.tip = kit.tip(picture, self._about())
            with dpg.group():
                self.title = dpg.add_text(label, tag=f"{name}.title")
                dpg.bind_item_font(self.title, kit.style.strong)
                self.input = SeedInput(kit, name, label, width=70)

    def refresh(self, view: View) -> None:
        self.input.refresh(view)
        if view.info is not None:
            latents, model = view.state.latents, view.info.card.fingerprint or view.info.reference
            drawn = (latents.truncation, latents.cutoff, latents.noise, latents.conditioning)
            identity = latents.identity if self.name == "seed_a" else ""
            self.thumbnail.follow((model, view.state.options, drawn), getattr(latents, self.name), identity)
            if identity != self._identity:
                self._identity = identity
                dpg.set_value(self.title, PHOTO if identity else self.label)
                dpg.set_value(self.tip, self._about())

    def _about(self) -> str:
        if self._identity:
            return "The photo's identity, seen from the front. A seed chosen here takes its place."
        return f"{self.label}, seen from the front at the current truncation."


class NoiseSeedRow:
    """The seed of random noise; shown only where it does something."""

    def __init__(self, kit: Kit) -> None:
        with dpg.group() as self.group, kit.row("Noise seed", "Which random noise."):
            self.input = SeedInput(kit, "noise_seed", "Noise seed", width=84)

    def show(self, visible: bool) -> None:
        dpg.configure_item(self.group, show=visible)

    def refresh(self, view: View) -> None:
        self.input.refresh(view)
