"""What moto lacks or bends, put right in process: one module for each service, with one function `apply()`.

`apply` patches moto's classes, once, before the first call. A module that keeps a state of its own, beside moto's, has
a `reset()` too, which is called whenever the cloud is emptied. Calls are carried out one at a time under
`serial.LOCK`; a thread of a correction holds it while it changes anything.
"""
