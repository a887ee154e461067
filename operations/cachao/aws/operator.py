"""Who gives an order: it is kept with every correction."""

from __future__ import annotations

import getpass

from botocore.exceptions import BotoCoreError, ClientError

from cachao.aws.environment import Environment


def name_of(environment: Environment) -> str:
    """Name whoever gives the order: as AWS knows him, else as this machine does."""
    try:
        return str(environment.client("sts").get_caller_identity()["Arn"])[:255]
    except (BotoCoreError, ClientError):
        return getpass.getuser()[:255]
