"""How the panel looks: Inter at the display's scale, an 8-pixel rhythm, and Dear PyGui themes from the palette.

Used on the panel's thread only, after `dearpygui.create_context`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import dearpygui.dearpygui as dpg

from ..theme import ASSETS, Theme, shipped_theme

Rgb = tuple[int, int, int]

Item = int | str
"""What Dear PyGui calls its widgets by."""
FONT_SIZE = 16
"""Line height of the font; Inter's em is 13.2 pixels of it."""
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


class Icon:
    """Lucide's glyphs in our font (assets/fonts/README.md), by what they mean here."""

    UNDO, REDO = "\ue2a1", "\ue2a0"
    RESET, FOCUS = "\ue148", "\ue29e"
    DICE, PLAY, PAUSE = "\ue2c5", "\ue13c", "\ue12e"
    CAMERA, FOLDER_OPEN, FOLDER = "\ue064", "\ue247", "\ue0d7"
    MODEL, PICTURE = "\ue310", "\ue31c"
    MINUS, PLUS = "\ue11c", "\ue13d"
    OPENED, FOLDED = "\ue06d", "\ue06f"
    UP, HOME, CLOSE = "\ue0a4", "\ue0f5", "\ue1b2"


@dataclass(frozen=True)
class Palette:
    """The theme's colours as Dear PyGui takes them, 0..255."""

    background: Rgb
    surface: Rgb
    """Cards that lie on the background."""
    raised: Rgb
    """Controls that lie on a card."""
    text: Rgb
    muted: Rgb
    accent: Rgb
    danger: Rgb
    warning: Rgb


def palette(theme: Theme) -> Palette:
    """The shared theme in this toolkit's numbers."""

    def rgb(name: str) -> Rgb:
        red, green, blue = (round(255 * v) for v in getattr(theme, name)[:3])
        return red, green, blue

    return Palette(**{f.name: rgb(f.name) for f in fields(Palette)})


def mixed(a: Rgb, b: Rgb, amount: float) -> Rgb:
    """`a` with `amount` (0..1) of `b` in it."""
    red, green, blue = (round(x + (y - x) * amount) for x, y in zip(a, b, strict=True))
    return red, green, blue


@dataclass(frozen=True)
class Style:
    """Fonts and themes, once they exist in Dear PyGui."""

    scale: float
    colours: Palette
    regular: Item
    strong: Item
    base: Item
    card: Item
    quiet: Item
    """A button that shows only under the mouse: a value that can be typed over."""
    quiet_muted: Item
    fold: Item
    """A title that folds what is below it."""
    accent: Item
    """The chosen one of several buttons."""
    segment: Item
    icon: Item
    """A button so small that its icon needs all of it."""
    tool: Item
    """An unlit button of the bars."""
    cells: Item
    """A table without padding between its cells."""
    following: Item
    """A slider that stands where another one puts it."""
    bar: Item
    """A window part without a card."""
    tooltip: Item
    """Its own padding; it would take that of what it belongs to."""
    sheet: Item
    """A window over the panel."""
    sheet_list: Item
    hint: Item
    list: Item
    """A list inside a card."""
    row: Item
    """A line of a list."""
    row_muted: Item
    row_lit: Item

    def px(self, size: float) -> int:
        """A design pixel in this display's pixels."""
        return round(size * self.scale)


