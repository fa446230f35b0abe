"""How a node is, for load balancers, operators and Prometheus."""

from __future__ import annotations

from aiohttp import web

from edge.gate import Gate
from edge.node_metrics import NodeMetrics


class Health:
    """The handlers. Where the settings have a ``health_port`` they are there and nowhere else."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        parts = [part.metrics.registry for part in (gate.phone, gate.policy) if part is not None]
        self._metrics = NodeMetrics(gate.pool, gate.clock, parts)

    def add_to(self, app: web.Application) -> None:
        """Put the routes into ``app``."""
        app.router.add_route("GET", "/healthz", self.healthz)
        app.router.add_route("GET", "/readyz", self.readyz)
        app.router.add_route("GET", "/metrics", self.metrics)

    async def healthz(self, request: web.Request) -> web.Response:
        """The process answers."""
        return web.json_response({"status": "ok"})

    async def readyz(self, request: web.Request) -> web.Response:
        """Whether a call would be taken now."""
        gate = self._gate
        checks = {
            "workers": gate.pool.ready,
            "store": gate.pool.store_answers,
            "keys": gate.keys.loaded.is_set(),
            "policy": gate.lawful,
            "not_draining": not gate.draining,
        }
        body = {
            "ready": all(checks.values()),
            "checks": checks,
            "region": gate.settings.region,
            "node": gate.settings.node,
            "policy": gate.law.now.policy,
            "policy_serial": gate.law.now.serial,
            "active": gate.pool.active,
            "capacity": gate.pool.capacity,
        }
        return web.json_response(body, status=200 if body["ready"] else 503)

    async def metrics(self, request: web.Request) -> web.Response:
        """The metrics of every worker, merged."""
        body = await self._metrics.read()
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4"})


def create_health_app(gate: Gate) -> web.Application:
    """The application of ``health_port``: no caller reaches it."""
    app = web.Application()
    Health(gate).add_to(app)
    return app
