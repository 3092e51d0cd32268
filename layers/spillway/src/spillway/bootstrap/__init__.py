"""The composition roots: the only place that knows which adapter stands behind which port.

One builder a function, called once on its first use, making only the clients that this function needs; one module for
what functions load together, so that none waits for another's code.
"""