def make_style(scale: float = 1.0) -> Style:
    """Load the fonts at `scale` and build every theme."""
    scale = min(max(scale, 0.5), 4.0)
    c = palette(shipped_theme())
    with dpg.font_registry():
        regular = dpg.add_font(str(ASSETS / "fonts" / "Inter-Regular.ttf"), round(FONT_SIZE * scale))
        strong = dpg.add_font(str(ASSETS / "fonts" / "Inter-SemiBold.ttf"), round(FONT_SIZE * scale))
    hover, held = mixed(c.raised, WHITE, 0.07), mixed(c.raised, WHITE, 0.13)
    dim = mixed(c.raised, c.accent, 0.28)
    return Style(
        scale=scale,
        colours=c,
        regular=regular,
        strong=strong,
        base=_base(c, scale),
        card=_theme(
            dpg.mvChildWindow, {dpg.mvThemeCol_ChildBg: c.surface}, {dpg.mvStyleVar_WindowPadding: (12, 4)}, scale
        ),
        quiet=_button(c.surface, c.raised, hover, c.text, scale, align=1.0),
        quiet_muted=_button(c.surface, c.raised, hover, c.muted, scale, align=1.0),
        fold=_button(c.surface, c.surface, c.raised, c.text, scale, align=0.0, padding=0),
        accent=_button(dim, mixed(dim, WHITE, 0.05), mixed(dim, WHITE, 0.1), mixed(c.accent, WHITE, 0.45), scale),
        segment=_button(c.raised, hover, held, c.muted, scale),
        icon=_button(c.raised, hover, held, c.text, scale, padding=0),
        tool=_button(c.surface, c.raised, hover, c.text, scale),
        cells=_theme(dpg.mvTable, {}, {dpg.mvStyleVar_CellPadding: (2, 0)}, scale),
        bar=_theme(
            dpg.mvChildWindow, {dpg.mvThemeCol_ChildBg: c.background}, {dpg.mvStyleVar_WindowPadding: (0, 0)}, scale
        ),
        following=_theme(dpg.mvSliderFloat, {dpg.mvThemeCol_SliderGrab: mixed(c.raised, c.muted, 0.45)}, {}, scale),
        tooltip=_theme(dpg.mvTooltip, {}, _padding(12, 8), scale),
        sheet=_theme(dpg.mvWindowAppItem, {dpg.mvThemeCol_PopupBg: c.surface}, _padding(12, 12), scale),
        sheet_list=_theme(dpg.mvChildWindow, {dpg.mvThemeCol_ChildBg: c.background}, _padding(8, 8), scale),
        list=_theme(
            dpg.mvChildWindow,
            {dpg.mvThemeCol_ChildBg: mixed(c.surface, c.background, 0.55)},
            {
                dpg.mvStyleVar_WindowPadding: (4, 4),
                dpg.mvStyleVar_ItemSpacing: (4, 2),
                dpg.mvStyleVar_ChildRounding: (6,),
            },
            scale,
        ),
        row=_row(c, c.text, scale),
        row_muted=_row(c, mixed(c.muted, c.surface, 0.4), scale),
        row_lit=_button(dim, mixed(dim, WHITE, 0.05), mixed(dim, WHITE, 0.1), c.text, scale, align=0.0),
        hint=_theme(dpg.mvText, {dpg.mvThemeCol_Text: c.muted}, {}, scale),
    )


