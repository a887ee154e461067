"""`cachao page`: the operators' page, in a browser on their own machine; `make run` serves it at `/operations`."""
