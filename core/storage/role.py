"""Credentials of an assumed role, renewed before they expire.

boto3 has no public call for that (boto/boto3#443), so that a component of botocore's session is replaced. Profiles
with a `role_arn` are renewed too, but need a file with the keys in it.
"""

from __future__ import annotations

from typing import Any

import boto3.session
import botocore.session
from botocore.credentials import DeferredRefreshableCredentials, create_assume_role_refresher


def assume(session: Any, role_arn: str) -> Any:
    """A boto3 session that acts in a role. The role is assumed when a client first needs it.

    Args:
        session: the boto3 session whose credentials may assume the role.
        role_arn: such as `arn:aws:iam::123456789012:role/videos`.
    """
    core = botocore.session.get_session()
    core.register_component("credential_provider", _Role(session, role_arn))
    return boto3.session.Session(botocore_session=core, region_name=session.region_name)


class _Role:
    """Finds credentials in place of botocore's own chain."""

    def __init__(self, session: Any, role_arn: str) -> None:
        self._session = session
        self._role_arn = role_arn

    def load_credentials(self) -> Any:
        asked = {"RoleArn": self._role_arn, "RoleSessionName": "prefect-omnivideo"}
        refresh = create_assume_role_refresher(self._session.client("sts"), asked)
        return DeferredRefreshableCredentials(method="assume-role", refresh_using=refresh)
