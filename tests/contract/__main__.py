"""`make contract`: what we believe of Stripe, asked of Stripe itself, in test mode. See conftest.py.

Exit codes: 0 all is as believed, or skipped for want of a key; 1 something is otherwise; 2 the key is no test key.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.contract.conftest import KEY_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
_TEST_KEY = re.compile(r"[sr]k_test_\w+")


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Run the tests with the key of STRIPE_SECRET_KEY and these further arguments of pytest."""
    key = environment.get("STRIPE_SECRET_KEY", "")
    if not key:
        print(
            "SKIPPED: Stripe was not asked: STRIPE_SECRET_KEY is not set. With a key of a Stripe test account:\n"
            "  STRIPE_SECRET_KEY=sk_test_… make contract\n"
            "`make test` has asked the same of the stand-in."
        )
        return 0
    if not _TEST_KEY.fullmatch(key):
        print("STRIPE_SECRET_KEY is no test key (sk_test_… or rk_test_…). Nothing was asked.", file=sys.stderr)
        return 2
    print("Asking Stripe's test mode. It makes payments, refunds, disputes and a webhook endpoint there.")
    # Every belief is looked at, whatever fails before; in order, so that two runs can be compared.
    pytest = [sys.executable, "-m", "pytest", "tests/contract", "-p", "no:randomly", "-ra", "--tb=short", "--no-cov"]
    return min(subprocess.call([*pytest, *arguments], cwd=ROOT, env={**environment, KEY_VARIABLE: key}), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