def _base(c: Palette, scale: float) -> Item:
    hover, held = mixed(c.raised, WHITE, 0.07), mixed(c.raised, WHITE, 0.13)
    line = mixed(c.surface, WHITE, 0.08)
    grab = mixed(c.accent, c.raised, 0.12)
    colours: dict[int, Rgb] = {
        dpg.mvThemeCol_WindowBg: c.background,
        dpg.mvThemeCol_ChildBg: c.background,
        dpg.mvThemeCol_PopupBg: mixed(c.surface, WHITE, 0.04),
        dpg.mvThemeCol_Border: line,
        dpg.mvThemeCol_Text: c.text,
        dpg.mvThemeCol_TextDisabled: c.muted,
        dpg.mvThemeCol_TextSelectedBg: mixed(c.raised, c.accent, 0.4),
        dpg.mvThemeCol_FrameBg: c.raised,
        dpg.mvThemeCol_FrameBgHovered: hover,
        dpg.mvThemeCol_FrameBgActive: held,
        dpg.mvThemeCol_Button: c.raised,
        dpg.mvThemeCol_ButtonHovered: hover,
        dpg.mvThemeCol_ButtonActive: held,
        dpg.mvThemeCol_Header: c.surface,
        dpg.mvThemeCol_HeaderHovered: c.raised,
        dpg.mvThemeCol_HeaderActive: hover,
        dpg.mvThemeCol_SliderGrab: grab,
        dpg.mvThemeCol_SliderGrabActive: mixed(c.accent, WHITE, 0.3),
        dpg.mvThemeCol_CheckMark: c.accent,
        dpg.mvThemeCol_ScrollbarBg: c.background,
        dpg.mvThemeCol_ScrollbarGrab: c.raised,
        dpg.mvThemeCol_ScrollbarGrabHovered: hover,
        dpg.mvThemeCol_ScrollbarGrabActive: held,
        dpg.mvThemeCol_Separator: line,
        dpg.mvThemeCol_TitleBg: c.surface,
        dpg.mvThemeCol_TitleBgActive: c.surface,
        dpg.mvThemeCol_NavCursor: c.accent,
        dpg.mvThemeCol_ModalWindowDimBg: c.background,
        dpg.mvThemeCol_InputTextCursor: c.accent,
    }
    styles: dict[int, tuple[float, ...]] = {
        dpg.mvStyleVar_WindowPadding: (8, 8),
        dpg.mvStyleVar_FramePadding: (8, 4),
        dpg.mvStyleVar_ItemSpacing: (8, 4),
        dpg.mvStyleVar_ItemInnerSpacing: (8, 4),
        dpg.mvStyleVar_IndentSpacing: (8,),
        dpg.mvStyleVar_ScrollbarSize: (8,),
        dpg.mvStyleVar_GrabMinSize: (10,),
        dpg.mvStyleVar_FrameRounding: (5,),
        dpg.mvStyleVar_GrabRounding: (4,),
        dpg.mvStyleVar_ChildRounding: (8,),
        dpg.mvStyleVar_PopupRounding: (6,),
        dpg.mvStyleVar_WindowRounding: (8,),
        dpg.mvStyleVar_ScrollbarRounding: (4,),
        dpg.mvStyleVar_ChildBorderSize: (0,),
        dpg.mvStyleVar_WindowBorderSize: (0,),
        dpg.mvStyleVar_PopupBorderSize: (1,),
        dpg.mvStyleVar_FrameBorderSize: (0,),
    }
    disabled = {dpg.mvThemeCol_Text: mixed(c.muted, c.surface, 0.5), dpg.mvThemeCol_SliderGrab: hover}
    with dpg.theme() as theme:
        with dpg.theme_component(dpg.mvAll):
            _colours(colours)
            _styles(styles, scale)
        for kind in (dpg.mvSliderFloat, dpg.mvSliderInt, dpg.mvButton, dpg.mvDragFloatMulti):
            with dpg.theme_component(kind, enabled_state=False):
                _colours(disabled)
                _colours({dpg.mvThemeCol_ButtonHovered: c.raised, dpg.mvThemeCol_ButtonActive: c.raised})
    return theme


def _button(rest: Rgb, hover: Rgb, held: Rgb, text: Rgb, scale: float, align: float = 0.5, padding: float = 6) -> Item:
    states = {
        dpg.mvThemeCol_Button: rest,
        dpg.mvThemeCol_ButtonHovered: hover,
        dpg.mvThemeCol_ButtonActive: held,
        dpg.mvThemeCol_Text: text,
    }
    with dpg.theme() as theme:
        with dpg.theme_component(dpg.mvButton):
            _colours(states)
            _styles({dpg.mvStyleVar_FramePadding: (padding, 4)}, scale)
            dpg.add_theme_style(dpg.mvStyleVar_ButtonTextAlign, align, 0.5)
        with dpg.theme_component(dpg.mvButton, enabled_state=False):
            _colours({**dict.fromkeys(states, rest), dpg.mvThemeCol_Text: mixed(text, rest, 0.6)})
            _styles({dpg.mvStyleVar_FramePadding: (padding, 4)}, scale)
            dpg.add_theme_style(dpg.mvStyleVar_ButtonTextAlign, align, 0.5)
    return theme


def _row(c: Palette, text: Rgb, scale: float) -> Item:
    under = mixed(c.surface, c.background, 0.55)
    return _button(under, c.raised, mixed(c.raised, WHITE, 0.07), text, scale, align=0.0)


def _theme(kind: int, colours: dict[int, Rgb], styles: dict[int, tuple[float, ...]], scale: float) -> Item:
    with dpg.theme() as theme, dpg.theme_component(kind):
        _colours(colours)
        _styles(styles, scale)
    return theme


def _padding(x: float, y: float) -> dict[int, tuple[float, ...]]:
    return {dpg.mvStyleVar_WindowPadding: (x, y)}


def _colours(colours: dict[int, Rgb]) -> None:
    for target, colour in colours.items():
        # What a sheet covers stays visible below it.
        dpg.add_theme_color(target, (*colour, 190 if target == dpg.mvThemeCol_ModalWindowDimBg else 255))


def _styles(styles: dict[int, tuple[float, ...]], scale: float) -> None:
    for target, sizes in styles.items():
        dpg.add_theme_style(target, *(size * scale for size in sizes))
