"""Everything that makes moto behave as AWS does where the shop depends on it. Nothing else touches moto's inside.

moto is pinned exactly (pyproject.toml). Each patch says what moto lacks; `tests/local/aws/test_moto_patches.py`
shows for each that plain moto still lacks it, so that a patch that is no longer needed is noticed.

| module          | what it mends |
|-----------------|---------------|
| `jsonata`       | expressions cannot be evaluated at all; AWS's own functions; errors as AWS reports them |
| `execution`     | executions are not run, names, limits, retries that sleep, late answers, speed |
| `versions`      | executions by alias, and which version one runs on |
| `lambda_tasks`  | tasks call Lambda through HTTP and boto3; unknown errors |
| `event_bridge`  | state machines and functions as targets, dead letters, partner buses, disabled rules |
| `speed`         | work done again and again |
| `kept_executions` | executions of before; the definition that one of them ran |
| `resource_names` | names that stay the same when a stack is made anew |
| `tables`        | an update of an item is one step |
| `topics`        | messages of a topic for a file that outlives moto |
| `user_pools`    | logins by SRP, an ID token's attributes, ids that stay; the arithmetic is `secure_remote_password` |
| `stack_resources` | one resource by its name, where another was not created |
"""

from local.aws.moto_patches import (
    event_bridge,
    execution,
    jsonata,
    lambda_tasks,
    resource_names,
    speed,
    stack_resources,
    tables,
    topics,
    user_pools,
    versions,
)

__all__ = [
    "event_bridge",
    "execution",
    "jsonata",
    "lambda_tasks",
    "resource_names",
    "speed",
    "stack_resources",
    "tables",
    "topics",
    "user_pools",
    "versions",
]
