"""What the cluster fetches from S3: put there once, under a name that is a hash of its content.

botocore comes with mailmill's own S3 storage and is on every EMR machine.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from mailmill.errors import ConfigError, InfrastructureError
from mailmill.submit.environment import sha256
from mailmill.submit.request import Request


class Staging:
    """The prefix `--staging`. Every failure names the bucket, the action and the way out."""

    def __init__(self, request: Request, client: Any = None) -> None:
        self.bucket, _, prefix = request.staging.removeprefix("s3://").partition("/")
        self.prefix = prefix.strip("/")
        self._client = client or connect("s3", request.region)

    def uri(self, name: str) -> str:
        """The s3:// URI of a staged file."""
        return f"s3://{self.bucket}/{self._key(name)}"

    def check(self) -> None:
        """Raise InfrastructureError unless the bucket answers and may be written to."""
        with_action("s3:ListBucket", self.bucket, lambda: self._client.head_bucket(Bucket=self.bucket))
        probe = {"Bucket": self.bucket, "Key": self._key(".mailmill-preflight")}
        with_action("s3:PutObject", self.bucket, lambda: self._client.put_object(Body=b"", **probe))
        with_action("s3:DeleteObject", self.bucket, lambda: self._client.delete_object(**probe))

    def put(self, path: Path, name: str) -> str:
        """Upload a file unless the same bytes are there already; its URI."""
        digest = sha256(path)
        if self._digest_of(name) != digest:
            checksum = base64.b64encode(bytes.fromhex(digest)).decode()
            with path.open("rb") as stream:
                with_action(
                    "s3:PutObject",
                    self.bucket,
                    lambda: self._client.put_object(
                        Bucket=self.bucket, Key=self._key(name), Body=stream, Metadata={"sha256": digest},
                        ChecksumSHA256=checksum,
                    ),
                )  # fmt: skip
        return self.uri(name)

    def _digest_of(self, name: str) -> str | None:
        try:
            found = self._client.head_object(Bucket=self.bucket, Key=self._key(name))
        except Exception as error:  # noqa: BLE001 - botocore's classes are made at run time
            if _status(error) in (403, 404):  # without ListBucket, S3 answers 403 for what is not there
                return None
            raise InfrastructureError(f"S3 bucket {self.bucket} does not answer: {_words(error)}") from None
        return str(found.get("Metadata", {}).get("sha256", "")) or None

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name


def connect(service: str, region: str = "") -> Any:
    """A client of an AWS service, with the credentials and the endpoint that the environment gives."""
    try:
        import botocore.config
        import botocore.exceptions
        import botocore.session
    except ImportError:
        raise ConfigError(f"{service} needs botocore: pip install botocore (mailmill brings it)") from None
    options = botocore.config.Config(retries={"mode": "standard", "max_attempts": 4}, connect_timeout=10)
    session = botocore.session.get_session()
    try:
        chosen = region or session.get_config_variable("region") or "us-east-1"
        return session.create_client(service, region_name=chosen, config=options)
    except (ValueError, botocore.exceptions.BotoCoreError) as error:
        raise ConfigError(f"{service}: {_words(error)}", hint="see AWS_ENDPOINT_URL and AWS_PROFILE") from None


def with_action(action: str, thing: str, call: Any) -> Any:
    """The call's answer; its failure as an InfrastructureError that names the permission and the thing."""
    try:
        return call()
    except Exception as error:  # botocore's classes are made at run time
        raise InfrastructureError(
            f"{action} on {thing} failed: {_words(error)}",
            hint="check the credentials (aws sts get-caller-identity), the region and the policy",
        ) from error


def is_forbidden(error: InfrastructureError) -> bool:
    """Whether the service answered that this is not allowed, as it will when it is asked again."""
    return _status(error.__cause__) == 403


def _status(error: BaseException | None) -> int:
    response = getattr(error, "response", None) or {}
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _words(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
