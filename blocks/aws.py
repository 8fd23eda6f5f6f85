"""Translates the blocks of prefect-aws into the settings of the S3 video store.

They are recognised by their fields, so that the extra need not be installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect_aws import AwsCredentials, MinIOCredentials, S3Bucket


def settings_of(block: S3Bucket | AwsCredentials | MinIOCredentials) -> dict[str, Any]:
    """The settings of an S3Bucket, or of credentials, by the names of `S3VideoStore`'s fields.

    Raises:
        ValueError: a setting that has no counterpart there.
    """
    given: dict[str, Any] = {name: getattr(block, name) for name in type(block).model_fields}
    if "bucket_name" in given:
        return {**settings_of(given["credentials"]), "bucket": given["bucket_name"], "prefix": given["bucket_folder"]}
    found: dict[str, Any] = {"region_name": given.pop("region_name", None)}
    if "minio_root_user" in given:
        found["aws_access_key_id"] = given.pop("minio_root_user")
        found["aws_secret_access_key"] = given.pop("minio_root_password")
    else:
        for name in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token"):
            found[name] = given.pop(name, None)
        found["role_arn"] = given.pop("assume_role_arn", None)
        given["assume_role_kwargs"] = given["assume_role_kwargs"].get_params_override()
    found |= _client_settings(given.pop("aws_client_parameters"))
    _refuse(given)
    return found


def _client_settings(parameters: Any) -> dict[str, Any]:
    given: dict[str, Any] = parameters.get_params_override()
    config: dict[str, Any] = dict(parameters.config or {})
    given.pop("config", None)
    endpoint_url = given.pop("endpoint_url", None)
    found: dict[str, Any] = {"endpoint_url": endpoint_url}
    addressing = dict(config.pop("s3", None) or {})
    if "addressing_style" in addressing:
        found["addressing_style"] = addressing.pop("addressing_style")
    if "request_checksum_calculation" in config:
        found["request_checksums"] = config.pop("request_checksum_calculation")
    if config.get("signature_version") in ("s3v4", "v4"):  # always
        del config["signature_version"]
    if given.get("use_ssl") is True or endpoint_url:  # only matters without endpoint_url
        given.pop("use_ssl", None)
    if given.get("verify") is True:
        del given["verify"]
    _refuse(given | config | addressing)
    return found


def _refuse(rest: dict[str, Any]) -> None:
    """Refuse the settings that have no counterpart."""
    left = sorted(name for name, value in rest.items() if value not in (None, {}))
    if left:
        raise ValueError(f"an S3 video store has no setting for {', '.join(left)} of this prefect-aws block")
