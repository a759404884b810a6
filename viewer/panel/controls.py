"""The controls that sections are made of: a slider with a value that can be typed over, a segmented choice, buttons."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import dearpygui.dearpygui as dpg

from .demo import as_in_demo
from .fields import NumberField
from .kit import VALUE_WIDTH, Gesture, Kit, View, on_click
from .style import Item


class SliderRow:
    """Label, slider, value: one `NumberField`.

    Drag the slider, ctrl+click it or click the value to type, right-click or double-click to take the default.
    While the person holds it, changes from elsewhere leave it alone. Where the open model comes with a demonstration
    of its own, the number is shown as that one counts it.
    """

    def __init__(self, kit: Kit, field: NumberField) -> None:
        self.kit, self.field = kit, field
        self._usual, self._demo = field, None
        self.gesture = Gesture(field.key)
        self._text = ""
        self._absent = False
        self._span: tuple[float, float] | None = None
        self._reset_on_release = False
        self._editing = 0
        self._enabled = True
        with kit.row(field.label, _help(field)) as (label, label_tip):
            self.slider = dpg.add_slider_float(
                format="",
                width=-kit.px(VALUE_WIDTH + 4),
                callback=lambda _, value, __: self._moved(value),
                tag=field.key,
            )
            self.value = dpg.add_button(width=kit.px(VALUE_WIDTH), callback=lambda *_: self._edit())
            self.entry = dpg.add_input_text(
                width=kit.px(VALUE_WIDTH), show=False, on_enter=True, callback=lambda _, text, __: self._typed(text)
            )
        dpg.bind_item_theme(self.value, kit.style.quiet)
        self._tips = (label_tip, kit.tip(self.slider, _help(field), delay=1.0))
        kit.tip(self.value, "Click to type a value. Right-click: default.")
        on_click(self.slider, right=self.reset, double=self._reset_soon)
        on_click(self.value, right=self.reset)
        on_click(label, right=self.reset, double=self.reset)

    def refresh(self, view: View) -> None:
        """Bring slider and value to the view's state, unless they are in the person's hand."""
        if self.gesture.poll(dpg.is_item_active(self.slider)) and self._reset_on_release:
            self._reset_on_release = False
            self._publish(self.field.default(view.info))
            view = self.kit.view
        self._poll_entry()
        self._follow_demo(view)
        span = self.field.span(view.info)
        if span != self._span:
            self._span = span
            dpg.configure_item(self.slider, min_value=span[0], max_value=span[1])
        self._enable(view.info is not None or not self.field.key.startswith(("camera", "latents", "conditioning")))
        value = self.field.get(view.state, view.info)
        text = self.field.absent if value is None else self.field.text(value)
        if text != self._text:
            self._text = text
            dpg.configure_item(self.value, label=text)
        if (value is None) != self._absent:
            self._absent = value is None
            dpg.bind_item_theme(self.value, self.kit.style.quiet_muted if self._absent else self.kit.style.quiet)
            dpg.bind_item_theme(self.slider, self.kit.style.following if self._absent else 0)
        stands = self.field.stand_in(view.state, view.info) if value is None else value
        # The widget keeps 32-bit floats: anything nearer than they can tell is the same place.
        if not self.gesture.held and abs(dpg.get_value(self.slider) - stands) > 1e-6 * max(1.0, abs(stands)):
            dpg.set_value(self.slider, stands)

    def _follow_demo(self, view: View) -> None:
        demo = view.info.demo if view.info else None
        if demo != self._demo:
            self._demo, self.field = demo, as_in_demo(self._usual, demo)
            for tip in self._tips:
                dpg.set_value(tip, _help(self.field))

    def reset(self) -> None:
        """Take the default, as one step."""
        if self._enabled:
            self.gesture.finish()
            self._publish(self.field.default(self.kit.view.info))
            self.gesture.finish()

    def _reset_soon(self) -> None:
        # The second press of a double-click holds the slider, which would take the mouse's place again at once.
        if self._enabled:
            if self.gesture.held:
                self._reset_on_release = True
            else:
                self._publish(self.field.default(self.kit.view.info))

    def _moved(self, value: float) -> None:
        if not self._reset_on_release:
            self._publish(float(round(value)) if self.field.whole else value)

    def _publish(self, value: float | None) -> None:
        info = self.kit.view.info
        self.kit.publish(lambda state: self.field.put(state, value, info), self.field.label, self.gesture.change())

    def _edit(self) -> None:
        if not self._enabled:
            return
        value = self.field.get(self.kit.view.state, self.kit.view.info)
        stands = self.field.stand_in(self.kit.view.state, self.kit.view.info) if value is None else value
        dpg.set_value(self.entry, f"{stands:.4f}".rstrip("0").rstrip("."))
        dpg.configure_item(self.value, show=False)
        dpg.configure_item(self.entry, show=True)
        dpg.focus_item(self.entry)
        self._editing = 1

    def _poll_entry(self) -> None:
        """Put the value back once the typing has ended; leaving the entry takes what was typed."""
        if not self._editing:
            return
        if dpg.is_item_active(self.entry):
            self._editing = 100
        elif self._editing >= 100:
            self._typed(dpg.get_value(self.entry))
        else:  # the focus arrives some frames after it was asked for
            self._editing += 1
            if self._editing > 30:
                self._close_entry()

    def _typed(self, text: str) -> None:
        if not self._editing:
            return
        self._close_entry()
        value = parse_number(text)
        if value is None or self.field.text(value) == self._text:
            return
        self.gesture.finish()
        self._publish(value)
        self.gesture.finish()

    def _close_entry(self) -> None:
        self._editing = 0
        dpg.configure_item(self.entry, show=False)
        dpg.configure_item(self.value, show=True)

    def _enable(self, enabled: bool) -> None:
        if enabled != self._enabled:
            self._enabled = enabled
            for item in (self.slider, self.value):
                dpg.configure_item(item, enabled=enabled)


def _help(field: NumberField) -> str:
    return f"{field.help}\n\nRight-click: default. Ctrl+click: type a value."


def parse_number(text: str) -> float | None:
    """A number as people type it ('−12,5°', '1.5x', '30 fps'), or None."""
    text = text.replace("−", "-").replace(",", ".")
    match = re.fullmatch(r"\s*([-+]?[0-9]{0,9}\.?[0-9]{0,20})\s*(°|×|x|%|fps|px)?\s*", text)
    return float(match[1]) if match and any(c.isdigit() for c in match[1]) else None


class Segments:
    """One of a few: a row of buttons, the chosen one lit."""

    def __init__(
        self, kit: Kit, key: str, choices: Sequence[tuple[Any, str, str]], choose: Callable[[Any], object]
    ) -> None:
        """`choices`: (value, label, tooltip) each."""
        self.kit = kit
        self._chosen: Any = object()
        self._labels = {value: (label, tip) for value, label, tip in choices}
        self._disabled: dict[Any, str] = {}
        self._buttons: dict[Any, Item] = {}
        self._tips: dict[Any, Item] = {}
        with dpg.table(
            header_row=False, policy=dpg.mvTable_SizingStretchSame, pad_outerX=False, no_pad_innerX=False
        ) as t:
            dpg.bind_item_theme(t, kit.style.cells)
            for _ in choices:
                dpg.add_table_column()
            with dpg.table_row():
                for value, label, tip in choices:
                    button = dpg.add_button(
                        label=label,
                        width=-1,
                        tag=f"{key}.{value}",
                        user_data=value,
                        callback=lambda _, __, value: choose(value),
                    )
                    dpg.bind_item_theme(button, kit.style.segment)
                    self._buttons[value] = button
                    self._tips[value] = kit.tip(button, tip)

    def show(self, chosen: Any) -> None:
        if chosen != self._chosen:
            self._chosen = chosen
            for value, button in self._buttons.items():
                dpg.bind_item_theme(button, self.kit.style.accent if value == chosen else self.kit.style.segment)

    def disable(self, value: Any, reason: str) -> None:
        """Grey a choice out and say why in its tooltip; an empty reason enables it."""
        if self._disabled.get(value, "") != reason:
            self._disabled[value] = reason
            dpg.configure_item(self._buttons[value], enabled=not reason)
            dpg.set_value(self._tips[value], reason or self._labels[value][1])


class IconButton:
    """A button that can be greyed out, with a tooltip that can change."""

    def __init__(
        self,
        kit: Kit,
        label: str,
        tip: str,
        press: Callable[[], object],
        *,
        tag: str,
        width: int = 32,
        height: int = 28,
    ) -> None:
        self.kit = kit
        self._label, self._tip, self._enabled, self._lit = label, tip, True, False
        self.item = dpg.add_button(
            label=label,
            width=-1 if width == -1 else kit.px(width),
            height=kit.px(height),
            tag=tag,
            callback=lambda *_: press(),
        )
        dpg.bind_item_theme(self.item, kit.style.tool)
        self._tip_item = kit.tip(self.item, tip)

    def show(
        self, *, enabled: bool = True, label: str | None = None, tip: str | None = None, lit: bool = False
    ) -> None:
        if enabled != self._enabled:
            self._enabled = enabled
            dpg.configure_item(self.item, enabled=enabled)
        if label is not None and label != self._label:
            self._label = label
            dpg.configure_item(self.item, label=label)
        if lit != self._lit:
            self._lit = lit
            dpg.bind_item_theme(self.item, self.kit.style.accent if lit else self.kit.style.tool)
        if tip is not None and tip != self._tip:
            self._tip = tip
            dpg.set_value(self._tip_item, tip)


def combo_row(kit: Kit, label: str, help_text: str, choose: Callable[[str], None], *, tag: str) -> Item:
    """A labelled drop-down list; returns the combo."""
    with kit.row(label, help_text):
        combo = dpg.add_combo([], width=-1, tag=tag, callback=lambda _, value, __: choose(value))
    kit.tip(combo, help_text)
    return combo


def with_output(state: Any, **changes: Any) -> Any:
    """The state with a changed output."""
    return replace(state, output=replace(state.output, **changes))
