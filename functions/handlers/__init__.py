"""Lambda handlers: one module a function, typed input, one call into the domain, typed output."""
