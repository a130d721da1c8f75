"""What Skyshard logs: a table of events, standard ``logging``, and the files of events that a cluster keeps.

Rules: silent unless a program or a command asks for it (the logger ``skyshard`` has a NullHandler); nothing is logged
that is not in the table of events; values are bounded, and rows of data, whole SQL texts and addresses with passwords
are no values.
"""

import logging

logging.getLogger("skyshard").addHandler(logging.NullHandler())
