"""Puts the control plane together from its settings, and wraps what every request needs."""

from __future__ import annotations

import random
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from control_plane.api import MAX_BODY, Api
from control_plane.auth import Gate, NodeGate, Secrets
from control_plane.clock import Clock
from control_plane.directory import Directory
from control_plane.errors import Refusal, SettingsError
from control_plane.policy_file import PolicyFile, SignedLaw, strangers
from control_plane.policy_state import PolicyState
from control_plane.policy_watch import PolicyWatch, first_policy
from control_plane.problems import SECURITY_HEADERS, fault, foreign, refused
from control_plane.ratelimit import Buckets
from control_plane.service import ControlPlane
from control_plane.settings import PolicySource, Settings
from control_plane.tenants import Tenants, load_tenants
from control_plane.tokens import TokenSigner, load_or_create_key, load_public_key
from regions.catalogue import load_catalogue
from regions.geo import country_position
from regions.law import Law

CORS_PATH = "/v1/route"
"""The one resource that pages use."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """A control plane that is ready to be served."""

    plane: ControlPlane
    app: web.Application
    tenants: int
    watch: PolicyWatch | None
    """Looks for newer laws, where there is a policy bundle."""


def assemble(settings: Settings, clock: Clock) -> Assembly:
    """Read every file that ``settings`` names and build the application.

    Raises ``ConfigError`` and ``StartupError``.
    """
    country_position("DE")  # reads the table now, so that no caller waits for it
    signed = None if settings.policy is None else _signed(settings.policy)
    law = Law(load_catalogue(settings.catalogue)) if signed is None else signed.bundle.law
    tenants = load_tenants(settings.tenants, law.catalogue)
    unknown = strangers(settings.node_secrets, law.catalogue)
    if unknown:
        raise SettingsError(f"node_secrets: the catalogue has no region {', '.join(unknown)}")
    plane = ControlPlane(
        law=law,
        bundle=None if signed is None else signed.bundle,
        signer=TokenSigner(
            load_or_create_key(settings.key_file),
            [load_public_key(path) for path in settings.published_keys],
        ),
        directory=Directory(clock),
        clock=clock,
        rng=random.Random(),
        version=_version(),
    )
    watch = None
    if signed is not None:
        watch = PolicyWatch(signed.file, signed.state, plane, tenants, settings.node_secrets)
        watch.begin(signed.bundle)
    app = build_app(_api(settings, plane, tenants, clock))
    return Assembly(plane, app, len(tenants.all), watch)


@dataclass(frozen=True, slots=True)
class _Signed:
    file: PolicyFile
    state: PolicyState
    bundle: SignedLaw


def _signed(source: PolicySource) -> _Signed:
    """The bundle to start with, and where to look for the next one. Raises ``PolicyError``."""
    file, state = PolicyFile(source), PolicyState(source.state)
    return _Signed(file, state, first_policy(file, state))


def _api(settings: Settings, plane: ControlPlane, tenants: Tenants, clock: Clock) -> Api:
    return Api(
        plane,
        Gate(tenants, Buckets(clock), Buckets(clock)),
        NodeGate(tenants, Buckets(clock)),
        Secrets(settings.node_secrets, settings.operator_key),
        country_header=settings.trust_country_header,
        trusted_proxies=settings.trusted_proxies,
    )


def build_app(api: Api) -> web.Application:
    """The application with its one middleware."""
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_boundary(api)])
    app.add_routes(api.routes())
    return app


def _boundary(api: Api) -> Middleware:
    @web.middleware
    async def boundary(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Every outcome becomes an answer with the headers it needs, and is counted."""
        response: web.StreamResponse
        try:
            response = await handler(request)
        except Refusal as refusal:
            response = refused(refusal)
        except web.HTTPException as error:
            response = foreign(error)
        except ConnectionError:
            raise  # the client is gone; there is nobody to answer
        except Exception as error:
            # The last line before the client: a fault of ours must not end the connection mutely.
            response = fault(error)
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        if request.path == CORS_PATH:
            _add_cors(request, response, api)
        resource = request.match_info.route.resource
        api.plane.metrics.requests.labels(
            "other" if resource is None else resource.canonical, str(response.status)
        ).inc()
        return response

    return boundary


def _add_cors(request: web.Request, response: web.StreamResponse, api: Api) -> None:
    """Let the page read the answer, refusals included, if its site has any key here."""
    response.headers["Vary"] = "Origin"
    origin = request.headers.get("Origin", "")
    if api.gate.knows_origin(origin):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"


def _version() -> str:
    try:
        return version("inland")
    except PackageNotFoundError:
        return "unpackaged"
