"""A small storefront on the API's address: what a buyer sees, and docs/frontend.md's example."""

from local.storefront.server import Storefront

__all__ = ["Storefront"]
