"""Artifacts: what a runtime runs. One kind, one file; a new kind is imported and joins the union here.

`KINDS` is the union as values: wire, SQL and GraphQL are projected from it.
"""

from typing import Final, get_args

from pilothouse.domain.artifacts.api import Api
from pilothouse.domain.artifacts.automation import Automation
from pilothouse.domain.artifacts.base import ArtifactState as ArtifactState
from pilothouse.domain.artifacts.base import Base as Base
from pilothouse.domain.artifacts.base import DeploymentState as DeploymentState
from pilothouse.domain.artifacts.base import Member as Member
from pilothouse.domain.artifacts.carbon_app import CarbonApp
from pilothouse.domain.artifacts.connector import Connector
from pilothouse.domain.artifacts.consumer import Consumer
from pilothouse.domain.artifacts.data_service import DataService
from pilothouse.domain.artifacts.data_source import DataSource
from pilothouse.domain.artifacts.endpoint import Endpoint
from pilothouse.domain.artifacts.inbound_endpoint import InboundEndpoint
from pilothouse.domain.artifacts.listener import Listener
from pilothouse.domain.artifacts.local_entry import LocalEntry
from pilothouse.domain.artifacts.message_processor import MessageProcessor
from pilothouse.domain.artifacts.message_store import MessageStore
from pilothouse.domain.artifacts.proxy_service import ProxyService
from pilothouse.domain.artifacts.registry_resource import RegistryResource
from pilothouse.domain.artifacts.schedule import Schedule
from pilothouse.domain.artifacts.sequence import Sequence
from pilothouse.domain.artifacts.service import Resource as Resource
from pilothouse.domain.artifacts.service import Service
from pilothouse.domain.artifacts.task import Task
from pilothouse.domain.artifacts.template import Template

Artifact = (
    Api
    | Automation
    | CarbonApp
    | Connector
    | Consumer
    | DataService
    | DataSource
    | Endpoint
    | InboundEndpoint
    | Listener
    | LocalEntry
    | MessageProcessor
    | MessageStore
    | ProxyService
    | RegistryResource
    | Schedule
    | Sequence
    | Service
    | Task
    | Template
)

KINDS: Final[tuple[type[Base], ...]] = get_args(Artifact)
