"""``inland release``: the bundles that machines install, known by their digests."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HELP = "Make the bundles that a region's machines install: the software, and your site."

EPILOG = """\
`inland regions supply` uploads both; the stack file names them:

  release:
    version: …
    sha256: …   # of the release
    site: …     # of the site

exit status: 0 made, 2 a file is wrong, or a package has no wheel"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = EPILOG
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    build = actions.add_parser(
        "build",
        help="the software: wheels of the lock file for Debian 12, and Inland's own",
        epilog="The same checkout gives the same bundle, byte for byte. Its date is\n"
        "SOURCE_DATE_EPOCH's, else the commit's. pip's configuration says where wheels are had.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    build.add_argument(
        "--platform",
        action="append",
        choices=("amd64", "arm64"),
        help="only for this architecture (default: both)",
    )
    build.set_defaults(action=_build)
    site = actions.add_parser(
        "site",
        help="what is served: agents/*.yaml, phone.yaml, tenants.yaml, catalogue.yaml",
        epilog="Checks every file as the nodes will. None of them may hold a secret.",
    )
    site.add_argument("directory", type=Path, metavar="DIR", help="the folder with the files")
    site.set_defaults(action=_site)
    for action in (build, site):
        action.add_argument(
            "--out",
            type=Path,
            metavar="DIR",
            default=Path("dist"),
            help="folder of the bundle (default: dist)",
        )


def run(arguments: argparse.Namespace) -> int:
    """Make a bundle; 2 when it could not be made."""
    from inland.release.errors import ReleaseError

    try:
        status: int = arguments.action(arguments)
    except ReleaseError as error:
        print(f"inland release: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"inland release: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return status


def _build(arguments: argparse.Namespace) -> int:
    try:
        from inland.release.build import build_release, source_date, source_root
        from inland.release.target import TARGETS
    except ModuleNotFoundError as error:
        print(
            f"inland release: {error.name} is missing: a release is built from a checkout, "
            "installed with `make`",
            file=sys.stderr,
        )
        return 2
    chosen = arguments.platform or [target.architecture for target in TARGETS]
    targets = [target for target in TARGETS if target.architecture in chosen]
    root = source_root()
    bundle = build_release(
        root, arguments.out, targets, date=source_date(root), progress=_say_progress
    )
    print(f"{bundle.path}: {bundle.size / 1e6:.1f} MB, {bundle.wheels} wheels")
    print(f"version: {bundle.version}")
    print(f"sha256: {bundle.sha256}")
    return 0


def _site(arguments: argparse.Namespace) -> int:
    from inland.release.site import pack_site

    site = pack_site(arguments.directory, arguments.out)
    print(f"{site.path}: {site.size / 1e3:.1f} kB: {', '.join(site.files)}")
    print(f"site: {site.sha256}")
    return 0


def _say_progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
