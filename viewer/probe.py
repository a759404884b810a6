"""Asks the graphics driver and CUDA what they are, in a process of its own: either may crash or hang, and we must not.

Run as `python -m neuroview.viewer.probe screen|compute`; prints one JSON object a line, as soon as each is known, so
that what was found before a crash still arrives. `info` starts it and reads it.
"""

from __future__ import annotations

import json
import platform
import sys
import warnings
from collections.abc import Callable
from pathlib import Path


def main(kind: str) -> int:
    """Print what `kind` ('screen' or 'compute') finds."""
    {"screen": screen, "compute": compute}[kind](_tell)
    return 0


def screen(tell: Callable[[str, str], None]) -> None:
    """OpenGL behind a hidden window, the monitors, and the presenter that the viewer would choose here."""
    import glfw

    problems: list[str] = []
    # pyGLFW's default is a Python warning for each error; the last one is the reason that we tell.
    glfw.set_error_callback(lambda _code, text: problems.append(_text(text)))
    if not glfw.init():
        tell("window", f"none: {problems[-1] if problems else 'GLFW does not start, and does not say why'}")
        tell("presenter", "none: pictures go to files")
        return
    tell("GLFW", _text(glfw.get_version_string()))
    for hint, value in (
        (glfw.VISIBLE, False),
        (glfw.CONTEXT_VERSION_MAJOR, 3),
        (glfw.CONTEXT_VERSION_MINOR, 3),
        (glfw.OPENGL_PROFILE, glfw.OPENGL_CORE_PROFILE),
        (glfw.OPENGL_FORWARD_COMPAT, True),
    ):
        glfw.window_hint(hint, value)
    window = glfw.create_window(64, 64, "neuroview info", None, None)
    if not window:
        tell("window", f"none: {problems[-1] if problems else 'no OpenGL 3.3'}")
        return
    glfw.make_context_current(window)
    from OpenGL import GL

    for key, name in (("vendor", GL.GL_VENDOR), ("renderer", GL.GL_RENDERER), ("version", GL.GL_VERSION)):
        value = GL.glGetString(name)
        tell(f"OpenGL {key}", _text(value) if value else "not told")
    for monitor in glfw.get_monitors():
        mode, scale = glfw.get_video_mode(monitor), glfw.get_monitor_content_scale(monitor)[0]
        name = _text(glfw.get_monitor_name(monitor))
        tell(f"monitor {name}", f"{mode.size.width} x {mode.size.height}, {mode.refresh_rate} Hz, scale {scale:g}")
    import torch

    from ..engine.present.choose import choose
    from ..engine.present.shader import ShaderMarch

    choice = choose("auto", "cuda" if torch.cuda.is_available() else "cpu")
    tell("presenter", choice.line)
    shader = ShaderMarch("auto", _text(GL.glGetString(GL.GL_RENDERER) or b""))
    tell("baked scenes", shader.line or "Marched by a shader, if it draws as the processor does and is quicker.")


def compute(tell: Callable[[str, str], None]) -> None:
    """What models would run on: torch's CPU path and GPUs, the CUDA driver, and the threads of compiled loops."""
    import torch

    tell("torch on the CPU", f"{torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads")
    tell("torch built for", f"CUDA {torch.version.cuda}" if torch.version.cuda else "the CPU only")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    for warning in caught:
        tell("torch says", str(warning.message).splitlines()[0])
    tell("CUDA driver", _cuda_driver())
    for index in range(torch.cuda.device_count() if available else 0):
        gpu = torch.cuda.get_device_properties(index)
        free, total = torch.cuda.mem_get_info(index)
        memory = f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
        tell(f"GPU {index}", f"{gpu.name}, compute capability {gpu.major}.{gpu.minor}, {memory}")
    if not available:
        tell("GPU", "none that torch can use")
    tell("numba threads", _numba_threads())


def _cuda_driver() -> str:
    versions = []
    file = Path("/proc/driver/nvidia/version")
    if file.exists():
        versions.append(file.read_text(errors="replace").splitlines()[0].removeprefix("NVRM version:").strip())
    try:
        from cuda.bindings import driver

        code, version = driver.cuDriverGetVersion()
        versions.append(f"CUDA {version // 1000}.{version % 1000 // 10}" if int(code) == 0 else f"error {code}")
    except ImportError as error:
        versions.append(f"cuda-python is not there ({error})")
    except Exception as error:  # cuda.bindings raises, and not always the same, where there is no driver
        versions.append(f"none found ({type(error).__name__})")
    return ", ".join(versions)


def _numba_threads() -> str:
    """The threading layer that numba's parallel loops will find; 'workqueue' is the slowest and allows one caller."""
    import importlib

    for name, layer in (("tbbpool", "TBB"), ("omppool", "OpenMP")):
        try:
            importlib.import_module(f"numba.np.ufunc.{name}")
        except ImportError:
            continue
        return layer
    lacking = "; install libgomp1 for OpenMP" if platform.system() == "Linux" else ""
    return f"workqueue{lacking}"


def _text(value: bytes | str) -> str:
    """C libraries answer in bytes, whatever their Python wrapper's annotations promise."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _tell(key: str, value: str) -> None:
    print(json.dumps([key, value]), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
