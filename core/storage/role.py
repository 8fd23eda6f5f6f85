"""Credentials of an assumed role, renewed before they expire."""

from __future__ import annotations

from typing import Any

import boto3.session
import botocore.session
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import NoCredentialsError
from typing_extensions import override


def assume(session: Any, role_arn: str) -> Any:
    """A boto3 session that acts in a role. The role is assumed when a client first needs it.

    Args:
        session: the boto3 session whose credentials may assume the role.
        role_arn: such as `arn:aws:iam::123456789012:role/videos`.
    """
    core = botocore.session.get_session()
    core.register_component("credential_provider", CredentialResolver([_Role(session, role_arn)]))
    return boto3.session.Session(botocore_session=core, region_name=session.region_name)


class _Role(CredentialProvider):
    METHOD = "assume-role"

    def __init__(self, session: Any, role_arn: str) -> None:
        super().__init__()
        self._session = session
        self._role_arn = role_arn

    @override
    def load(self) -> Any:
        source = self._session.get_credentials()
        if source is None:
            raise NoCredentialsError
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=self._session.client,
            source_credentials=source,
            role_arn=self._role_arn,
            extra_args={"RoleSessionName": "prefect-omnivideo"},
        )
        return DeferredRefreshableCredentials(method=self.METHOD, refresh_using=fetcher.fetch_credentials)
