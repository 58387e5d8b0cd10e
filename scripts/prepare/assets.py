"""What the browser loads: npm's packages copied into cctv/static/vendor, and the icons as one sprite.

Both results are built from checked-in lists (package-lock.json, scripts/icons.txt) and are never tracked.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import shutil
import tarfile
from pathlib import Path

from scripts.prepare.packages import is_stamped, npm, stamp_of
from scripts.prepare.progress import ROOT, SetUpError, run

_MODULES = ROOT / "node_modules"
_STATIC = ROOT / "cctv" / "static"
_VENDOR = _STATIC / "vendor"
_SPRITE = _STATIC / "icons.svg"
_ICON_LIST = ROOT / "scripts" / "icons.txt"
_STAMP = _VENDOR / ".stamp"

_FILLED = 'fill="currentColor"'
_OUTLINE = 'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"'

# (file below node_modules, name below vendor). Source maps are left out: nobody debugs others' code here.
_FILES = (
    ("htmx.org/dist/htmx.min.js", "htmx.min.js"),
    ("hls.js/dist/hls.min.js", "hls.min.js"),
    ("hls.js/dist/hls.light.min.js", "hls.light.min.js"),
    ("@tabler/core/dist/css/tabler.min.css", "tabler.min.css"),
    ("@fontsource-variable/inter/files/inter-latin-wght-normal.woff2", "inter-latin.woff2"),
    ("@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2", "inter-latin-ext.woff2"),
    ("@fontsource-variable/inter/files/inter-greek-wght-normal.woff2", "inter-greek.woff2"),
    ("@fontsource-variable/inter/files/inter-cyrillic-wght-normal.woff2", "inter-cyrillic.woff2"),
    ("swagger-ui-dist/swagger-ui-bundle.js", "swagger-ui.js"),
    ("swagger-ui-dist/swagger-ui.css", "swagger-ui.css"),
    ("swagger-ui-dist/LICENSE", "licenses/swagger-ui.txt"),
    ("htmx.org/LICENSE", "licenses/htmx.txt"),
    ("hls.js/LICENSE", "licenses/hls.txt"),
    ("@tabler/icons/LICENSE", "licenses/tabler-icons.txt"),
    ("@fontsource-variable/inter/LICENSE", "licenses/inter.txt"),
)

# Of ReDoc one file is enough; as a dependency it would bring 120 packages. What npm hands over is compared
# with this hash (as npm writes it), as package-lock.json does for the others.
_REDOC = "redoc@2.5.4"
_REDOC_HASH = "M6jWhG1qoBnH6TFmzJnstyCZ87HmOY/UzDm78mHiYihEdlV/YcS9ogOo1NlElnJMeLsyxHFe2yFc4sNjHTrABQ=="
_REDOC_FILES = (
    ("package/bundles/redoc.standalone.js", "redoc.js"),
    ("package/LICENSE", "licenses/redoc.txt"),
)
# Its maker's logo would be asked for from its maker's host.
_REDOC_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
_NO_PICTURE = b"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"


def build() -> bool:
    """Install, copy and build what has changed; True when something was done."""
    lock = [ROOT / "package.json", ROOT / "package-lock.json"]
    locked = stamp_of(lock)
    stamp = stamp_of([*lock, _ICON_LIST, Path(__file__)])
    if is_stamped(_STAMP, stamp) and _SPRITE.exists():
        return False
    npm_stamp = _MODULES / ".stamp"
    if not is_stamped(npm_stamp, locked):
        # Scripts of packages are not run: these packages are files to copy.
        run([*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        npm_stamp.write_text(locked)
    _copy()
    _copy_redoc()
    _write_sprite(_icon_names())
    _STAMP.write_text(stamp)
    return True


def _copy() -> None:
    shutil.rmtree(_VENDOR, ignore_errors=True)
    for source, name in _FILES:
        _put(name, (_MODULES / source).read_bytes())


def _copy_redoc() -> None:
    """Take the bundle out of ReDoc's package, which is fetched once and compared with its hash."""
    package = _MODULES / "redoc-2.5.4.tgz"
    if not package.exists():
        run([*npm(), "pack", _REDOC, "--ignore-scripts", "--pack-destination", str(_MODULES)])
    content = package.read_bytes()
    if base64.b64encode(hashlib.sha512(content).digest()).decode() != _REDOC_HASH:
        package.unlink()
        raise SetUpError(f"{_REDOC} is not the package that this version was made with.")
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for source, name in _REDOC_FILES:
            file = archive.extractfile(source)
            if file is None:
                raise SetUpError(f"{_REDOC} holds no {source}.")
            _put(name, file.read().replace(_REDOC_LOGO, _NO_PICTURE))


def _put(name: str, text: bytes) -> None:
    target = _VENDOR / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix in {".js", ".css"}:
        # The maps are not copied; a reference to one is a 404 in every browser's console.
        text = re.sub(rb"\n?(//[#@] sourceMappingURL=\S+|/\*# sourceMappingURL=\S+ \*/)\s*$", b"\n", text)
    target.write_bytes(text)


def _icon_names() -> list[str]:
    lines = (line.split("#")[0].strip() for line in _ICON_LIST.read_text().splitlines())
    names = [line for line in lines if line]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SetUpError(f"scripts/icons.txt names twice: {', '.join(repeated)}")
    return names


def _write_sprite(names: list[str]) -> None:
    symbols = "\n".join(_symbol(name) for name in names)
    licence = (_MODULES / "@tabler" / "icons" / "LICENSE").read_text().strip().replace("--", "- -")
    text = f'<svg xmlns="http://www.w3.org/2000/svg">\n<!-- Tabler Icons\n{licence}\n-->\n{symbols}\n</svg>\n'
    temporary = _SPRITE.with_suffix(".tmp")
    temporary.write_text(text)
    temporary.replace(_SPRITE)


def _symbol(name: str) -> str:
    """`name` is an outline icon; `filled/name` becomes the symbol `name-filled`."""
    style, _, icon = name.rpartition("/")
    style = style or "outline"
    path = _MODULES / "@tabler" / "icons" / "icons" / style / f"{icon}.svg"
    if not path.exists():
        raise SetUpError(f"scripts/icons.txt names {name}, which Tabler Icons does not have ({path.name}).")
    inner = re.search(r"<svg[^>]*>(.*)</svg>", path.read_text(), re.DOTALL)
    if inner is None:
        raise SetUpError(f"{path} is not an SVG picture.")
    body = re.sub(r"\s+", " ", inner[1]).strip()
    paint = _FILLED if style == "filled" else _OUTLINE
    identity = icon if style == "outline" else f"{icon}-{style}"
    return f'<symbol id="{identity}" viewBox="0 0 24 24" {paint}>{body}</symbol>'
