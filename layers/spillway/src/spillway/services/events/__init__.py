"""What the functions behind state machines and rules are called with: one frozen class an event.

A function's ``app.py`` reads its event once, by the ``read_…`` of one module here; services take the classes. What a
state machine's task passes is held against their fields by ``tests/template/test_payloads.py``.
"""
