"""Names of resources that stay the same when a stack is made anew.

moto 5.2.5 ends each with twelve random characters. Then an execution that an order's history names, or an alert of
yesterday, belongs to a state machine that nobody finds any more.
"""

from hashlib import sha256

from moto.cloudformation import parsing

from local.aws.moto_patches.replacing import Replacements

_RANDOM_CHARACTERS = 12
_moto_generate = parsing.generate_resource_name


def apply(replacements: Replacements) -> None:
    """Let moto make the last characters out of the stack's and the resource's name."""
    replacements.set(parsing, "generate_resource_name", _generate)


def _generate(resource_type: str, stack_name: str, logical_id: str) -> str:
    name: str = _moto_generate(resource_type, stack_name, logical_id)
    ending = sha256(f"{stack_name}/{logical_id}".encode()).hexdigest()[:_RANDOM_CHARACTERS].upper()
    made = name[:-_RANDOM_CHARACTERS] + ending
    return made.lower() if name == name.lower() else made
