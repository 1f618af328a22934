"""What the people's edge works with, gathered from the parts of a control plane."""

from typing import TYPE_CHECKING

from pilothouse import __version__
from pilothouse.api.context import ApiSettings, Services
from pilothouse.app import bundled
from pilothouse.app.installation import installation_of
from pilothouse.domain.tenancy import Organization
from pilothouse.identity.throttle import Throttle
from pilothouse.operations.access_book import AccessBook
from pilothouse.operations.external_sign_in import RoundTrips
from pilothouse.operations.sessions import Superseded
from pilothouse.operations.sign_in import FrontDoor

if TYPE_CHECKING:
    from pilothouse.app.control_plane import ControlPlane


def services_of(plane: "ControlPlane", organization: Organization) -> Services:
    """Gather what requests of people work with."""
    settings, throttle = plane.settings, Throttle()
    return Services(
        store=plane.store,
        access=AccessBook(plane.store, plane.bus.follow, plane.silence_s),
        board=plane.board,
        agenda=plane.agenda,
        telemetry=plane.telemetry,
        intake=plane.intake,
        alerting=plane.alerting,
        command_rules=plane.command_rules,
        is_anything_desired=plane.edge.is_anything_desired,
        bus=plane.bus,
        vault=plane.vault,
        passwords=plane.passwords,
        throttle=throttle,
        door=FrontDoor(
            plane.store,
            plane.passwords,
            throttle,
            external=plane.user_stores,
            round_trips=RoundTrips(plane.vault),
            organization_id=organization.id,
            takes_passwords=settings.password_sign_in,
        ),
        tokens=plane.tokens,
        superseded=Superseded(),
        try_it=plane.try_it,
        refusals=plane.refusals,
        figures=plane.figures,
        health=plane.health,
        clock=plane.clock,
        organization=organization,
        settings=ApiSettings(
            secure_cookies=settings.console_tls,
            trusted_proxies=settings.proxies,
            metrics_token=settings.metrics_token,
            introspection=settings.graphql_introspection,
            graphiql=settings.graphiql,
            persisted_only=settings.graphql_persisted_only,
            console_folder=bundled.console_folder(),
            telemetry_store=settings.telemetry_store,
        ),
        schema_path=bundled.schema_path(),
        version=__version__,
        installation=installation_of(settings),
        is_serving=plane.replicas.is_alive,
        runtime_port=lambda: plane.runtime_port,
        hostname=settings.hostname,
        hostname_is_given=bool(settings.public_host),
        started_at=plane.clock.now(),
    )
